"""How a daemon is asked to stop."""

from __future__ import annotations

import asyncio
import os
import signal

from ndfd.daemon.stopping import StopRequest, Urgency


class Recorder:
    """Counts the calls of `on_now`."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


async def signalled(*numbers: signal.Signals) -> tuple[Urgency, int]:
    """What a stop request holds after these signals, and how often it called for an end on the spot."""
    now = Recorder()
    stop = StopRequest(now)
    loop = asyncio.get_running_loop()
    stop.listen(loop)
    try:
        for number in numbers:
            before = stop.urgency
            os.kill(os.getpid(), number)
            async with asyncio.timeout(10):
                await stop.wait(Urgency(before + 1))
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        loop.remove_signal_handler(signal.SIGINT)
    return stop.urgency, now.calls


def test_sigterm_drains() -> None:
    assert asyncio.run(signalled(signal.SIGTERM)) == (Urgency.DRAIN, 0)


def test_sigint_stops_fast_also_a_daemon_that_drains() -> None:
    assert asyncio.run(signalled(signal.SIGINT)) == (Urgency.FAST, 0)
    assert asyncio.run(signalled(signal.SIGTERM, signal.SIGINT)) == (Urgency.FAST, 0)


def test_a_second_sigint_stops_on_the_spot() -> None:
    assert asyncio.run(signalled(signal.SIGINT, signal.SIGINT)) == (Urgency.NOW, 1)


def test_less_haste_than_was_asked_before_changes_nothing() -> None:
    async def scenario() -> Urgency:
        stop = StopRequest(Recorder())
        stop.ask(Urgency.FAST, "test")
        stop.ask(Urgency.DRAIN, "test")
        return stop.urgency

    assert asyncio.run(scenario()) is Urgency.FAST
