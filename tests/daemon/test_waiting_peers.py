"""Whoever waits at the manager's sockets for a daemon that will not come is told so by a closed connection."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest

from ndfd.daemon.waiting_peers import FINAL_STATUSES, WaitingPeers
from ndfd.errors import ConfigError, NdfdError, StoreError
from ndfd.platform import PassedDescriptor
from tests.systemd_bed import UNITS


def waiting(path: Path) -> tuple[socket.socket, socket.socket]:
    """A listening socket and a peer that nobody has accepted."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.connect(str(path))
    return listener, peer


@pytest.mark.parametrize(
    ("error", "cut_off"), [(ConfigError("wrong"), True), (StoreError("the disk is full"), False), (None, False)]
)
def test_only_after_an_end_that_nobody_tries_again_are_they_cut_off(
    tmp_path: Path, error: NdfdError | None, cut_off: bool
) -> None:
    listener, peer = waiting(tmp_path / "sock")
    other = os.open(tmp_path, os.O_RDONLY)
    passed = (PassedDescriptor("ndfd", listener.fileno()), PassedDescriptor("other", other))
    with contextlib.suppress(NdfdError), WaitingPeers(passed):
        if error is not None:
            raise error
    peer.setblocking(False)
    if cut_off:
        assert peer.recv(1) == b""
    else:
        with pytest.raises(BlockingIOError):
            peer.recv(1)
    # What was handed over is whoever's it was.
    os.fstat(listener.fileno())
    os.close(other)
    for sock in (listener, peer):
        sock.close()


def test_the_units_start_no_daemon_again_after_just_those_ends() -> None:
    services = [path for path in UNITS.rglob("ndfd*.service") if path.name != "ndfd-tune.service"]
    assert len(services) == 3
    for service in services:
        (line,) = [line for line in service.read_text().splitlines() if line.startswith("RestartPreventExitStatus=")]
        assert line.partition("=")[2].split() == [str(status) for status in FINAL_STATUSES]
