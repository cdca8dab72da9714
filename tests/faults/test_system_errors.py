"""What the system refuses in the middle of something: sync, write, link. Injected into a real process by strace."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ndfd.model.job_states import JobState
from tests.faults.faulty_life import document, result
from tests.store.work import document_of, result_of, started

ROOT = Path(__file__).resolve().parents[2]

#: What is done to which calls, and when: "20+7" is each thread's 20th, so that the store opens, and each seventh after.
FAULTS = {
    "sync fails at times": ("fsync,fdatasync", "EIO", "20+7"),
    "sync fails for good": ("fsync,fdatasync", "EIO", "22+"),
    # SQLite asks for fdatasync(2): these are the files of the spool and their folders.
    "sync of files fails for good": ("fsync", "EIO", "22+"),
    "no space at times": ("pwrite64", "ENOSPC", "60+5"),
    "writes fail at times": ("pwrite64", "EIO", "60+7"),
    "no names at times": ("linkat", "ENOSPC", "7+5"),
    "no removal": ("unlink,unlinkat", "EROFS", "4+2"),
    "no length at times": ("ftruncate", "EIO", "3+2"),
}


@pytest.fixture(scope="module")
def strace(tmp_path_factory: pytest.TempPathFactory) -> str:
    found = shutil.which("strace")
    if found is None:
        pytest.skip("errors are injected by strace, and there is none")
    tried = subprocess.run([found, "-f", "-o", "/dev/null", "true"], check=False, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()}")
    return found


def life(folder: Path, first: int, count: int, *before: str) -> list[list[str]]:
    command = [*before, sys.executable, "-m", "tests.faults.faulty_life", str(folder), str(first), str(count)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=100)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[-1:] == [["ended"]], done.stderr
    assert done.returncode == 0, done.stderr
    return lines[:-1]


# The syncs run by default; the others are of the same kind.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if "sync" in name else pytest.mark.slow) for name in FAULTS]
)
def test_what_was_acknowledged_is_there_whatever_failed_and_what_failed_was_said(
    strace: str, tmp_path: Path, name: str
) -> None:
    calls, error, when = FAULTS[name]
    state = tmp_path / "state"
    life(state, 0, 8)
    log = tmp_path / "calls"
    inject = f"inject={calls}:error={error}:when={when}"
    said = life(state, 100, 48, strace, "-f", "-qq", "-o", str(log), "-e", f"trace={calls}", "-e", inject)
    assert "(INJECTED)" in log.read_text()
    refused = [line[1] for line in said if line[0] == "refused"]
    if name in ("sync fails at times", "sync fails for good", "sync of files fails for good", "no names at times"):
        assert refused
    assert set(refused) <= {"store-unusable", "storage-full"}
    # With the cause gone, as if nothing had been: what was acknowledged is there, whole.
    said += life(state, 200, 8)
    assert [line[0] for line in said[-16:]].count("accepted") == 8
    accepted = {line[1]: int(line[2]) for line in said if line[0] == "accepted"}
    succeeded = {line[1]: int(line[2]) for line in said if line[0] == "succeeded"}

    async def look() -> None:
        async with started(state) as store:
            for job_id, number in accepted.items():
                job = await store.get(job_id, None)
                if job_id in succeeded:
                    assert job.state is JobState.SUCCEEDED
                if job.state is JobState.SUCCEEDED:
                    assert await result_of(store, job) == result(number)
                else:
                    assert await document_of(store, job) == document(number)

    asyncio.run(look())
