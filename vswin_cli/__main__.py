"""Run the command line with ``python -m vswin_cli``."""

from vswin_cli.cli.app import main

if __name__ == "__main__":
    main()
