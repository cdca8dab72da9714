"""`ndfd config show`: the values that hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path

import click

from ndfd.cli.config_keys import check_names, complete_keys, selected
from ndfd.cli.config_running import refuse_contradiction, running_configuration, running_option
from ndfd.cli.config_values import print_json, setting_as_json, warn
from ndfd.cli.options import Sources, socket_option, sources_options
from ndfd.model.configuration import SECRET, Configuration, Setting

#: Comments of a group stand in one column as far as its lines are no longer than this.
_COMMENT_COLUMN_MAX = 48


@click.command(short_help="Show every value that holds.")
@click.argument("keys", nargs=-1, metavar="[KEY|GROUP]…", shell_complete=complete_keys)
@click.option("--origin", "with_origin", is_flag=True, help="After each value, where it was written.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["toml", "json"]),
    default="toml",
    show_default=True,
    help="What is printed.",
)
@click.option("--json", "output_format", flag_value="json", help="The same as --format json.")
@running_option
@socket_option
@sources_options
def show(
    keys: Sequence[str], with_origin: bool, output_format: str, running: bool, socket: Path | None, sources: Sources
) -> None:
    """Show the values that hold: all, or those of each KEY and GROUP.

    The TOML is a file that gives the same configuration, but for secrets, which are never shown. JSON is an object of
    the keys, with value, origin and the weaker values that each hides.

    \b
    Examples:
      ndfd config show
      ndfd config show --origin swarm network.bind_address
      ndfd config show --json | jq '."swarm.workers".value'
      NDFD_ENV=production ndfd config show --service

    \b
    Exit status:
      0   shown
      64  there is no such key
      69  --running: no daemon answers
      77  --running: this user may not ask it
      78  the configuration has mistakes
    """
    refuse_contradiction(running, socket, sources)
    check_names(keys)
    if running:
        configuration = running_configuration(socket)
        settings, warnings, head = configuration.settings, configuration.warnings, [_head(configuration)]
    else:
        from ndfd.config.load import load

        loaded = load(sources.context())
        settings, warnings, head = tuple(loaded.resolved.values()), loaded.warnings, []
    paths = set(selected(keys, (setting.key for setting in settings)))
    chosen = [setting for setting in settings if setting.key in paths]
    if output_format == "json":
        print_json({setting.key: setting_as_json(setting) for setting in chosen})
    else:
        click.echo("\n".join([*head, *toml_lines(chosen, with_origin)]))
    warn(warnings)


def toml_lines(settings: Sequence[Setting], with_origin: bool) -> Iterator[str]:
    """The settings as a TOML file; what it cannot hold stands there as a comment."""
    for number, (group, members) in enumerate(groupby(settings, key=lambda setting: setting.key.rpartition(".")[0])):
        if number > 0:
            yield ""
        yield f"[{group}]"
        lines = [(_line(setting), str(setting.origin)) for setting in members]
        if with_origin:
            column = max((len(line) for line, _ in lines if len(line) <= _COMMENT_COLUMN_MAX), default=0)
            yield from (f"{line:<{column}}  # {origin}" for line, origin in lines)
        else:
            yield from (line for line, _ in lines)


def _line(setting: Setting) -> str:
    name = setting.key.rpartition(".")[2]
    if setting.value is None:
        return f"# {name} is not set"
    return f"# {name} is set; a secret is not shown" if setting.value == SECRET else f"{name} = {setting.value}"


def _head(running: Configuration) -> str:
    loaded = datetime.fromtimestamp(running.loaded_at).astimezone().isoformat(" ", "seconds")
    return f"# generation {running.generation} of the running daemon, since {loaded}, hash {running.hash[:12]}\n"
