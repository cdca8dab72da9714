"""`ndfd config reference`: every key and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ndfd.cli.config_keys import check_names, complete_keys, named_tables, selected
from ndfd.cli.config_values import decoded, print_json

if TYPE_CHECKING:
    from ndfd.config.keys import Key


@click.command(short_help="List every key and what it means.")
@click.argument("keys", nargs=-1, metavar="[KEY|GROUP]…", shell_complete=complete_keys)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "markdown", "toml", "json"]),
    default="text",
    show_default=True,
    help="toml: a sample file, every key a comment.",
)
@click.option("--json", "output_format", flag_value="json", help="The same as --format json.")
def reference(keys: Sequence[str], output_format: str) -> None:
    """List every key, or those of each KEY and GROUP: default, meaning, what may be written, variable, and what a
    reload does with it. NAME stands for a name that you choose.

    \b
    Examples:
      ndfd config reference | less
      ndfd config reference swarm
      ndfd config reference --format toml > config.toml

    \b
    Exit status:
      0   listed
      64  there is no such key
    """
    from ndfd.config.keys import REFERENCE, keys_with
    from ndfd.config.reference import markdown, sample, text

    check_names(keys)
    known = {**REFERENCE, **keys_with(named_tables(keys))}
    paths = selected(keys, known if keys else REFERENCE)
    if output_format == "json":
        print_json({path: key_as_json(known[path]) for path in paths})
    else:
        write = {"text": text, "markdown": markdown, "toml": sample}[output_format]
        click.echo(write(known[path] for path in paths), nl=False)


def key_as_json(key: Key) -> dict[str, Any]:
    """What there is to know of a key wherever it is used."""
    from ndfd.config.reference import aliases

    known = {
        "meaning": key.meaning,
        "default": decoded(key.default_text),
        "accepts": key.kind.accepts(),
        "unit": key.kind.unit or None,
        "variables": [key.variable, *aliases(key)],
        "effect": key.effect.value,
    }
    fallback = {} if key.fallback is None else {"fallback": key.fallback}
    secret = {"file_key": f"{key.group}.{key.file_name}", "credential": key.path} if key.file_name else {}
    return {**known, **fallback, **secret}
