"""The commands of a group, each imported when somebody asks for it: `ndfd health` does not load `ndfd convert`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module

import click


class LazyCommands(MutableMapping[str, click.Command]):
    """By name. To list the names imports nothing; to look at a command, as the help of its group does, imports it.

    Whatever freezes the program does not see these imports, and has to be told of all modules of `ndfd.cli`.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        """`places` says where each command is: "module", or "module:attribute" where that is not its name."""
        self._commands: dict[str, click.Command | str] = dict(places)

    def __getitem__(self, name: str) -> click.Command:
        found = self._commands[name]
        if isinstance(found, str):
            module, _, attribute = found.partition(":")
            command: click.Command = getattr(import_module(module), attribute or name)
            self._commands[name] = found = command
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._commands[name] = command

    def __delitem__(self, name: str) -> None:
        del self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)
