"""The measures of confinement that a worker takes, by the names that operators and reports use."""

from __future__ import annotations

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
