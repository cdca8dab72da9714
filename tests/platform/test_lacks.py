"""A system that lacks something says so by name."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.errors import NotSupported
from ndfd.platform import base_resuming
from ndfd.platform.base import Platform, WorkerLimits
from ndfd.platform.darwin import Darwin
from ndfd.platform.windows import Windows

_CLOSED = socket.socket()
_CLOSED.close()

LACKED: list[Callable[[Platform], object]] = [
    lambda system: system.channel_pair(1, 1),
    lambda system: system.seal(0),
    lambda system: system.pidfd(1),
    lambda system: system.kill(0),
    lambda system: system.reap(0),
    lambda system: system.measure_confinement(WorkerLimits(1)),
    lambda system: system.forget_environment(),
    lambda system: system.allowed_cpus(),
    lambda system: system.run_on_cpus(frozenset({0})),
    lambda system: system.add_nice(1),
]


@pytest.mark.parametrize("system", [Platform(), Darwin(), Windows()], ids=lambda system: system.name)
@pytest.mark.parametrize("call", LACKED)
def test_what_a_system_lacks_is_refused_by_name(system: Platform, call: Callable[[Platform], object]) -> None:
    with pytest.raises(NotSupported, match=system.name):
        call(system)


def test_windows_has_no_folder_of_sockets(tmp_path: Path) -> None:
    with pytest.raises(NotSupported, match="Windows"):
        Windows().listen(tmp_path / "ndfd.sock", mode=0o600)


def test_only_linux_remembers_what_a_killed_process_did_with_a_connection() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(NotSupported):
            base_resuming.Resuming().prepare_peeking(ours)
        with pytest.raises(NotSupported):
            base_resuming.Resuming().peeked_bytes(ours)
    assert not base_resuming.NotedSender(memoryview(b"")).takes(1)


def test_without_memfds_a_file_without_a_name_serves_but_is_not_sealed() -> None:
    fd = Platform().memfd("document")
    os.write(fd, b"content")
    assert os.pread(fd, 100, 0) == b"content"
    assert os.fstat(fd).st_nlink == 0
    assert not Platform().is_sealed(fd)
    os.close(fd)


def test_the_module_offers_every_call_that_is_promised() -> None:
    promised = {name for name in vars(Platform) if not name.startswith("_") and name != "name"}
    # Four parts that promise what they do in classes of their own.
    parts = {"files", "process", "resuming", "storage"}
    assert promised | parts == {name for name in platform.__all__ if name.islower()}
