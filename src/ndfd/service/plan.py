"""What a verb does, as steps that can be shown, done and undone."""

from __future__ import annotations

import enum
import shlex
from dataclasses import dataclass, field
from pathlib import Path


class Standing(enum.StrEnum):
    """How a file of the service stands to what this ndfd would write."""

    #: It is the same.
    CURRENT = "current"
    #: Another version of ndfd wrote it, or this one for another command, and nobody has changed it since.
    OLDER = "older"
    #: ndfd wrote it, and somebody has changed it since.
    CHANGED = "changed"
    #: ndfd did not write it.
    FOREIGN = "foreign"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Puts a file at a path in one durable step, and makes the folders above it."""

    path: Path
    data: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """Removes a file; one that is gone already is let be."""

    path: Path


@dataclass(frozen=True, slots=True)
class MakeFolder:
    """Makes a folder, or gives the one that is there these permission bits and this owner."""

    path: Path
    mode: int
    #: Names of a user and a group; None: this process's own.
    owner: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RemoveFolder:
    """Removes a folder with all that is in it. It cannot be undone."""

    path: Path


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Runs a program and waits for its end."""

    command: tuple[str, ...]
    #: What undoes it; None: nothing has to.
    undo: tuple[str, ...] | None = None
    #: Nor is it undone when one of these is there by then: they would be nobody's.
    unless: tuple[Path, ...] = ()
    #: Exit statuses with which all is well.
    fine: frozenset[int] = frozenset({0})
    #: It starts the service: when it fails, the service's own words say why.
    starts: bool = False
    #: Folders that it makes. Those that were not there before are removed again when it is undone: those below /run
    #: with all that is in them, others if they are empty.
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class WhenUndone:
    """Does nothing; a command that runs when all steps after this one have been undone."""

    command: tuple[str, ...]
    #: Exit statuses with which all is well.
    fine: frozenset[int] = frozenset({0})


@dataclass(frozen=True, slots=True)
class Same:
    """What there is nothing to do about."""

    what: str


Step = WriteFile | RemoveFile | MakeFolder | RemoveFolder | RunCommand | WhenUndone | Same


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a verb, in order."""

    steps: tuple[Step, ...]
    #: What the operator should know when it is done.
    notes: tuple[str, ...] = field(default=())

    def changes(self) -> bool:
        """Whether there is anything to do."""
        return any(not isinstance(step, Same | WhenUndone) for step in self.steps)


def words(step: Step) -> tuple[str, str] | None:
    """What a step does and to what, as it is shown: ("write", "/etc/…"); None for one that does nothing."""
    match step:
        case WriteFile():
            return "write", str(step.path)
        case RemoveFile() | RemoveFolder():
            return "remove", str(step.path)
        case MakeFolder():
            owner = "" if step.owner is None else f", owner {step.owner[0]}:{step.owner[1]}"
            return "folder", f"{step.path} (mode {step.mode:04o}{owner})"
        case RunCommand():
            return "run", shlex.join(step.command)
        case Same():
            return "same", step.what
        case WhenUndone():
            return None
