"""What the commands of `ndfd tune` have in common: which knobs, of which system, and what is wanted of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from ndfd.cli.config_values import decoded
from ndfd.cli.options import Sources
from ndfd.errors import UsageError
from ndfd.model.tuning import Plan, Preset, Wish

if TYPE_CHECKING:
    from ndfd.platform import KernelFiles
    from ndfd.tuning.journal import Change


def _complete_knobs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from ndfd.tuning.catalogue import KNOBS

    return [CompletionItem(name, help=knob.path) for name, knob in KNOBS.items() if name.startswith(incomplete)]


only_option = click.option(
    "--only", multiple=True, metavar="KNOB", help="This knob and no other. Repeatable.", shell_complete=_complete_knobs
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")


def kernel_of_this_machine() -> KernelFiles:
    """The one that the commands see."""
    from ndfd.platform import KernelFiles

    return KernelFiles()


@dataclass(frozen=True, slots=True)
class Scene:
    """A system, and what is wanted of it."""

    kernel: KernelFiles
    #: The kernel's name for this start of the machine.
    boot: str
    preset: Preset
    wishes: Mapping[str, Wish]
    journal: Path
    warnings: tuple[str, ...]

    def plan(self, only: Sequence[str]) -> Plan:
        """What is to be written."""
        from ndfd.tuning.plan import make_plan

        return make_plan(self.kernel, self.preset, self.wishes, self.changes(), only)

    def changes(self) -> Mapping[str, Change]:
        """What is tuned, by path."""
        from ndfd.tuning.journal import read_changes

        return read_changes(self.journal, self.boot)


def scene_of(sources: Sources, only: Sequence[str]) -> Scene:
    """This machine, and what its configuration wants; `UsageError` for a knob that there is not."""
    # The settings, 100 ms, which help and completion do not need.
    from ndfd.config.load import load
    from ndfd.tuning.plan import boot_id
    from ndfd.tuning.wishes import wishes

    check_knobs(only)
    loaded = load(sources.context())
    settings = loaded.settings
    kernel = kernel_of_this_machine()
    pools = settings.swarm.every_pool().values()
    pinned = frozenset[int]().union(*(pool.cpus for pool in pools if pool.cpus != "all"))
    return Scene(
        kernel,
        boot_id(kernel),
        Preset(settings.tuning.preset),
        wishes(settings.tuning, pinned, kernel),
        _journal(settings.tuning.journal),
        loaded.warnings,
    )


def journal_of(sources: Sources) -> tuple[Path, tuple[str, ...]]:
    """The journal that the configuration names, and warnings. Other mistakes keep nobody from putting things back."""
    from ndfd.config.load import read

    reading = read(sources.context())
    mistakes = tuple(f"{mistake}" for mistake in reading.mistakes)
    found = decoded(reading.resolved["tuning.journal"].value)
    return _journal(Path(found) if found != "auto" else "auto"), (*mistakes, *reading.warnings)


def check_knobs(names: Sequence[str]) -> None:
    """`UsageError`, with what was probably meant, for a name that no knob has."""
    from ndfd.config.likeness import nearest
    from ndfd.tuning.catalogue import KNOBS

    for name in names:
        if name not in KNOBS:
            meant = nearest(name, KNOBS)
            hint = f"did you mean {meant}?" if meant is not None else f"there are: {', '.join(KNOBS)}"
            raise UsageError(f"there is no knob {name!r}", hint=hint)


def _journal(named: Path | str) -> Path:
    from ndfd.config.places import default_tuning_journal

    return default_tuning_journal() if isinstance(named, str) else named
