"""Every key of the configuration, once: its type, its unit, its default and the reason of the default.

The variable of a key is `NDFD_GROUP__KEY`: `[swarm] worker_memory` is `NDFD_SWARM__WORKER_MEMORY`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ndfd.config.quantities import parse_duration, parse_size

ENVIRONMENT_PREFIX = "NDFD_"
NESTED_DELIMITER = "__"


def _size(value: Any) -> Any:
    return parse_size(value) if isinstance(value, str) else value


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _socket_mode(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return int(value, 8)
    except ValueError:
        raise ValueError(f"{value!r} is not a file mode: write it in octal, as in 0660") from None


def _paths(value: Any) -> Any:
    return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value


#: A number of bytes; strings are read by `parse_size`.
Size = Annotated[int, BeforeValidator(_size)]
#: A number of seconds; strings are read by `parse_duration`.
Duration = Annotated[float, BeforeValidator(_duration)]
#: Permission bits; strings are read as octal.
SocketMode = Annotated[int, BeforeValidator(_socket_mode), Field(ge=0, le=0o777)]
#: Folders; strings are split like PATH.
Folders = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_paths)]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SwarmSettings(_Group):
    """The worker processes and the queue before them."""

    #: Worker processes; "auto" is one for each core the daemon may use, since a conversion keeps one core busy.
    workers: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = "auto"
    #: Address space of one worker, in bytes. 4 GB holds the largest document that is taken twice, and stops a bomb
    #: before it drives the machine into swap.
    worker_memory: Annotated[Size, Field(ge=256 * 1000**2)] = 4 * 1000**3
    #: Conversions after which a worker is replaced: often enough that what a parser leaks stays small, seldom enough
    #: that the fork (a few milliseconds) does not show.
    jobs_per_worker: Annotated[int, Field(ge=1)] = 500
    #: Conversions that may wait for a worker, of all users together; one more is told to try again. Each waiting one
    #: holds an open descriptor and a connection, and the usual limit of open files is 1024.
    max_queue: Annotated[int, Field(ge=0)] = 256
    #: Conversions that one user may have waiting or running, so that no user can fill the queue alone.
    max_per_user: Annotated[int, Field(ge=1)] = 128


class NetworkSettings(_Group):
    """Where programs reach the daemon."""

    #: Folder of the daemon's sockets and lock; None for the usual one (`ndfd.config.places`): /run/ndfd for root, the
    #: user's runtime folder otherwise.
    socket_dir: Path | None = None
    #: Permission bits of the sockets. The default lets the daemon's user and group in; who may call what is decided
    #: by the peer's identity, not by these bits.
    socket_mode: SocketMode = 0o660


class DocumentSettings(_Group):
    """What one document may be and take."""

    #: Bytes of one document: the engine addresses documents with 32 bits, of which the sign is not usable.
    max_size: Annotated[Size, Field(ge=1, le=2**31 - 1)] = 2 * 1000**3
    #: Seconds for a conversion whose caller named no deadline: a manual of 5,000 pages takes about a minute.
    default_deadline: Annotated[Duration, Field(gt=0)] = 300.0
    #: Seconds that a caller may ask for at most.
    max_deadline: Annotated[Duration, Field(gt=0)] = 3600.0
    #: Folders with fonts for Chinese, Japanese and Korean text whose font is not embedded; empty: the usual folders of
    #: the system are searched.
    fallback_font_dirs: Folders = ()

    @model_validator(mode="after")
    def _default_within_maximum(self) -> DocumentSettings:
        if self.default_deadline > self.max_deadline:
            raise ValueError(
                f"default_deadline ({self.default_deadline:g} s) is above max_deadline ({self.max_deadline:g} s)"
            )
        return self


class LoggingSettings(_Group):
    """The daemon's log, which goes to stderr."""

    #: The least serious event that is written.
    level: Literal["debug", "info", "warning", "error"] = "info"
    #: "console" is for people, "json" one object a line for programs; "auto" is console on a terminal, json elsewhere.
    format: Literal["auto", "console", "json"] = "auto"


class Settings(BaseSettings):
    """All groups. Handed out group by group: nothing but the composition root holds this object."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter=NESTED_DELIMITER, frozen=True, extra="forbid"
    )

    swarm: SwarmSettings = SwarmSettings()
    network: NetworkSettings = NetworkSettings()
    document: DocumentSettings = DocumentSettings()
    logging: LoggingSettings = LoggingSettings()

    def in_socket_dir(self, folder: Path) -> Settings:
        """The same settings with the sockets in another folder, which a private daemon's owner has made for it."""
        return self.model_copy(update={"network": self.network.model_copy(update={"socket_dir": folder})})
