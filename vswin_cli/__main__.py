"""Run the command line: the script `vswin`, and `python -m vswin_cli`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Load the commands and run one; an interruption while loading prints no traceback either."""
    try:
        from vswin_cli.cli.app import main as run_command
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    run_command()


if __name__ == "__main__":
    main()
