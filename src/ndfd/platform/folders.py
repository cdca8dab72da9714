"""Pairs of default folders: the machine's and the user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SocketDirs:
    """Where a daemon's sockets lie when nobody says otherwise."""

    #: Of the one system service.
    system: Path
    #: Of a daemon that a user runs.
    user: Path


@dataclass(frozen=True, slots=True)
class ConfigDirs:
    """Where the configuration lies when nobody says otherwise."""

    #: Of the machine.
    system: Path
    #: Of the user; None for one without a home.
    user: Path | None


@dataclass(frozen=True, slots=True)
class StateDirs:
    """Where jobs are kept when nobody says otherwise."""

    #: Of the machine's service.
    system: Path
    #: Of the user; None for one without a home.
    user: Path | None
