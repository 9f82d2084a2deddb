"""The command line `annotateforge`."""

import sys

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Run the command of the process's arguments; see `program.main`. Ctrl-C is heard while it loads, too."""
    try:
        from annotateforge.client.command import program

        program.main()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
