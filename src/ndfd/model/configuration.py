"""The configuration as it is told: which value holds, where it comes from, and what a reload would change.

Values travel as TOML literals (`"4GB"`, `3`, `["/a", "/b"]`), so that what is shown can be pasted into a file. A secret
travels as `SECRET`, never as its value.
"""

from __future__ import annotations

import enum

import msgspec

#: Stands for the value of a secret, wherever one would be shown.
SECRET = '"(secret)"'  # noqa: S105 - of none


class OriginKind(enum.StrEnum):
    """The kinds of layers, weakest first."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    FLAG = "flag"
    CREDENTIAL = "credential"


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a value was written."""

    kind: OriginKind
    #: Path of the file, name of the variable, the flag as it was given without its value; empty for a default.
    name: str = ""
    #: 1-based line and column of the value, in characters; None where there is no file.
    line: int | None = None
    column: int | None = None
    #: Path of the file that holds the secret itself, where the layer only names that file.
    secret_file: str | None = None

    def __str__(self) -> str:
        if self.kind is OriginKind.DEFAULT:
            return "built-in default"
        place = self.name if self.line is None else f"{self.name}:{self.line}:{self.column}"
        return place if self.secret_file is None else f"{place} ({self.secret_file})"


class Candidate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A value that a layer gives; None: not set."""

    origin: Origin
    value: str | None = None


class Setting(msgspec.Struct, frozen=True, omit_defaults=True):
    """One key and the value that holds."""

    #: "group.key".
    key: str
    origin: Origin
    value: str | None = None
    #: What weaker layers give, the strongest first; the default is the last.
    shadowed: tuple[Candidate, ...] = ()


class Effect(enum.StrEnum):
    """What a reload does with a changed key."""

    #: Holds for every request that begins after the reload.
    AT_ONCE = "at_once"
    #: The same; new workers are started for it, and the old ones end when their conversions have ended.
    NEW_WORKERS = "new_workers"
    #: Nothing: the old value holds until the daemon is restarted.
    RESTART = "restart"
    #: Nothing: the daemon does not use it. It holds for the next `ndfd tune apply`.
    TUNE = "tune"


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key whose value differs between two configurations."""

    key: str
    effect: Effect
    #: Of the new value.
    origin: Origin
    old: str | None = None
    new: str | None = None


class Configuration(msgspec.Struct, frozen=True, omit_defaults=True):
    """The configuration that a daemon runs."""

    #: Counts the configurations that this daemon has run, from 1.
    generation: int
    #: SHA-256 of all values but those of secrets, in hexadecimal: equal for two daemons of equal configuration.
    hash: str
    #: When it came to hold, in seconds since 1970 (UTC).
    loaded_at: float
    settings: tuple[Setting, ...]
    #: The files that were read, weakest first.
    files: tuple[str, ...] = ()
    #: What an operator should mend.
    warnings: tuple[str, ...] = ()


class ReloadReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a reload did, or, when it was only planned, would do."""

    #: The generation that serves now.
    generation: int
    hash: str
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()


class Mistake(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing in a configuration that keeps it from being used."""

    origin: Origin
    #: What is wrong, and what would do.
    message: str
    #: "group.key" as it was written; None where no key is at fault.
    key: str | None = None
    #: What was probably meant.
    suggestion: str | None = None

    def __str__(self) -> str:
        # A flag is called by its key.
        key = "" if self.key is None or self.origin.kind is OriginKind.FLAG else f"{self.key}: "
        suggestion = "" if self.suggestion is None else f"; did you mean {self.suggestion}?"
        return f"{self.origin}: {key}{self.message}{suggestion}"
