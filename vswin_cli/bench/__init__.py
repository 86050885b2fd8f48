"""Parts of `vswin bench`, each a measurement; `vswin_cli.bench.run` puts them together."""
