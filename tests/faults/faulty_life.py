"""A life of a store for the tests of system errors: takes jobs in and runs them, and says what was acknowledged.

    python -m tests.faults.faulty_life FOLDER FIRST COUNT

Writes a line for each thing that happened: `accepted ID NUMBER`, `succeeded ID NUMBER`, `refused CODE`, and `ended`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from ndfd.errors import NdfdError
from ndfd.model.jobs import JobOptions
from ndfd.store import NewJob, Store
from tests.store.work import ENGINE, descriptor, report

AT_ONCE = 8


def document(number: int) -> bytes:
    """Of the job with this number: every fourth is larger than what is read at once."""
    return b"document %d " % number * (40_000 if number % 4 == 0 else 10)


def result(number: int) -> bytes:
    """Of the same."""
    return b"result %d " % number * 10


async def live(folder: Path, first: int, count: int) -> None:
    """The whole of it."""
    store = Store.open(folder, keep_free_bytes=0)
    await store.start()
    for start in range(first, first + count, AT_ONCE):
        await asyncio.gather(*(one(store, number) for number in range(start, start + AT_ONCE)))
    await store.close()


async def one(store: Store, number: int) -> None:
    """A job from its beginning to its end, as far as it comes."""
    fd = descriptor(document(number))
    try:
        job = (await store.submit(NewJob(1000, JobOptions(), ENGINE), fd)).job
        say("accepted", job.id, number)
        for leased in await store.lease([job.id]):
            os.close(leased.document_fd)
            done = descriptor(result(number))
            try:
                if await store.succeed(leased.job, done, report(10)):
                    say("succeeded", job.id, number)
            finally:
                os.close(done)
    except NdfdError as error:
        say("refused", error.code)
    finally:
        os.close(fd)


def say(*words: object) -> None:
    """At once, and whole."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


if __name__ == "__main__":
    try:
        asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
    except NdfdError as error:
        say("refused", error.code)
    say("ended")
