"""Landlock: a process closes the file system, TCP, others' sockets and signals to itself (landlock(7)).

No rule is ever added: what is handled and not allowed is denied, and nothing is allowed.
"""

from __future__ import annotations

import ctypes
import os
import struct

from ndfd.platform.linux_syscalls import Machine

_CREATE_RULESET_VERSION = 1

#: LANDLOCK_ACCESS_FS_… by the first version that knows them: 13 rights, then REFER, TRUNCATE, IOCTL_DEV.
_FS_BITS = {1: 13, 2: 14, 3: 15, 5: 16}
#: LANDLOCK_ACCESS_NET_BIND_TCP and …_CONNECT_TCP.
_NET, TCP_SINCE = 0b11, 4
#: LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and …_SIGNAL.
_SCOPES, SCOPES_SINCE = 0b11, 6

#: struct landlock_ruleset_attr: handled_access_fs, and since version 4 handled_access_net, since 6 scoped.
_ATTRIBUTES = struct.Struct("QQQ")

_libc = ctypes.CDLL(None, use_errno=True)


def abi(machine: Machine) -> int:
    """The version of the interface that the kernel has; 0 where it has none, or it is switched off."""
    number = machine.numbers["landlock_create_ruleset"]
    return max(0, int(_libc.syscall(ctypes.c_long(number), None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION)))


def attributes(version: int) -> bytes:
    """The struct landlock_ruleset_attr that handles everything a kernel with this version knows."""
    bits = max(bits for since, bits in _FS_BITS.items() if since <= version)
    # A kernel refuses a longer one than it knows unless the rest is zero, and so it is: all of it may always be given.
    return _ATTRIBUTES.pack(
        (1 << bits) - 1, _NET if version >= TCP_SINCE else 0, _SCOPES if version >= SCOPES_SINCE else 0
    )


def restrict(version: int, machine: Machine) -> None:
    """Denies this process, and all its children, whatever this version can deny, for good. no_new_privs comes first."""
    given = attributes(version)
    ruleset = _call(machine, "landlock_create_ruleset", given, ctypes.c_size_t(len(given)), 0)
    try:
        _call(machine, "landlock_restrict_self", ctypes.c_int(ruleset), 0)
    finally:
        os.close(ruleset)


def _call(machine: Machine, name: str, *arguments: object) -> int:
    result = int(_libc.syscall(ctypes.c_long(machine.numbers[name]), *arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
