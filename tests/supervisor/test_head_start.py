"""A zygote that is on its way before there is an event loop."""

from __future__ import annotations

import asyncio
import os

import pytest

from ndfd.errors import WorkerStartFailed
from ndfd.supervisor import HeadStart, Pool, PoolLimits, Zygote
from tests.supervisor.fake_pool import run
from tests.supervisor.processes import lives, open_descriptors, options, processes


def test_the_pool_goes_on_from_it_and_its_end_is_the_pools() -> None:
    before = open_descriptors()
    head_start = HeadStart(options())

    async def body() -> None:
        zygote = Zygote(options(), head_start)
        pool = Pool(zygote, PoolLimits(1, 1, 1000))
        await pool.start()
        assert zygote.pid == head_start.started.process.pid
        await pool.stop()

    run(body())
    assert not [process for process in processes() if lives(process)]
    assert open_descriptors() == before


def test_the_next_zygote_is_one_of_the_pools_own() -> None:
    head_start = HeadStart(options())

    async def body() -> None:
        zygote = Zygote(options(), head_start)
        pool = Pool(zygote, PoolLimits(1, 1, 1000))
        await pool.start()
        first = zygote.pid
        assert first is not None
        os.kill(first, 9)
        while zygote.pid in (None, first):
            await asyncio.sleep(0.01)
        await pool.stop()

    run(body())


def test_nothing_is_left_of_one_that_nobody_takes() -> None:
    before = open_descriptors()
    HeadStart(options()).discard()
    assert not [process for process in processes() if lives(process)]
    assert open_descriptors() == before


def test_what_keeps_it_from_working_is_told_by_the_pool() -> None:
    before = open_descriptors()
    head_start = HeadStart(options("die"))

    async def body() -> None:
        with pytest.raises(WorkerStartFailed, match="killed by SIGKILL"):
            await Pool(Zygote(options("die"), head_start), PoolLimits(1, 1, 1000)).start()

    run(body())
    assert open_descriptors() == before
