"""A daemon with pools of workers: callers name one, and a reload makes the running ones what is declared."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ndfd.client import Client
from ndfd.errors import ConfigError, PoolUnknown
from ndfd.model.conversion import ConvertOptions
from ndfd.model.status import WorkerStatus
from tests import documents
from tests.daemon.configured import Configured, running

SWARM = '[swarm]\nworkers = 1\nworker_memory = "1GB"\n'
BULK = '[swarm.pools.bulk]\nmax = 2\nmemory = "500MB"\npriority = "low"\n'


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Configured]:
    with running(tmp_path, SWARM + BULK) as it:
        yield it


def workers(client: Client, pool: str) -> dict[int, WorkerStatus]:
    """By process, those that are not on their way out."""
    return {each.pid: each for each in client.status().workers if each.pool == pool and each.state != "dying"}


def convert(client: Client, pool: str | None) -> None:
    client.convert(documents.numbered_pages(1), ConvertOptions(pool=pool)).close()


def served(client: Client, pool: str) -> int:
    return sum(worker.served for worker in workers(client, pool).values())


def test_a_caller_is_served_by_the_pool_that_it_names(daemon: Configured) -> None:
    with daemon.client() as client:
        before = served(client, "default"), served(client, "bulk")
        for pool in ("bulk", "bulk", "default", None, "bulk"):
            convert(client, pool)
        assert (served(client, "default"), served(client, "bulk")) == (before[0] + 2, before[1] + 3)
        with pytest.raises(PoolUnknown, match="there is no pool 'fast'; there are default, bulk"):
            convert(client, "fast")
        assert [(pool.name, pool.workers_max) for pool in client.status().pools] == [("default", 1), ("bulk", 2)]


def test_the_workers_of_a_pool_are_made_as_it_says(daemon: Configured) -> None:
    with daemon.client() as client:
        (default,) = workers(client, "default")
        bulk = tuple(workers(client, "bulk"))
    own = psutil.Process(daemon.process.pid).nice()
    assert len(bulk) == 2
    # 19 is the highest (nice(2)), and the tests themselves may run with more than 9.
    low = min(own + 10, 19)
    assert [psutil.Process(pid).nice() for pid in (default, *bulk)] == [own, low, low]
    for pid, memory in ((default, "1000000000"), (bulk[0], "500000000")):
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        assert memory in next(line for line in limits if line.startswith("Max address space"))
    metrics = daemon.get("/metrics")[1]
    assert 'ndfd_workers{pool="bulk",role="extractor"} 2.0' in metrics
    assert 'neuraldocflow_active_agents{pool="default",role="extractor"} 0.0' in metrics


def test_a_reload_leaves_the_pools_alone_that_are_as_they_were(daemon: Configured) -> None:
    with daemon.client() as client:
        default, bulk = set(workers(client, "default")), set(workers(client, "bulk"))
        daemon.write(SWARM + BULK.replace("max = 2", "max = 3") + "[swarm.pools.more]\nmax = 1\n")
        changed = {change.key for change in client.reload().changes}
        assert {"swarm.pools.bulk.max", "swarm.pools.more.max"} <= changed
        assert set(workers(client, "default")) == default
        assert bulk < set(workers(client, "bulk"))
        assert len(workers(client, "bulk")) == 3
        convert(client, "more")
        daemon.write(SWARM + BULK.replace("500MB", "600MB"))
        client.reload()
        assert set(workers(client, "default")) == default
        convert(client, "bulk")
        with pytest.raises(PoolUnknown):
            convert(client, "more")
        while workers(client, "more") or bulk & set(workers(client, "bulk")):
            os.sched_yield()
        assert len(workers(client, "bulk")) == 2


def test_a_conversion_ends_on_the_pool_that_a_reload_took_away(daemon: Configured) -> None:
    with daemon.client() as busy, daemon.client() as client:
        began, reloaded = threading.Event(), threading.Event()
        results = []

        def work() -> None:
            asked = ConvertOptions(pool="bulk")
            slow = documents.slow_second_page(40)
            with busy.convert(slow, asked, on_page=lambda page: began.set()) as conversion:
                results.append((conversion.report.pages, conversion.generation, reloaded.is_set()))

        thread = threading.Thread(target=work)
        thread.start()
        assert began.wait(20)
        daemon.write(SWARM)
        client.reload()
        reloaded.set()
        assert [pool.name for pool in client.status().pools] == ["default"]
        thread.join()
        assert results == [(3, 1, True)]
        while workers(client, "bulk"):
            os.sched_yield()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[swarm.pools.huge]\nmax = 2\n[runtime]\nmax_memory = "2GB"\n', "2 workers of 1GB (swarm.pools.huge.memory)"),
        ('[swarm.pools.huge]\ncpus = "4000"\n', "swarm.pools.huge.cpus: the daemon may not use CPU 4000"),
        ('[swarm.pools.huge]\nrole = "ocr"\n', "not built into this version"),
    ],
)
def test_a_pool_that_cannot_be_refuses_the_reload_and_all_stays(daemon: Configured, text: str, says: str) -> None:
    with daemon.client() as client:
        before = [worker.pid for worker in client.status().workers]
        daemon.write(SWARM + BULK + text)
        with pytest.raises(ConfigError) as refused:
            client.reload()
        assert says in " ".join((refused.value.message, *refused.value.details))
        assert [worker.pid for worker in client.status().workers] == before
        assert client.status().generation == 1
        convert(client, "bulk")


def test_a_pool_that_keeps_no_worker_ends_them_and_starts_one_for_a_document(tmp_path: Path) -> None:
    idle = 'min_workers = 0\nidle_timeout = "100ms"\n'
    with running(tmp_path, SWARM + idle + "[swarm.pools.bulk]\n") as daemon, daemon.client() as client:
        for name in ("default", "bulk"):
            while workers(client, name):
                os.sched_yield()
        assert [(pool.workers_min, pool.workers_max) for pool in client.status().pools] == [(0, 1), (0, 1)]
        assert daemon.get("/health") == (200, '{"status":"ok"}')
        convert(client, "bulk")
        convert(client, None)
        daemon.write(SWARM + "[swarm.pools.bulk]\n")
        client.reload()
        while not (workers(client, "default") and workers(client, "bulk")):
            os.sched_yield()


def test_pools_are_declared_by_variables_and_flags_too(tmp_path: Path) -> None:
    flags = ("--set", "swarm.pools.from-flags.max=1")
    with (
        running(tmp_path, SWARM, *flags, NDFD_SWARM__POOLS__FROM_VARIABLES__MAX="1") as daemon,
        daemon.client() as client,
    ):
        assert [pool.name for pool in client.status().pools] == ["default", "from-flags", "from-variables"]
        convert(client, "from-flags")
        convert(client, "from-variables")
