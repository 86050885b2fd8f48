"""What `vswin bench` measures, each part on its own; `vswin_cli.bench.run` puts them together."""
