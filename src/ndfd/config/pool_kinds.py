"""The kinds of values that only pools of workers have."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from ndfd.config.kind import Kind, WrongWord, literal, one_of, shown
from ndfd.model.pools import DEFAULT_POOL, POOL_NAME, ROLES_TO_COME


@dataclass(frozen=True)
class Member(Kind):
    """One of an enumeration."""

    of: type[enum.StrEnum]

    def parse(self, raw: Any) -> enum.StrEnum:
        """From its word."""
        return self.of(one_of(raw, tuple(self.of)))

    def range(self) -> str:
        """All words."""
        *words, last = map(literal, self.of)
        return f"{', '.join(words)} or {last}" if words else last


class RoleName(Member):
    """What the workers of a pool do."""

    def parse(self, raw: Any) -> enum.StrEnum:
        """A role that is there; one that is to come is told from a slip."""
        if raw in ROLES_TO_COME:
            raise ValueError(f"the role {raw!r} is not built into this version: write {self.accepts()}")
        return super().parse(raw)


class PoolName(Kind):
    """The name of a pool, which its operator chooses."""

    def parse(self, raw: Any) -> str:
        """From a string of the form that all names have."""
        if raw == DEFAULT_POOL:
            raise ValueError(f"the pool {DEFAULT_POOL!r} is described by the keys of [swarm] itself")
        if isinstance(raw, str) and POOL_NAME.fullmatch(raw):
            return raw
        message = f"{shown(raw)} is not the name of a pool: write {self.accepts()}"
        folded = raw.strip().lower().replace("_", "-") if isinstance(raw, str) else ""
        raise WrongWord(message, folded if POOL_NAME.fullmatch(folded) else None)

    def range(self) -> str:
        """In words."""
        return "a letter from a to z, then at most 31 of a to z, 0 to 9 and -"
