"""Watch folders through SIGKILL at every kind of step: no document is lost, none is converted twice."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ndfd.model.job_states import JobState
from ndfd.model.jobs import JobPage, JobQuery
from tests.deliveries.conftest import opened, result_of

ROOT = Path(__file__).parents[2]
FILES = 30


def live(state: Path, inbox: Path, kill_at: int) -> int:
    return subprocess.run(
        [sys.executable, "-m", "tests.deliveries.killed_life", state, inbox, str(kill_at)], cwd=ROOT, check=False
    ).returncode


@pytest.mark.parametrize(
    ("seed", "kills"), [(1, 12), pytest.param(2, 150, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_every_document_ends_in_one_job_one_result_and_one_place(
    state: Path, tmp_path: Path, seed: int, kills: int
) -> None:
    chance, inbox = random.Random(seed), tmp_path / "in"
    (inbox / "sub").mkdir(parents=True)
    names = [f"{'sub/' if number % 3 == 0 else ''}{number}.pdf" for number in range(FILES)]
    waiting, killed = list(names), 0
    for _ in range(kills):
        for name in [waiting.pop() for _ in range(min(len(waiting), 1 + FILES // kills))]:
            (inbox / name).write_bytes(name.encode())
        killed += live(state, inbox, chance.randrange(1, 160)) == -signal.SIGKILL
    assert killed >= kills // 3, "the steps are too few for the kills"
    for name in waiting:
        (inbox / name).write_bytes(name.encode())
    assert live(state, inbox, 0) == 0

    def found(folder: str) -> dict[str, bytes]:
        return {
            str(each.relative_to(inbox / folder)): each.read_bytes()
            for each in (inbox / folder).rglob("*")
            if each.is_file()
        }

    assert found("done") == {name: name.encode() for name in names}
    assert found("results") == {name.replace(".pdf", ".md"): result_of(name.encode()) for name in names}
    assert list(inbox.rglob(".*")) == []

    async def jobs() -> JobPage:
        async with opened(state) as store:
            return await store.list(JobQuery(limit=1000), None)

    ended = asyncio.run(jobs()).jobs
    assert sorted(job.name or "" for job in ended) == sorted(names)
    assert {(job.state, job.deliveries_due, job.deliveries_failed) for job in ended} == {(JobState.SUCCEEDED, 0, 0)}
