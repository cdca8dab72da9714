"""What an outcome means for the command that ends with it, and for the one who reads it."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import MappingProxyType

from ndfd.errors import EX_CANTCREAT, EX_DATAERR, EX_NOPERM, EX_OSERR, EX_TEMPFAIL, EX_UNAVAILABLE
from ndfd.model.tuning import Outcome

_OF_ERRNO: Mapping[int, Outcome] = MappingProxyType(
    {
        errno.EPERM: Outcome.DENIED,
        errno.EACCES: Outcome.DENIED,
        errno.EROFS: Outcome.READ_ONLY,
        errno.ENOENT: Outcome.UNSUPPORTED,
        errno.ENOTDIR: Outcome.UNSUPPORTED,
        errno.ENODEV: Outcome.UNSUPPORTED,
        errno.ENXIO: Outcome.UNSUPPORTED,
        errno.EOPNOTSUPP: Outcome.UNSUPPORTED,
    }
)

#: Exit status of a command with this outcome that was not fine.
EXIT_STATUS: Mapping[Outcome, int] = MappingProxyType(
    {
        Outcome.UNSUPPORTED: EX_UNAVAILABLE,
        Outcome.DENIED: EX_NOPERM,
        Outcome.READ_ONLY: EX_CANTCREAT,
        Outcome.FOREIGN: EX_DATAERR,
        Outcome.DRIFTED: EX_TEMPFAIL,
        Outcome.FAILED: EX_OSERR,
    }
)

#: What to do, where the knob itself does not know better.
HINTS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.UNSUPPORTED: 'this kernel or machine has no such value: set [tuning] {knob} = "keep"',
        Outcome.DENIED: "run it as root, on the host itself: containers and hardened services may not",
        Outcome.READ_ONLY: "its file system is read-only here, as in containers and hardened services: run it outside",
        Outcome.FOREIGN: (
            "see who sets it (sysctl.d, tuned, another service); `ndfd tune revert --forget --only {knob}` leaves it so"
        ),
        Outcome.DRIFTED: "`ndfd tune apply` writes it again; if it does not last, something else holds or sets it",
        Outcome.FAILED: 'the kernel\'s log (dmesg) may say why; set another value, or [tuning] {knob} = "keep"',
    }
)


def of_error(error: OSError) -> Outcome:
    """What the system's refusal comes to."""
    return _OF_ERRNO.get(error.errno or 0, Outcome.FAILED)


def exit_status(outcome: Outcome | None) -> int:
    """Of the gravest outcome; 0 for none."""
    return 0 if outcome is None else EXIT_STATUS[outcome]
