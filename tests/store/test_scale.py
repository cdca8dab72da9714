"""A hundred thousand jobs: how soon the store is there again, and what of them stays in memory."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from ndfd.platform import resident_bytes
from ndfd.store import Store
from tests.store.opened import ALICE, lease, memory, new_job, opened, run

JOBS = 100_000
CLIENTS = 64


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_thousand_jobs_are_there_again_within_seconds_and_none_stays_in_memory(tmp_path: Path) -> None:
    async def fill() -> tuple[float, float]:
        resident: list[int] = []
        left = iter(range(JOBS))

        async def client(store: Store) -> None:
            for number in left:
                with memory(b"document %d" % number) as fd:
                    await store.submit(new_job(ALICE + number % 10, labels={"number": str(number)}), fd)
                if number % 10_000 == 0:
                    resident.append(resident_bytes(os.getpid()))

        async with opened(tmp_path) as store:
            began = time.perf_counter()
            await asyncio.gather(*(client(store) for _ in range(CLIENTS)))
            rate = JOBS / (time.perf_counter() - began)
            await lease(store, *(job.id for job in await store.ready(store.now(), 100)))
        # SQLite's page caches fill with the first ones.
        return rate, (resident[-1] - resident[4]) / (JOBS / 2)

    rate, slope = run(fill())
    began = time.perf_counter()
    store = Store.open(tmp_path)
    opening_s = time.perf_counter() - began
    store._close()
    print(f"{rate:.0f} submissions/s, {slope:.0f} bytes a job, open again in {opening_s:.1f} s")
    assert store.recovered == 1000
    assert slope < 1000
    assert opening_s < 5
