"""`ndfd config explain`: all about a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ndfd.cli.config_keys import check_names, complete_keys, selected
from ndfd.cli.config_reference import key_as_json
from ndfd.cli.config_running import refuse_contradiction, running_configuration, running_option
from ndfd.cli.config_values import print_json, setting_as_json, shown
from ndfd.cli.options import Sources, socket_option, sources_options
from ndfd.model.configuration import Mistake, OriginKind, Setting

if TYPE_CHECKING:
    from ndfd.config.keys import Key

#: Columns of the labels.
_LABEL = 13


@click.command(short_help="Explain a key: value, origin, meaning.")
@click.argument("keys", nargs=-1, required=True, metavar="KEY|GROUP…", shell_complete=complete_keys)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, by key, instead of text.")
@running_option
@socket_option
@sources_options
def explain(keys: Sequence[str], as_json: bool, running: bool, socket: Path | None, sources: Sources) -> None:
    """Explain each KEY, or all of each GROUP: the value that holds, where it was written and which weaker values it
    hides; then what the key means, what may be written, and what a reload does with it.

    A configuration with mistakes is explained as far as it can be read.

    \b
    Examples:
      ndfd config explain swarm.workers
      ndfd config explain network security
      ndfd config explain --running document.max_size

    \b
    Exit status:
      0   explained
      64  there is no such key
      69  --running: no daemon answers
      77  --running: this user may not ask it
      78  the configuration has mistakes
    """
    refuse_contradiction(running, socket, sources)
    check_names(keys)
    mistakes: tuple[Mistake, ...] = ()
    from ndfd.config.keys import find_key

    if running:
        settings: Mapping[str, Setting] = {each.key: each for each in running_configuration(socket).settings}
    else:
        from ndfd.config.load import read

        reading = read(sources.context())
        settings, mistakes = reading.resolved, reading.mistakes
    # A daemon of another version may have others.
    known = {path: key for path in selected(keys, settings) if (key := find_key(path)) is not None}
    if as_json:
        print_json({path: {**setting_as_json(settings[path]), **key_as_json(key)} for path, key in known.items()})
    else:
        click.echo("\n\n".join("\n".join(_lines(settings[path], key)) for path, key in known.items()))
    if mistakes:
        from ndfd.config.load import refusal

        raise refusal(mistakes)


def _lines(setting: Setting, key: Key) -> Iterator[str]:
    from ndfd.config.reference import facts, shown_default, wrapped

    yield setting.key
    yield from wrapped(key.meaning, "  ")
    yield ""
    facts_of_value = [("value", shown(setting.value)), ("from", str(setting.origin))]
    # The default has a line of its own.
    shadowed = [each for each in setting.shadowed if each.origin.kind is not OriginKind.DEFAULT]
    for number, each in enumerate(shadowed):
        facts_of_value.append(("hides" if number == 0 else "", f"{shown(each.value)}  ({each.origin})"))
    for label, fact in facts_of_value:
        # Never broken: these are copied.
        yield f"  {label:<{_LABEL}}{fact}"
    for label, fact in [("default", shown_default(key)), *facts(key)]:
        yield from wrapped(f"{label:<{_LABEL}}{fact}", "  ", hang=_LABEL)
