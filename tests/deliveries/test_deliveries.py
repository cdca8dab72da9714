"""The outbox delivered: by a real store, to real servers and folders, through restarts."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from ndfd.dispatch import delivery_lane
from ndfd.dispatch.deliveries import Deliveries
from ndfd.dispatch.hooks import Hook, ResultFolder, Webhook
from ndfd.dispatch.web_delivery import WebDelivery
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.job_states import FINAL, JobState
from ndfd.model.jobs import Job, JobFault, JobOptions
from ndfd.store import Delivery
from tests.deliveries.conftest import Desk, ended, job_until, opened, result_of, until
from tests.deliveries.receiver import Receiver, receiver, reply

SECRET = b"sixteen-characters"
BROKEN = JobFault("document-broken", "it is broken on page 3", "mend it", False, page=3)


def web(url: str, *, events: frozenset[JobState] = FINAL, attempts: int = 14, timeout_s: float = 60.0) -> Hook:
    return Hook(Webhook(url, SECRET, timeout_s), events, max_attempts=attempts)


def named(name: str, output: OutputFormat = OutputFormat.MARKDOWN) -> JobOptions:
    return JobOptions(ConvertOptions(format=output, name=name))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again without waiting; how long it would be is a function of its own."""
    monkeypatch.setattr(delivery_lane, "retry_delay_s", lambda failures, chance, asked: 0.0)


class Life:
    """A store, jobs that run, and their deliveries."""

    def __init__(self, state: Path, hooks: Mapping[str, Hook]) -> None:
        self._state = state
        self._hooks = hooks

    async def __aenter__(self) -> Life:
        self._opened = opened(self._state)
        self.store = await self._opened.__aenter__()
        self.desk = Desk(self.store)
        self.desk.hooks = self._hooks
        self.deliveries = Deliveries(self.store)
        self.desk.work()
        await self.deliveries.start(self._hooks, {})
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.deliveries.stop()
        await self.desk.rest()
        await self._opened.__aexit__(None, None, None)

    async def ended(self, job: Job) -> Job:
        return await job_until(self.store, job.id, ended)


async def test_the_end_of_a_job_is_delivered_once_to_each_hook(state: Path) -> None:
    with receiver() as one, receiver() as other:
        async with Life(state, {"one": web(one.url), "other": web(other.url)}) as life:
            jobs = [await life.desk.submit_bytes(b"%d" % number) for number in range(30)]
            for job in jobs:
                assert (await life.ended(job)).deliveries_failed == 0
        for each in (one, other):
            assert len(each.ids()) == len(set(each.ids())) == 30
        assert not set(one.ids()) & set(other.ids())


async def test_only_the_ends_that_a_hook_wants_are_told(state: Path) -> None:
    with receiver() as there:
        async with Life(state, {"bad": web(there.url, events=frozenset({JobState.FAILED}))}) as life:
            life.desk.faults[b"broken"] = BROKEN
            good, bad = await life.desk.submit_bytes(b"good"), await life.desk.submit_bytes(b"broken")
            await life.ended(good)
            await life.ended(bad)
        (got,) = there.received
        assert b'"event":"failed"' in got.body
        assert b'"code":"document-broken"' in got.body


@pytest.mark.usefixtures("at_once")
async def test_what_failed_is_tried_again_with_the_same_number(state: Path) -> None:
    with receiver() as there:
        there.answer = lambda handler, number: reply(handler, 503 if number < 3 else 200)
        async with Life(state, {"web": web(there.url)}) as life:
            job = await life.ended(await life.desk.submit_bytes(b"x"))
        assert job.deliveries_failed == 0
        assert len(there.received) == 4
        assert len(set(there.ids())) == 1


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("status", "attempts"), [(500, 3), (410, 1)])
async def test_what_is_given_up_is_seen_on_its_job(state: Path, status: int, attempts: int) -> None:
    with receiver() as there:
        there.answer = lambda handler, number: reply(handler, status)
        async with Life(state, {"web": web(there.url, attempts=3)}) as life:
            job = await life.ended(await life.desk.submit_bytes(b"x"))
        assert job.deliveries_failed == 1
        assert len(there.received) == attempts


async def test_one_that_fails_for_a_fault_of_ours_is_not_made_again_at_once(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0

    async def broken(self: WebDelivery, delivery: Delivery) -> None:
        nonlocal tried
        tried += 1
        raise ValueError(delivery.id)

    monkeypatch.setattr(WebDelivery, "__call__", broken)
    async with Life(state, {"a": web("http://127.0.0.1:9/")}) as life:
        job = await life.desk.submit_bytes(b"one")
        await job_until(life.store, job.id, lambda job: job.deliveries_due)

        async def postponed() -> bool:
            return bool((await life.store.delivery_moments())["a"] > life.store.now())

        while not await postponed():
            await asyncio.sleep(0.001)
        assert tried == 1


async def test_the_next_life_goes_on_where_one_has_ended(state: Path) -> None:
    with receiver() as there:
        there.answer = lambda handler, number: there.closing.wait() and None
        async with Life(state, {"web": web(there.url)}) as life:
            job = await life.desk.submit_bytes(b"x")
            await until(lambda: there.received)
        there.answer = lambda handler, number: reply(handler, 200)
        async with Life(state, {"web": web(there.url)}) as life:
            await life.ended(job)
        assert len(set(there.ids())) == 1
        assert len(there.received) == 2


async def test_a_retry_that_an_earlier_life_has_planned_is_made_by_the_next(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In the next life it is still to come: its timer has to be set from the store.
    monkeypatch.setattr(delivery_lane, "retry_delay_s", lambda failures, chance, asked: 0.5)
    with receiver() as there:
        there.answer = lambda handler, number: reply(handler, 500 if number == 0 else 200)
        async with Life(state, {"web": web(there.url)}) as life:
            job = await life.desk.submit_bytes(b"x")

            async def noted() -> bool:
                (delivery,) = await life.store.due_deliveries(float("inf"), 1)
                return delivery.attempts == 1

            await until(lambda: there.received)
            while not await noted():
                await asyncio.sleep(0.01)
        async with Life(state, {"web": web(there.url)}) as life:
            await life.ended(job)
        assert len(there.received) == 2


async def test_a_retry_is_made_at_its_time_though_nothing_else_happens(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_lane, "retry_delay_s", lambda failures, chance, asked: 0.2)
    with receiver() as there:
        there.answer = lambda handler, number: reply(handler, 500 if number < 2 else 200)
        async with Life(state, {"web": web(there.url)}) as life:
            await life.ended(await life.desk.submit_bytes(b"x"))
        assert len(there.received) == 3


async def test_an_attempt_that_hangs_does_not_keep_the_next_ones_to_the_same_server(state: Path) -> None:
    with receiver() as there:
        there.answer = lambda handler, number: (there.closing.wait() and None) if number == 0 else reply(handler, 200)
        async with Life(state, {"web": web(there.url)}) as life:
            await life.desk.submit_bytes(b"hangs")
            await until(lambda: there.received)
            for number in range(20):
                await life.ended(await life.desk.submit_bytes(b"%d" % number))


async def test_one_that_does_not_answer_holds_up_nobody_else(state: Path) -> None:
    with receiver() as slow, receiver() as good:
        slow.answer = lambda handler, number: slow.closing.wait() and None
        async with Life(state, {"a-slow": web(slow.url), "b-good": web(good.url)}) as life:
            for number in range(100):
                await life.desk.submit_bytes(b"%d" % number)
            await until(lambda: len(good.received) == 100)
            assert len(slow.received) <= delivery_lane.SERVER_AT_ONCE


async def test_one_that_takes_too_long_is_cut_off(state: Path, at_once: None) -> None:
    with receiver() as there:

        def drip(handler: object, number: int) -> None:
            if number:
                reply(handler, 200)  # type: ignore[arg-type]
                return
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")  # type: ignore[attr-defined]
            while not there.closing.wait(0.01):
                handler.wfile.write(b"x")  # type: ignore[attr-defined]

        there.answer = drip
        async with Life(state, {"web": web(there.url, timeout_s=0.3)}) as life:
            await life.ended(await life.desk.submit_bytes(b"x"))
        assert len(there.received) == 2


async def test_a_hook_that_is_changed_gets_what_waits_and_one_that_is_gone_is_recorded(state: Path) -> None:
    with receiver() as former, receiver() as later:
        former.answer = lambda handler, number: reply(handler, 503)
        async with Life(state, {"web": web(former.url), "gone": web(former.url)}) as life:
            job = await life.desk.submit_bytes(b"x")
            await until(lambda: len(former.received) == 2)
            assert later.received == []
            life.deliveries.reconfigure({"web": web(later.url)}, {})
            # The next attempt is 10 s away: a job that ends now has the new address at once.
            life.desk.hooks = {"web": web(later.url)}
            await life.ended(await life.desk.submit_bytes(b"y"))
            found = await job_until(life.store, job.id, lambda job: job.deliveries_failed == 1)
            assert found.deliveries_due == 1
        assert len(later.received) == 1


async def test_results_are_put_into_a_folder_under_their_documents_names(
    state: Path, tmp_path: Path, quiet_umask: None
) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "taken.md").write_text("somebody else's")
    (folder / "link.md").symlink_to(tmp_path / "elsewhere")
    async with Life(state, {"out": Hook(ResultFolder(folder), FINAL)}) as life:
        life.desk.faults[b"broken"] = BROKEN
        names = ["a.pdf", "../../b.pdf", "taken.pdf", "link.pdf", ".", "c.pdf"]
        jobs = {name: await life.desk.submit_bytes(name.encode(), named(name)) for name in names}
        broken = await life.desk.submit_bytes(b"broken", named("broken.pdf"))
        # After the other: whose is delivered first has the name.
        assert (await life.ended(jobs["a.pdf"])).deliveries_failed == 0
        again = await life.desk.submit_bytes(b"another", named("a.pdf", OutputFormat.MARKDOWN))
        for job in (*jobs.values(), broken, again):
            assert (await life.ended(job)).deliveries_failed == 0
    assert {each.name: each.read_bytes() for each in folder.iterdir() if not each.is_symlink()} == {
        "a.md": result_of(b"a.pdf"),
        f"a-{again.id}.md": result_of(b"another"),
        "b.md": result_of(b"../../b.pdf"),
        "taken.md": b"somebody else's",
        f"taken-{jobs['taken.pdf'].id}.md": result_of(b"taken.pdf"),
        f"link-{jobs['link.pdf'].id}.md": result_of(b"link.pdf"),
        f"{jobs['.'].id}.md": result_of(b"."),
        "c.md": result_of(b"c.pdf"),
        "broken.error.txt": (
            f"ndfd has no result of broken.pdf\njob: {broken.id} (failed)\n"
            "error: document-broken: it is broken on page 3 (page 3)\nwhat to do: mend it\n"
        ).encode(),
    }
    assert not (tmp_path / "elsewhere").exists()
    assert stat.S_IMODE((folder / "a.md").stat().st_mode) == 0o644


@pytest.mark.usefixtures("at_once")
async def test_a_folder_that_is_not_there_gets_its_results_when_it_is(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    async with Life(state, {"out": Hook(ResultFolder(folder), FINAL, max_attempts=10**9)}) as life:
        job = await life.desk.submit_bytes(b"x", named("x.pdf"))
        while (await life.store.due_deliveries(float("inf"), 1) or (None,))[0] is None:
            await asyncio.sleep(0.01)
        folder.mkdir()
        await life.ended(job)
    assert [each.name for each in folder.iterdir()] == ["x.md"]


async def test_a_job_that_was_forgotten_is_told_to_nobody_and_stops_nothing(state: Path) -> None:
    with receiver() as there:
        async with opened(state) as store:
            desk = Desk(store)
            desk.hooks = {"web": web(there.url)}
            desk.work()
            job = await desk.submit_bytes(b"x")
            await job_until(store, job.id, lambda job: job.state.is_final)
            await store.forget(job.id, None)
            await desk.rest()
        async with Life(state, {"web": web(there.url)}) as life:
            await life.ended(await life.desk.submit_bytes(b"y"))
        assert len(there.received) == 1


def test_webhooks_cost_nothing_where_there_are_none(tmp_path: Path) -> None:
    import subprocess
    import sys

    parts = "ndfd.dispatch.deliveries, ndfd.dispatch.watching"
    code = f"import sys, {parts}; print([m for m in sys.modules if 'urllib3' in m])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


__all__ = ["Receiver"]
