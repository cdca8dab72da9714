"""The command line of scripts/stress."""

from __future__ import annotations

import argparse
import sys

from tests.stress import documents


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="scripts/stress", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    summary = (documents.__doc__ or "").partition("\n")[0]
    command = commands.add_parser("documents", help=summary, description=documents.__doc__)
    documents.add_arguments(command)
    command.set_defaults(run=documents.main)
    arguments = parser.parse_args()
    status: int = arguments.run(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
