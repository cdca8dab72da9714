"""The daemons of the benchmark: real ones, with a store, whose workers can be stopped and set going."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil

from ndfd.client import Client
from ndfd.model.status import WorkerState
from tests.daemon.configured import Configured, running

#: No job is refused, none is forgotten, and a worker that is stopped is not taken for one that hangs.
_CONFIG = """
[logging]
level = "warning"
[swarm]
workers = 2
[document]
default_deadline = "1h"
[jobs]
max_queued = 10000000
max_queued_per_user = 10000000
[storage]
keep_free = "0B"
keep_count = "unlimited"
"""


@contextlib.contextmanager
def daemon(root: Path) -> Iterator[Configured]:
    """With its store in this folder, for the length of the block."""
    root.mkdir(exist_ok=True)
    with running(root, _CONFIG) as started:
        yield started


def socket(started: Configured) -> Path:
    """Of its Varlink door."""
    return started.sockets / "ndfd.sock"


def rss_bytes(started: Configured) -> int:
    """Memory of the daemon's process alone."""
    return psutil.Process(started.process.pid).memory_info().rss


def stop_workers(started: Configured) -> None:
    """None of them runs until `continue_workers`: what they have is theirs, and no other job begins."""
    _signal(started, signal.SIGSTOP)


def continue_workers(started: Configured) -> None:
    """They go on where they were."""
    _signal(started, signal.SIGCONT)


def _signal(started: Configured, number: signal.Signals) -> None:
    with started.client() as client:
        for worker in _workers(client):
            os.kill(worker, number)


def _workers(client: Client) -> list[int]:
    """All that there are to be."""
    while True:
        pids = [each.pid for each in client.status().workers if each.state in (WorkerState.IDLE, WorkerState.BUSY)]
        if len(pids) == 2:
            return pids
