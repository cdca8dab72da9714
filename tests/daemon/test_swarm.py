"""Pools of workers side by side, over real processes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping

import psutil
import pytest

from ndfd.config.context import Context
from ndfd.config.load import load
from ndfd.daemon.parts import admission_limits, pool_plans
from ndfd.daemon.running_pool import PoolPlan
from ndfd.daemon.swarm import Swarm
from ndfd.errors import ConfigError, PoolUnknown, WorkerStartFailed
from ndfd.model.pools import Role
from ndfd.supervisor import PoolLimits, ZygoteOptions
from tests.supervisor.processes import MEMORY_BYTES, lives, open_descriptors, processes

GOOD = ZygoteOptions(MEMORY_BYTES)
#: Of nice(2): the tests themselves may run with a high one.
NICE_MAX = 19
#: Its program ends at once.
BAD = ZygoteOptions(GOOD.memory_bytes, command=("false",))


def plan(zygote: ZygoteOptions = GOOD, workers: int = 1) -> PoolPlan:
    return PoolPlan(Role.EXTRACTOR, zygote, PoolLimits(workers_min=workers, workers_max=workers, jobs_per_worker=100))


def swarm(plans: Mapping[str, PoolPlan], former: Swarm | None = None) -> Swarm:
    return Swarm(plans, former, itertools.count(1), on_crash=lambda report: None)


def planned(*flags: str) -> dict[str, PoolPlan]:
    context = Context(environment={}, flags=flags)
    return pool_plans(context, load(context).settings)


def test_pools_start_side_by_side_and_each_is_found_by_its_name() -> None:
    async def scenario() -> None:
        it = swarm({"default": plan(), "bulk": plan(workers=2)})
        await it.start()
        try:
            assert [len(pool.snapshot().workers) for pool in it.pools.values()] == [1, 2]
            numbers = [worker.id for pool in it.pools.values() for worker in pool.snapshot().workers]
            assert len(set(numbers)) == 3
            with it.held(None) as default, it.held("default") as by_name, it.held("bulk") as bulk:
                assert default is by_name is it.pools["default"].pool
                assert bulk is it.pools["bulk"].pool
            with pytest.raises(PoolUnknown, match=r"there is no pool 'blk'; there are default, bulk"), it.held("blk"):
                pass
            workers = it.pools["bulk"].snapshot().workers
            assert {(worker.pool, worker.role) for worker in workers} == {("bulk", "extractor")}
        finally:
            await it.discard()

    asyncio.run(scenario())


def test_when_one_pool_cannot_start_it_is_named_and_nothing_of_the_others_is_left() -> None:
    async def scenario() -> None:
        descriptors = open_descriptors()
        with pytest.raises(WorkerStartFailed, match=r"^pool bad: "):
            await swarm({"default": plan(), "bad": plan(BAD), "other": plan()}).start()
        assert open_descriptors() == descriptors

    before = set(processes())
    asyncio.run(scenario())
    assert not [process for process in set(processes()) - before if lives(process)]


def test_of_the_former_pools_those_whose_workers_are_made_alike_go_on() -> None:
    async def scenario() -> None:
        one = swarm({"default": plan(), "same": plan(), "other": plan()})
        await one.start()
        niced = ZygoteOptions(GOOD.memory_bytes, nice=1)
        two = swarm({"default": plan(), "same": plan(workers=3), "other": plan(niced), "new": plan()}, one)
        try:
            assert [pool.name for pool in two.new] == ["other", "new"]
            await two.start()
            two.use()
            assert two.pools["same"] is one.pools["same"]
            assert [pool.name for pool in one.without(two)] == ["other"]
            assert list(one.without(two)) == [one.pools["other"]]
            while len(two.pools["same"].snapshot().workers) < 3:
                await asyncio.sleep(0)
            assert [pool.name for pool in two.without(swarm({}))] == ["default", "same", "other", "new"]
        finally:
            await two.discard()
            await one.discard()

    asyncio.run(scenario())


def test_a_pool_is_held_by_those_that_asked_for_it_and_by_no_others() -> None:
    async def scenario() -> None:
        it = swarm({"default": plan(), "bulk": plan()})
        with it.held("bulk"):
            await asyncio.wait_for(it.pools["default"].held.free(), 20)
            waits = asyncio.create_task(it.pools["bulk"].held.free())
            await asyncio.sleep(0)
            assert not waits.done()
        await waits

    asyncio.run(scenario())


def test_the_nice_value_of_a_pool_is_that_of_its_zygote_and_its_workers() -> None:
    async def scenario() -> None:
        own = psutil.Process().nice()
        it = swarm({"default": plan(), "low": plan(ZygoteOptions(GOOD.memory_bytes, nice=7))})
        await it.start()
        try:
            for name, added in (("default", 0), ("low", 7)):
                (worker,) = it.pools[name].snapshot().workers
                process = psutil.Process(worker.pid)
                assert process.nice() == min(own + added, NICE_MAX)
                assert process.parent().nice() == min(own + added, NICE_MAX)
        finally:
            await it.discard()

    asyncio.run(scenario())


def test_what_a_pool_is_told_is_what_the_configuration_says_of_it() -> None:
    plans = planned(
        "swarm.workers=3",
        "swarm.worker_memory=1GB",
        "swarm.jobs_per_worker=7",
        "swarm.worker_cpu=90s",
        "swarm.pools.bulk.min=0",
        "swarm.pools.bulk.max=5",
        "swarm.pools.bulk.memory=2GB",
        "swarm.pools.bulk.priority=low",
        "swarm.pools.bulk.idle_timeout=5s",
    )
    assert plans["default"].limits == PoolLimits(
        workers_min=3, workers_max=3, jobs_per_worker=7, idle_timeout_s=60.0, cpu_s=90.0
    )
    assert plans["bulk"].limits == PoolLimits(
        workers_min=0, workers_max=5, jobs_per_worker=7, idle_timeout_s=5.0, cpu_s=90.0
    )
    assert (plans["bulk"].options.memory_bytes, plans["bulk"].options.nice) == (2 * 10**9, 10)
    assert (plans["default"].options.memory_bytes, plans["default"].options.nice) == (10**9, 0)


def test_memory_is_shared_out_over_all_pools() -> None:
    plans = planned(
        "runtime.max_memory=8GB",
        "swarm.workers=2",
        "swarm.worker_memory=1GB",
        "swarm.pools.auto.max=auto",
        "swarm.pools.auto.memory=2GB",
        "swarm.pools.auto.min=3",
    )
    assert (plans["default"].limits.workers_max, plans["auto"].limits.workers_max) == (2, 3)
    assert plans["auto"].limits.workers_min == 3


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            ("swarm.pools.bulk.max=4", "swarm.pools.bulk.memory=2GB"),
            "1 workers of 1GB (swarm.worker_memory) and 4 workers of 2GB (swarm.pools.bulk.memory) do not fit into 8GB",
        ),
        (("swarm.pools.bulk.memory=9GB",), "1 workers of 9GB (swarm.pools.bulk.memory) do not fit into 8GB"),
        (("swarm.pools.bulk.cpus=4000",), "swarm.pools.bulk.cpus: the daemon may not use CPU 4000"),
        (("swarm.cpus=4000",), "swarm.cpus: the daemon may not use CPU 4000"),
    ],
)
def test_what_does_not_fit_this_machine_is_refused_by_the_keys_of_the_pool(flags: tuple[str, ...], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        planned("runtime.max_memory=8GB", "swarm.workers=1", "swarm.worker_memory=1GB", *flags)
    assert says in str(refused.value)


def test_the_doors_let_as_many_in_as_all_pools_have_workers() -> None:
    context = Context(environment={}, flags=("swarm.workers=3", "swarm.max_queue=10", "swarm.pools.bulk.max=4"))
    assert admission_limits(load(context).settings).conversions_max == 17
