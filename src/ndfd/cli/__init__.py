"""The command line: one module for each command; results go to stdout, everything else to stderr."""

from ndfd.cli.main import main

__all__ = ["main"]
