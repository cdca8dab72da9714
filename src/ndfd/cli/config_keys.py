"""The keys that a command line names."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from ndfd.errors import UsageError


def complete_keys(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The keys and groups that begin so, for the shell."""
    # 250 ms, in the moment in which somebody has pressed the tabulator here.
    from ndfd.config.keys import GROUPS, KEYS

    described = {**{path: key.meaning for path, key in KEYS.items()}, **GROUPS}
    names = sorted(name for name in described if name.startswith(incomplete))
    return [CompletionItem(name, help=described[name].partition(". ")[0]) for name in names]


def selected(names: Sequence[str]) -> tuple[str, ...]:
    """The keys that are named, by their own name or by that of their group, in the order of the reference; without a
    name, all of them.

    `UsageError`, with what was probably meant, for a name that is none.
    """
    from ndfd.config.keys import GROUPS, KEYS

    chosen: set[str] = set()
    secret_files = {f"{key.group}.{key.file_name}": path for path, key in KEYS.items() if key.file_name}
    for name in names:
        if name in GROUPS:
            chosen.update(path for path, key in KEYS.items() if key.group == name)
        elif (path := secret_files.get(name, name)) in KEYS:
            chosen.add(path)
        else:
            raise _no_such_key(name)
    return tuple(path for path in KEYS if path in chosen or not names)


def _no_such_key(name: str) -> UsageError:
    from ndfd.config.suggest import nearest_group, nearest_key

    near = (nearest_key(name) or nearest_group(name)) if "." in name else (nearest_group(name) or nearest_key(name))
    meant = "" if near is None else f"; did you mean {near}?"
    return UsageError(f"there is no key or group {name!r}{meant}", hint="`ndfd config reference` lists them")
