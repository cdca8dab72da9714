"""`ndfd config check`: every mistake of a configuration."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ndfd.cli.config_values import print_json
from ndfd.cli.options import LAYERS_HELP, Sources, sources_options
from ndfd.errors import EX_CONFIG, InputError
from ndfd.model.configuration import Mistake, OriginKind

if TYPE_CHECKING:
    from ndfd.config.load import Reading

#: What a place of each kind is called where places are counted.
_PLACES = {
    OriginKind.FILE: "file",
    OriginKind.ENVIRONMENT: "variable",
    OriginKind.FLAG: "option",
    OriginKind.CREDENTIAL: "credential",
    OriginKind.DEFAULT: "default",
}


@click.command(short_help="Check the configuration.", epilog=LAYERS_HELP)
@click.argument("files", nargs=-1, metavar="[FILE]…", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@sources_options
def check(files: Sequence[Path], as_json: bool, sources: Sources) -> int:
    """Check the configuration that `ndfd run` would use or, where FILEs are named, these alone, the last the strongest.

    Each mistake is one line on stdout: PLACE: KEY: what is wrong. Warnings, of what can be used but should be mended,
    do not change the exit status. What only the daemon's own machine can tell (its users and CPUs, certificates,
    addresses that are taken) is found by `ndfd reload --dry-run`, or when the daemon starts.

    \b
    Examples:
      ndfd config check
      ndfd config check --service --config-dir staging/
      ndfd config check new.toml && install new.toml /etc/ndfd/config.toml && ndfd reload

    \b
    Exit status:
      0   no mistakes
      66  a FILE is not there
      78  mistakes
    """
    from ndfd.config.load import read, read_files

    if files:
        sources.refuse_beside("FILE")
        for file in files:
            if not os.path.lexists(file):
                raise InputError(f"{file}: there is no such file")
        reading = read_files(files)
    else:
        reading = read(sources.context())
    if as_json:
        print_json(_as_json(reading))
    else:
        for mistake in reading.mistakes:
            click.echo(str(mistake))
        for warning in reading.warnings:
            click.echo(f"warning: {warning}")
        click.echo(summary(reading.mistakes, reading.files), err=True)
    return EX_CONFIG if reading.mistakes else 0


def summary(mistakes: Sequence[Mistake], files: Sequence[str]) -> str:
    """ "3 mistakes in 2 files", or "2 files, no mistakes: a.toml b.toml"."""
    if not mistakes:
        named = f": {' '.join(files)}" if files else ""
        return f"{_counted(len(files), 'file')}, no mistakes{named}"
    places = Counter(kind for kind, _ in {(each.origin.kind, each.origin.name) for each in mistakes})
    named = " and ".join(_counted(places[kind], name) for kind, name in _PLACES.items() if kind in places)
    return f"{_counted(len(mistakes), 'mistake')} in {named}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _as_json(reading: Reading) -> dict[str, Any]:
    return {
        "files": reading.files,
        "mistakes": [{**msgspec.to_builtins(each), "text": str(each)} for each in reading.mistakes],
        "warnings": reading.warnings,
    }
