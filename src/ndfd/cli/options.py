"""Options and types of options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ndfd.config.precedence import numbered
from ndfd.config.quantities import parse_duration
from ndfd.errors import InputError, UsageError

if TYPE_CHECKING:
    from ndfd.config.context import Context

T = TypeVar("T")


class _Duration(click.ParamType[float]):
    """Seconds, written as in 90, 90s or 2m30s."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, more than 0."""
        try:
            seconds = parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if seconds <= 0:
            self.fail(f"{value!r} is no time at all", param, ctx)
        return seconds


DURATION = _Duration()

socket_option = click.option(
    "--socket",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The daemon's Varlink socket, instead of NDFD_SOCKET or the usual places.",
)


def password_in(file: Path) -> str:
    """The password that a --password-file holds: its first line, without the line's ending."""
    try:
        line = file.read_bytes().split(b"\n", 1)[0].removesuffix(b"\r")
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from error
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{file}: the password is not UTF-8", hint="save the password file in UTF-8") from None


@dataclass(frozen=True, slots=True)
class Sources:
    """What a command line says of where the configuration comes from."""

    flags: tuple[str, ...]
    config_dir: Path | None
    service: bool | None

    def context(self) -> Context:
        """The sources of this process, with what the command line says of them."""
        # The platform, 20 ms, which help and completion do not need.
        from ndfd.config.context import Context

        return Context.of_process(flags=self.flags, service=self.service, system_dir=self.config_dir)

    def refuse_beside(self, other: str) -> None:
        """`UsageError` if the command line says anything of them, which would have no effect beside `other`."""
        if self != Sources((), None, None):
            raise UsageError(f"--set, --config-dir and --service have no effect with {other}: leave them out")


_SOURCES = (
    click.option(
        "--set", "flags", multiple=True, metavar="KEY=VALUE", help="Set a key, as swarm.workers=4. Repeatable."
    ),
    click.option(
        "--config-dir",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        metavar="DIR",
        help="The machine's folder, instead of NDFD_CONFIG_DIR or /etc/ndfd.",
    ),
    click.option(
        "--service/--no-service",
        default=None,
        help="As the system's service: without the user's file and ./ndfd.toml  [default: found out]",
    ),
)


def sources_options(command: Callable[..., T]) -> Callable[..., T]:
    """Gives the command the options of `Sources`, which it gets as `sources`."""

    @functools.wraps(command)
    def with_sources(
        *arguments: Any, flags: tuple[str, ...], config_dir: Path | None, service: bool | None, **options: Any
    ) -> T:
        return command(*arguments, sources=Sources(flags, config_dir, service), **options)

    for option in reversed(_SOURCES):
        option(with_sources)
    return with_sources


#: The end of a command's help.
LAYERS_HELP = "\b\nA key that is set in more than one place has the value of the last of these:\n" + "\n".join(
    f" {line}" for line in numbered()
)
