"""How the kernel treats the memory of this process: whom it ends first, huge pages, locked pages, the memory's node."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import resource
from pathlib import Path

from ndfd.platform import linux_syscalls
from ndfd.platform.linux_sandbox import prctl

# include/uapi/linux/prctl.h
_PR_SET_THP_DISABLE, _PR_GET_THP_DISABLE = 41, 42
# include/uapi/asm-generic/mman.h
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
# include/uapi/linux/mempolicy.h
_MPOL_DEFAULT, _MPOL_PREFERRED = 0, 1
#: Nodes that a mask has room for: as many as any kernel is built for (CONFIG_NODES_SHIFT of 10).
_NODES_MAX = 1024
_WORD_BITS = 64

_libc = ctypes.CDLL(None, use_errno=True)


def oom_score() -> str:
    """proc(5), oom_score_adj: thousandths of the machine's memory that are added to what the process takes."""
    return Path("/proc/self/oom_score_adj").read_text().strip()


def set_oom_score(text: str) -> None:
    """Anyone may raise it. Inherited over fork and exec."""
    Path("/proc/self/oom_score_adj").write_text(text)


def huge_pages() -> str:
    """ "allowed", as the machine says; or "disabled"."""
    return "disabled" if prctl(_PR_GET_THP_DISABLE) else "allowed"


def set_huge_pages(text: str) -> None:
    """PR_SET_THP_DISABLE, inherited over fork and exec. What is a huge page already stays one."""
    prctl(_PR_SET_THP_DISABLE, int(text == "disabled"))


def huge_page_mode(root: Path = Path("/")) -> str | None:
    """ "always", "madvise" or "never"; None on a kernel without them."""
    try:
        # "always [madvise] never"
        text = (root / "sys/kernel/mm/transparent_hugepage/enabled").read_text()
    except OSError:
        return None
    match = re.search(r"\[(\w+)\]", text)
    return None if match is None else match[1]


def locked() -> str:
    """ "locked" or "unlocked": whether any memory of this process stays in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    said = next(line for line in lines if line.startswith("VmLck:"))
    return "locked" if int(said.split()[1]) else "unlocked"


def set_locked(text: str) -> None:
    """mlockall(2), of pages when they are first used. Not inherited by other processes.

    What is mapped later is locked only where no limit counts it: beyond RLIMIT_MEMLOCK mmap(2) itself would fail.
    """
    if text == "unlocked":
        _checked("munlockall", _libc.munlockall())
        return
    boundless = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
    flags = _MCL_CURRENT | _MCL_ONFAULT | (_MCL_FUTURE if boundless else 0)
    _checked("mlockall", _libc.mlockall(flags))


def memory_policy() -> str:
    """ "default": memory comes from the node of the CPU that first uses it; "prefer N"; or the policy's number."""
    mode, mask = ctypes.c_int(), (ctypes.c_ulong * (_NODES_MAX // _WORD_BITS))()
    # The kernel takes one from the size of the mask.
    _call("get_mempolicy", ctypes.byref(mode), mask, ctypes.c_ulong(_NODES_MAX), None, ctypes.c_ulong(0))
    if mode.value == _MPOL_DEFAULT:
        return "default"
    nodes = [
        word * _WORD_BITS + bit for word, bits in enumerate(mask) for bit in range(_WORD_BITS) if int(bits) >> bit & 1
    ]
    if mode.value == _MPOL_PREFERRED and len(nodes) == 1:
        return f"prefer {nodes[0]}"
    return f"policy {mode.value}"


def set_memory_policy(text: str) -> None:
    """set_mempolicy(2), inherited over fork and exec. A node that is full is passed over: nothing fails for it."""
    if text == "default":
        _call("set_mempolicy", ctypes.c_int(_MPOL_DEFAULT), None, ctypes.c_ulong(0))
        return
    node = int(text.removeprefix("prefer "))
    mask = (ctypes.c_ulong * (_NODES_MAX // _WORD_BITS))()
    mask[node // _WORD_BITS] = 1 << node % _WORD_BITS
    _call("set_mempolicy", ctypes.c_int(_MPOL_PREFERRED), mask, ctypes.c_ulong(_NODES_MAX))


def _call(name: str, *arguments: object) -> None:
    machine = linux_syscalls.this_machine()
    if machine is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    _checked(name, _libc.syscall(ctypes.c_long(machine.numbers[name]), *arguments))


def _checked(name: str, result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
