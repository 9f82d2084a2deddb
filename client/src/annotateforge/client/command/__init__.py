"""The command line `annotateforge`."""

from annotateforge.client.command.program import main

__all__ = ["main"]
