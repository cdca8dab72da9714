"""What confines workers, judged by the supervisor: whether it may be so little, and whether each of them has it."""

from __future__ import annotations

from collections.abc import Collection

from ndfd import platform
from ndfd.errors import SandboxIncomplete, WorkerStartFailed
from ndfd.model.measures import not_allowed, ordered
from ndfd.model.sandbox import Confinement, Sandbox


def require(sandbox: Sandbox, allow: Collection[str]) -> None:
    """`SandboxIncomplete` when measures are missing beyond those that may be."""
    refused = not_allowed(sandbox.missing, allow)
    if not refused:
        return
    # What is allowed already stays allowed: the value is one to copy.
    named = ordered((*sandbox.missing, *allow))
    literal = ", ".join(f'"{name}"' for name in named)
    raise SandboxIncomplete(
        f"this host cannot confine workers (missing: {', '.join(refused)})",
        hint=f"see `ndfd doctor`; to do without: [sandbox] allow = [{literal}], "
        f"or NDFD_SANDBOX__ALLOW={','.join(named)}",
    )


def verified(pid: int, status_fd: int | None, sandbox: Sandbox) -> Confinement:
    """That of one worker, by the kernel's word where it can be had; `WorkerStartFailed` when it has less than others.

    To be asked before the worker has seen any document. Confinement is never taken off again, so that the word then
    holds for as long as the process lives; asked later, a process that a document took over in time to confine itself
    in a way of its own would pass.
    """
    seen = None if status_fd is None else platform.seen_confinement(status_fd)
    if seen is None:
        if "proc" not in sandbox.missing:
            raise WorkerStartFailed(f"the kernel says nothing of process {pid}, which is to be a worker")
        return sandbox.confinement()
    if lacking := sandbox.lacking(seen):
        raise WorkerStartFailed(f"a worker is less confined than was measured: {', '.join(lacking)} not in force")
    return sandbox.confinement(verified=True)
