"""The keys that a command line names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from click.shell_completion import CompletionItem

from ndfd.errors import UsageError


def complete_keys(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The keys and groups that begin so, for the shell; of families, those that this configuration declares."""
    # 250 ms, in the moment in which somebody has pressed the tabulator here.
    from ndfd.config.keys import FAMILIES, GROUPS, keys_with, meaning_of

    inside = any(incomplete.startswith(group) for group in FAMILIES)
    tables = _declared() if inside else set()
    described = {path: key.meaning for path, key in keys_with(tables).items()}
    described |= {**GROUPS, **{group: family.meaning for group, family in FAMILIES.items()}}
    described |= {table: meaning_of(table) for table in tables}
    names = sorted(name for name in described if name.startswith(incomplete))
    return [CompletionItem(name, help=described[name].partition(". ")[0]) for name in names]


def _declared() -> set[str]:
    from ndfd.config.context import Context
    from ndfd.config.keys import tables_of
    from ndfd.config.load import read

    return tables_of(read(Context.of_process()).resolved)


def check_names(names: Sequence[str]) -> None:
    """`UsageError`, with what was probably meant, for a name that no key, group or table can have."""
    from ndfd.config.keys import FAMILIES, GROUPS, family_of, find_key, secret_of

    for name in names:
        known = name in GROUPS or name in FAMILIES or secret_of(name) is not None
        if not known and family_of(name) is None and find_key(name) is None:
            raise _no_such_key(name)


def named_tables(names: Iterable[str]) -> set[str]:
    """The tables of families that these names, or those around them, are of."""
    from ndfd.config.keys import family_of

    return {table for name in names for table in (name, name.rpartition(".")[0]) if family_of(table) is not None}


def selected(names: Sequence[str], paths: Iterable[str]) -> tuple[str, ...]:
    """Those of the paths that are named, by their own name or by that of a table around them; without a name, all.

    The names are such as `check_names` lets pass. `UsageError` for a name of something that these paths do not have: a
    table that is not declared.
    """
    from ndfd.config.keys import secret_of

    paths = tuple(paths)
    chosen: set[str] = set()
    for name in names:
        secret = secret_of(name)
        name = name if secret is None else secret.path
        found = [path for path in paths if path == name or path.startswith(f"{name}.")]
        if not found:
            raise _not_declared(name, paths)
        chosen.update(found)
    return tuple(path for path in paths if path in chosen or not names)


def _no_such_key(name: str) -> UsageError:
    from ndfd.config.suggest import NO_SUCH_KEY, nearest_group, nearest_key, wrong_path

    message, meant = wrong_path(name)
    if message == NO_SUCH_KEY:
        message = f"there is no key or group {name!r}"
        meant = meant if "." in name else (nearest_group(name) or nearest_key(name))
        meant = meant or nearest_group(name)
    return UsageError(
        message if meant is None else f"{message}; did you mean {meant}?", hint="`ndfd config reference` lists them"
    )


def _not_declared(name: str, paths: Iterable[str]) -> UsageError:
    from ndfd.config.keys import tables_of

    tables = ", ".join(f"[{table}]" for table in sorted(tables_of(paths))) or "none"
    return UsageError(
        f"nothing called {name} is declared", hint=f"tables with names of their own that are declared: {tables}"
    )
