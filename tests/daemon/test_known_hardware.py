"""The daemon looks at the machine when it is asked: once for all who ask, and again after a minute."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from ndfd.daemon.known_hardware import KnownHardware
from ndfd.model.hardware import BackendState, Hardware
from ndfd.model.info import Info
from ndfd.platform.base_hardware import unknown_processor
from ndfd.platform.machine import machine_parts
from ndfd.testing import FakeClock
from tests.daemon.conftest import Running, Start
from tests.daemon.test_daemon import get
from tests.platform.test_accelerators import COMPILER, SOURCES


class Looks:
    """Counts looks; each waits until it may end."""

    def __init__(self) -> None:
        self.count = 0
        self.may_end = threading.Event()

    def __call__(self) -> Hardware:
        self.count += 1
        assert self.may_end.wait(30)
        return Hardware(unknown_processor((self.count,)))


def running(scene: Callable[[Looks, KnownHardware, FakeClock], Awaitable[None]]) -> None:
    async def run() -> None:
        looks, clock = Looks(), FakeClock()
        await scene(looks, KnownHardware(looks, clock.time), clock)

    asyncio.run(run())


def test_however_many_ask_at_once_it_looks_once() -> None:
    async def scene(looks: Looks, known: KnownHardware, clock: FakeClock) -> None:
        asked = [asyncio.create_task(known.get()) for _ in range(8)]
        await asyncio.sleep(0)
        looks.may_end.set()
        assert len({id(found) for found in await asyncio.gather(*asked)}) == 1
        await known.get()
        assert looks.count == 1

    running(scene)


def test_after_a_minute_it_looks_again() -> None:
    async def scene(looks: Looks, known: KnownHardware, clock: FakeClock) -> None:
        looks.may_end.set()
        first = await known.get()
        clock.advance(59)
        assert await known.get() is first
        clock.advance(2)
        assert (await known.get()).processor.usable == (2,)

    running(scene)


def test_who_gives_up_spoils_nothing_for_the_others() -> None:
    async def scene(looks: Looks, known: KnownHardware, clock: FakeClock) -> None:
        hasty, patient = asyncio.create_task(known.get()), asyncio.create_task(known.get())
        await asyncio.sleep(0)
        hasty.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hasty
        looks.may_end.set()
        assert (await patient).processor.usable == (1,)
        assert looks.count == 1

    running(scene)


def test_a_real_daemon_tells_of_the_machine_that_it_runs_on(daemon: Running) -> None:
    with daemon.client() as client:
        info = client.hardware()
    assert info.hardware.processor == machine_parts.processor()
    assert {each.backend for each in info.hardware.accelerators} == set(machine_parts.libraries)
    assert info.engine is not None
    body = get(daemon.folder, "/info").partition(b"\r\n\r\n")[2]
    assert msgspec.json.decode(body, type=Info) == info


@pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
def test_a_vendors_library_that_crashes_takes_no_daemon_with_it(start: Start, tmp_path: Path) -> None:
    assert COMPILER is not None
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-DCRASHES", "-o", library, SOURCES / "nvml.c"], check=True)
    process = start(LD_LIBRARY_PATH=str(tmp_path))
    assert process.stdout is not None
    assert process.stdout.readline()
    body = json.loads(get(tmp_path / "run", "/info").partition(b"\r\n\r\n")[2])
    states = {each["backend"]: each for each in body["hardware"]["accelerators"]}
    assert states["cuda"]["state"] == BackendState.CRASHED
    assert states["cuda"]["problem"].endswith("SIGSEGV")
    # Its own libraries do not hang on the vendor's.
    assert b'"ok"' in get(tmp_path / "run", "/health")
    assert process.poll() is None
