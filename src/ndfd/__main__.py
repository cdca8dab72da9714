"""`python -m ndfd` is `ndfd`."""

from ndfd.cli.program import program

program()
