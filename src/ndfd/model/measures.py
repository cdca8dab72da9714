"""The measures of confinement that a worker takes, by the names that operators and reports use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

#: In the order of the reference. A host that lacks one is refused unless `[sandbox] allow` names it.
MEASURES: tuple[str, ...] = (
    # No program that it executes can gain rights.
    "no_new_privs",
    # Nobody of its user may trace it or read its memory.
    "dumpable",
    "rlimits",
    "capabilities",
    # Memory that was ever writable is never executed (PR_SET_MDWE, Linux 6.3).
    "mdwe",
    # No path of the file system.
    "landlock",
    # No TCP (Landlock ABI 4, Linux 6.7).
    "landlock-tcp",
    # No signal and no abstract socket outside (Landlock ABI 6, Linux 6.12).
    "landlock-scopes",
    "seccomp",
    # Not a measure, but what it is measured by.
    "proc",
)

#: Measures that are a part of another one.
PART_OF: Mapping[str, str] = MappingProxyType({"landlock-tcp": "landlock", "landlock-scopes": "landlock"})


def not_allowed(missing: Iterable[str], allow: Collection[str]) -> tuple[str, ...]:
    """The missing measures that nobody allowed to be missing. Who does without Landlock does without its parts."""
    return tuple(name for name in missing if name not in allow and PART_OF.get(name) not in allow)


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """In the order of `MEASURES`, each once."""
    return tuple(sorted(set(names), key=MEASURES.index))
