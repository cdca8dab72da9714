"""The command line of scripts/bench: one module for each command."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.bench import config, corpus, extract, idle, jobs, profile, swarm, tuning, variants
from tests.bench.selection import default_corpus


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for module in (extract, profile, corpus, variants, swarm, tuning):
        summary = (module.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(module.__name__.rpartition(".")[2], help=summary, description=module.__doc__)
        command.add_argument(
            "--corpus",
            type=Path,
            default=default_corpus(),
            metavar="DIR",
            help="folder with PDFs (default: %(default)s)",
        )
        command.add_argument("--documents", type=int, metavar="N", help="only N documents, spread evenly over all")
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    for module in (jobs, config, idle):
        summary = (module.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(module.__name__.rpartition(".")[2], help=summary, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    arguments = parser.parse_args()
    status: int = arguments.run(arguments)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
