"""What a machine, and the limits around one process, give a daemon."""

from __future__ import annotations

import msgspec


class Host(msgspec.Struct, frozen=True):
    """As far as the system says; None where it says nothing."""

    #: "Linux 6.12.3 on x86_64".
    system: str
    #: CPUs' worth of time, and bytes of memory: the machine's, or less where a control group allows less.
    cpus: int
    memory_bytes: int
    #: Descriptors that one process may have now, and that it may ask for; None: without limit.
    descriptors: int | None
    descriptors_max: int | None
    #: Processes and threads that this user may have, and has; None: without limit, and not counted.
    processes: int | None
    processes_used: int | None
    #: Whether a user without rights can make a namespace of users.
    user_namespaces: bool | None
    #: Whether the clock is kept right by another one.
    clock_synchronized: bool | None
