"""What confines a worker: as it was measured, as the kernel tells it of one process, and in short."""

from __future__ import annotations

import msgspec

#: What `Seen.seccomp` is when a filter of system calls is in force (proc(5)).
SECCOMP_FILTER = 2


class Confinement(msgspec.Struct, frozen=True, omit_defaults=True):
    """What confined the worker that made a result, in short.

    In a conversion's report it is the daemon's own word. In a document's provenance it is that of the worker, like
    the rest of the record: whoever does not trust the document trusts the report.
    """

    #: System calls that it could make; 0: they were not filtered.
    calls: int
    #: Version of the kernel's interface that closes files, TCP, sockets and signals to it; 0: nothing closed them.
    landlock_abi: int
    #: Attempts at what must be denied that were really made in processes confined like it, and were stopped.
    denied: int
    #: Measures that it lacked, by name; empty when nothing was missing.
    missing: tuple[str, ...] = ()
    #: Whether the kernel's word on this very process was read from outside before it had seen any document.
    verified: bool = False


class Seen(msgspec.Struct, frozen=True):
    """What the kernel tells others of a process."""

    no_new_privs: bool
    #: 0 none, 2 a filter.
    seccomp: int
    #: None on a kernel that does not count them (before Linux 5.9).
    seccomp_filters: int | None
    #: Effective capabilities as a bit mask.
    capabilities: int


class Sandbox(msgspec.Struct, frozen=True, omit_defaults=True):
    """The confinement of every worker of one zygote. A worker in which less is in force than this ends itself."""

    #: Whether a program that it executes could gain rights.
    no_new_privs: bool = False
    #: Whether others of its user may trace it and read its memory.
    dumpable: bool = True
    #: The kernel's word for the filter of system calls: 0 none, 2 a filter; None: it could not be asked.
    seccomp: int | None = None
    #: How many filters are in force: ours, and those of a container around it; None: not known.
    seccomp_filters: int | None = None
    #: System calls that our filter lets through, whole or in part; 0 without it.
    calls: int = 0
    #: Version of the interface by which the file system, TCP, sockets and signals are closed to it; 0: not at all.
    landlock_abi: int = 0
    #: Whether the kernel refuses memory that is, or once was, writable and shall be executed.
    mdwe: bool = False
    #: Effective capabilities as the kernel's bit mask.
    capabilities: int = 0
    #: Resource limits by name: "address_space_bytes", "file_bytes", "core_bytes", "descriptors", "processes".
    rlimits: dict[str, int] = {}
    #: The namespaces of its own that it shares with the other workers of its zygote: an extra, where they cost nothing.
    namespaces: tuple[str, ...] = ()
    #: What was really tried in confined processes and was stopped, as "NAME: how".
    denied: tuple[str, ...] = ()
    #: What was tried and was not stopped, as "NAME", or "NAME: the error that was not the confinement's".
    passed: tuple[str, ...] = ()
    #: Measures that are not in force, or not in effect, by name (`ndfd.model.measures`); empty: nothing is missing.
    missing: tuple[str, ...] = ()

    def lacking(self, seen: Seen) -> tuple[str, ...]:
        """The measures in which a worker has less than this, by the kernel's word on it."""
        filters, counted = self.seccomp_filters, seen.seccomp_filters
        fewer = filters is not None and counted is not None and counted < filters
        return (
            *(("no_new_privs",) if self.no_new_privs and not seen.no_new_privs else ()),
            *(("capabilities",) if seen.capabilities & ~self.capabilities else ()),
            *(("seccomp",) if self.seccomp is not None and (seen.seccomp != self.seccomp or fewer) else ()),
        )

    def confinement(self, *, verified: bool = False) -> Confinement:
        """In short, as it stands on the results of its workers."""
        return Confinement(self.calls, self.landlock_abi, len(self.denied), self.missing, verified)
