"""What confines a worker, as it was measured."""

from __future__ import annotations

import msgspec


class Sandbox(msgspec.Struct, frozen=True, omit_defaults=True):
    """The confinement of every worker of one zygote. A worker in which less is in force than this ends itself."""

    #: Whether a program that it executes could gain rights.
    no_new_privs: bool = False
    #: Whether others of its user may trace it and read its memory.
    dumpable: bool = True
    #: The kernel's word for the filter of system calls: 0 none, 2 a filter.
    seccomp: int = 0
    #: How many filters are in force: ours, and those of a container around it.
    seccomp_filters: int = 0
    #: Version of the interface by which the file system, TCP, sockets and signals are closed to it; 0: not at all.
    landlock_abi: int = 0
    #: Whether the kernel refuses memory that is, or once was, writable and shall be executed.
    mdwe: bool = False
    #: Effective capabilities as the kernel's bit mask.
    capabilities: int = 0
    #: Resource limits by name: "address_space_bytes", "file_bytes", "core_bytes", "descriptors", "processes".
    rlimits: dict[str, int] = {}
    #: What was really tried in confined processes and was stopped, as "NAME: how".
    denied: tuple[str, ...] = ()
    #: Measures that this host lacks, and attempts that were not stopped, by name; empty when nothing is missing.
    missing: tuple[str, ...] = ()
