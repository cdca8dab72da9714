"""Watch folders with real files and the system's own events: each document once, whole, whatever comes between."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from ndfd.dispatch import folder_watch
from ndfd.dispatch.deliveries import Deliveries
from ndfd.dispatch.hooks import Hook, ResultFolder
from ndfd.dispatch.watches import Watch, look
from ndfd.dispatch.watching import Watching
from ndfd.errors import EmptyDocument, QuotaExceeded
from ndfd.model.conversion import OutputFormat
from ndfd.model.job_states import FINAL
from ndfd.model.jobs import JobFault, JobQuery
from ndfd.store import Store
from tests.deliveries.conftest import Desk, opened, result_of, until

ALICE = 54321
as_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root gives files to others; links are followed elsewhere"
)


def a_watch(root: Path, *, on_success: str = "keep", recursive: bool = False, settle_s: float = 0.15) -> Watch:
    root.mkdir(exist_ok=True)
    return Watch(root, "*.pdf", recursive, OutputFormat.MARKDOWN, root / "results", on_success, root / "done", settle_s)


@dataclasses.dataclass
class Scene:
    """A daemon's life as far as watch folders go."""

    store: Store
    desk: Desk
    watching: Watching
    deliveries: Deliveries

    async def reconfigure(self, watches: Mapping[str, Watch]) -> None:
        self.deliveries.reconfigure(self.desk.hooks, watches)
        await self.watching.reconfigure(watches)

    async def jobs(self) -> list[str]:
        """Names of the documents of all jobs, oldest first."""
        jobs = (await self.store.list(JobQuery(limit=1000), None)).jobs
        return [job.name or "" for job in reversed(jobs)]

    async def all_ended(self, number: int) -> None:
        """When there are so many jobs, and nothing is left to do for any of them."""

        def there() -> int:
            return sum(self.store.totals().jobs[state] for state in FINAL)

        while there() < number or await self.store.delivery_moments():
            await asyncio.sleep(0.02)
        assert sum(self.store.totals().jobs.values()) == there() == number


@contextlib.asynccontextmanager
async def life(
    state: Path, watches: Mapping[str, Watch], hooks: Mapping[str, Hook] | None = None, *, works: bool = True
) -> AsyncIterator[Scene]:
    async with opened(state) as store:
        desk = Desk(store)
        desk.hooks = hooks or {}
        scene = Scene(store, desk, Watching(desk.submit, store), Deliveries(store))
        if works:
            desk.work()
            await scene.deliveries.start(desk.hooks, watches)
        await scene.watching.reconfigure(watches)
        try:
            yield scene
        finally:
            await scene.watching.stop()
            await scene.deliveries.stop()
            await desk.rest()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


async def test_files_that_are_there_and_files_that_come_are_taken_once(state: Path, tmp_path: Path) -> None:
    watch = a_watch(tmp_path / "in")
    (watch.path / "old.pdf").write_bytes(b"old")
    async with life(state, {"w": watch}) as scene:
        await scene.all_ended(1)
        (watch.path / "new.pdf").write_bytes(b"new")
        await scene.all_ended(2)
    assert contents(watch.output) == {"old.md": result_of(b"old"), "new.md": result_of(b"new")}
    assert {"old.pdf", "new.pdf"} < {each.name for each in watch.path.iterdir()}


async def test_the_next_life_takes_nothing_again_and_what_came_meanwhile(state: Path, tmp_path: Path) -> None:
    watch = a_watch(tmp_path / "in")
    (watch.path / "a.pdf").write_bytes(b"a")
    async with life(state, {"w": watch}) as scene:
        await scene.all_ended(1)
    (watch.path / "b.pdf").write_bytes(b"b")
    async with life(state, {"w": watch}) as scene:
        await scene.all_ended(2)
        assert [each.path for each in scene.desk.taken] == ["b.pdf"]


@pytest.mark.parametrize("on_success", ["move", "delete"])
async def test_a_document_is_put_away_when_its_result_is_there(state: Path, tmp_path: Path, on_success: str) -> None:
    watch = a_watch(tmp_path / "in", on_success=on_success)
    async with life(state, {"w": watch}) as scene:
        scene.desk.faults[b"broken"] = JobFault("document-broken", "no", "mend it", False)
        (watch.path / "a.pdf").write_bytes(b"a")
        (watch.path / "broken.pdf").write_bytes(b"broken")
        await scene.all_ended(2)
        assert set(contents(watch.output)) == {"a.md", "broken.pdf.error.txt"}
        assert (watch.path / "broken.pdf").exists()
        assert not (watch.path / "a.pdf").exists()
        # The same bytes under the same name again: no second run, and an answer all the same.
        (watch.path / "a.pdf").write_bytes(b"a")
        await until(lambda: not (watch.path / "a.pdf").exists())
        assert len(await scene.jobs()) == 2
    assert set(contents(watch.output)) == {"a.md", "broken.pdf.error.txt"}
    put_away = contents(watch.done) if on_success == "move" else {}
    assert sorted(put_away.values()) == [b"a"] * len(put_away)
    assert len(put_away) == (2 if on_success == "move" else 0)


async def test_one_that_is_moved_back_as_it_was_is_answered_again(state: Path, tmp_path: Path) -> None:
    watch = a_watch(tmp_path / "in", on_success="move")
    (watch.path / "a.pdf").write_bytes(b"a")
    async with life(state, {"w": watch}) as scene:
        await until(lambda: (watch.done / "a.pdf").exists())
        while await scene.store.taken_files("w"):
            await asyncio.sleep(0.01)
        (watch.output / "a.md").unlink()
        (watch.done / "a.pdf").rename(watch.path / "a.pdf")
        await until(lambda: (watch.done / "a.pdf").exists())
        assert len(await scene.jobs()) == 1
    assert contents(watch.output) == {"a.md": result_of(b"a")}


async def test_a_file_that_grows_is_taken_once_and_whole(state: Path, tmp_path: Path) -> None:
    watch = a_watch(tmp_path / "in", settle_s=0.2)
    path, whole = watch.path / "slow.pdf", b"x" * 4000
    go_on = threading.Event()

    def grow() -> None:
        # Opened anew for each piece, so that nothing but the file's standing still can tell.
        for at in range(0, 4000, 100):
            with path.open("ab") as file:
                file.write(whole[at : at + 100])
            go_on.wait(0.02)

    async with life(state, {"w": watch}) as scene:
        await asyncio.to_thread(grow)
        await scene.all_ended(1)
    assert contents(watch.output) == {"slow.md": result_of(whole)}


async def test_a_writer_who_pauses_keeps_his_file_to_himself(state: Path, tmp_path: Path) -> None:
    watch = a_watch(tmp_path / "in", settle_s=0.1)
    async with life(state, {"w": watch}) as scene:
        with (watch.path / "a.pdf").open("wb") as file:
            file.write(b"first, ")
            file.flush()
            # One that settles after it is taken, and so shows that this one was left alone.
            for number in range(3):
                (watch.path / f"other{number}.pdf").write_bytes(b"%d" % number)
                await scene.all_ended(number + 1)
            file.write(b"then")
        await scene.all_ended(4)
    assert (watch.output / "a.md").read_bytes() == result_of(b"first, then")


async def test_a_file_that_is_replaced_is_new_work(state: Path, tmp_path: Path) -> None:
    watch = a_watch(tmp_path / "in")
    async with life(state, {"w": watch}) as scene:
        (watch.path / "a.pdf").write_bytes(b"one")
        await scene.all_ended(1)
        (tmp_path / "other").write_bytes(b"two")
        (tmp_path / "other").rename(watch.path / "a.pdf")
        await scene.all_ended(2)
    assert sorted(contents(watch.output).values()) == [result_of(b"one"), result_of(b"two")]
    assert (watch.output / "a.md").read_bytes() == result_of(b"one")


@pytest.mark.parametrize("count", [300, pytest.param(2000, marks=pytest.mark.slow)])
async def test_a_burst_is_taken_in_whole(state: Path, tmp_path: Path, count: int) -> None:
    watch = a_watch(tmp_path / "in", on_success="delete")
    async with life(state, {"w": watch}) as scene:
        for number in range(count):
            (watch.path / f"{number}.pdf").write_bytes(b"%d" % number)
        await scene.all_ended(count)
        assert len(scene.desk.taken) == count
    assert contents(watch.output) == {f"{number}.md": result_of(b"%d" % number) for number in range(count)}
    assert [each.name for each in watch.path.iterdir()] == ["results"]


#: Stops the process that started it, so that nobody takes events out of the queue, makes more of them than it holds,
#: then files whose events are all lost, and lets it go on.
_FLOOD = """
import os, pathlib, signal, sys
watched, most = pathlib.Path(sys.argv[1]), int(sys.argv[2])
os.kill(os.getppid(), signal.SIGSTOP)
try:
    one, other = watched / "x.tmp", watched / "y.tmp"
    one.touch()
    for _ in range(most):
        one.rename(other)
        other.rename(one)
    for number in range(20):
        (watched / f"{number}.pdf").write_bytes(b"%d" % number)
finally:
    os.kill(os.getppid(), signal.SIGCONT)
"""


async def test_events_that_the_system_has_dropped_cost_no_file(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing but events can lead to a look.
    monkeypatch.setattr(folder_watch, "RESCAN_S", 3600.0)
    most = Path("/proc/sys/fs/inotify/max_queued_events").read_text()
    watch = a_watch(tmp_path / "in", settle_s=0.1)
    async with life(state, {"w": watch}) as scene:
        (watch.path / "first.pdf").write_bytes(b"first")
        await scene.all_ended(1)
        flood = await asyncio.create_subprocess_exec(sys.executable, "-c", _FLOOD, watch.path, most)
        assert await flood.wait() == 0
        await scene.all_ended(21)


async def test_what_is_no_document_is_left_alone(state: Path, tmp_path: Path) -> None:
    watch = a_watch(tmp_path / "in", on_success="delete", recursive=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.pdf").write_bytes(b"secret")
    inside = watch.path
    (inside / "link.pdf").symlink_to(outside / "secret.pdf")
    (inside / "folder").symlink_to(outside)
    (inside / "dangling.pdf").symlink_to(outside / "nothing")
    os.mkfifo(inside / "fifo.pdf")
    (inside / "folder.pdf").mkdir()
    for name in (".hidden.pdf", "a.pdf.part", "a.pdf~", "~$a.pdf", "a.txt"):
        (inside / name).write_bytes(b"x")
    (inside / ".hidden").mkdir()
    (inside / ".hidden" / "b.pdf").write_bytes(b"x")
    (inside / "results").mkdir()
    (inside / "results" / "c.pdf").write_bytes(b"x")
    (inside / "done").mkdir()
    (inside / "done" / "d.pdf").write_bytes(b"x")
    before = sorted(map(str, inside.rglob("*")))
    assert look(watch).marks == {}
    async with life(state, {"w": watch}) as scene:
        (inside / "good.pdf").write_bytes(b"good")
        await scene.all_ended(1)
    assert sorted(map(str, inside.rglob("*"))) == sorted([*before, str(inside / "results" / "good.md")])
    assert (outside / "secret.pdf").exists()


HOSTILE = (
    b"\xff\xfe not utf-8.pdf",
    b"new\nline.pdf",
    b"\x1b[2J.pdf",
    b"-rf.pdf",
    b"% 100%25.pdf",
    b"a'b\"c;d.pdf",
    "عربي\u202e.pdf".encode(),
    b"x" * 251 + b".pdf",
    "ß".encode() * 125 + b".pdf",
    b" .pdf",
)


async def test_whatever_a_file_is_called_it_is_converted_and_put_away(state: Path, tmp_path: Path) -> None:
    watch = a_watch(tmp_path / "in", on_success="move", recursive=True)
    folders = [os.fsencode(watch.path), os.fsencode(watch.path) + b"/sub \xff\n"]
    Path(os.fsdecode(folders[1])).mkdir()
    for folder in folders:
        for name in HOSTILE:
            Path(os.fsdecode(folder + b"/" + name)).write_bytes(folder + name)
    async with life(state, {"w": watch}) as scene:
        await scene.all_ended(2 * len(HOSTILE))
        for name in await scene.jobs():
            assert name.isprintable()
    assert sorted(contents(watch.done).values()) == sorted(folder + name for folder in folders for name in HOSTILE)
    assert sorted(contents(watch.output).values()) == sorted(
        result_of(folder + name) for folder in folders for name in HOSTILE
    )


async def test_folders_below_that_come_later_are_looked_into_and_keep_their_shape(state: Path, tmp_path: Path) -> None:
    watch = a_watch(tmp_path / "in", on_success="move", recursive=True)
    async with life(state, {"w": watch}) as scene:
        (watch.path / "x" / "y").mkdir(parents=True)
        (watch.path / "x" / "y" / "a.pdf").write_bytes(b"1")
        (watch.path / "x" / "a.pdf").write_bytes(b"2")
        await scene.all_ended(2)
    assert contents(watch.output) == {"x/y/a.md": result_of(b"1"), "x/a.md": result_of(b"2")}
    assert contents(watch.done) == {"x/y/a.pdf": b"1", "x/a.pdf": b"2"}


async def test_files_wait_when_there_is_no_room_for_them(state: Path, tmp_path: Path) -> None:
    watch = a_watch(tmp_path / "in")
    async with life(state, {"w": watch}) as scene:
        scene.desk.refusal = full = QuotaExceeded("as many as may wait")
        full.retry_after_s = 0.2
        (watch.path / "a.pdf").write_bytes(b"a")
        (watch.path / "b.pdf").write_bytes(b"b")
        while not next(iter(scene.watching._folders.values()))._busy_until:
            await asyncio.sleep(0.01)
        assert await scene.jobs() == []
        scene.desk.refusal = None
        await scene.all_ended(2)


async def test_one_that_can_be_no_job_has_a_file_that_says_why_until_it_is_mended(state: Path, tmp_path: Path) -> None:
    watch = a_watch(tmp_path / "in")
    async with life(state, {"w": watch}) as scene:
        scene.desk.refusal = EmptyDocument("the document is empty")
        (watch.path / "a.pdf").write_bytes(b"")
        error = watch.output / "a.pdf.error.txt"
        await until(error.exists)
        assert b"the document is empty" in error.read_bytes()
        scene.desk.refusal = None
        (watch.path / "a.pdf").write_bytes(b"a")
        await scene.all_ended(1)
        assert contents(watch.output) == {"a.md": result_of(b"a")}


async def test_a_reload_loses_no_file_and_takes_none_twice(state: Path, tmp_path: Path) -> None:
    first = a_watch(tmp_path / "first")
    other = a_watch(tmp_path / "other", on_success="move")
    async with life(state, {"first": first}) as scene:
        written = 0
        for watches in (
            {"first": first, "other": other},
            {"other": other},
            {"first": dataclasses.replace(first, settle_s=0.1)},
            {"first": first, "other": dataclasses.replace(other, recursive=True)},
            {},
            {"first": first, "other": other},
        ):
            for root in (first.path, other.path):
                (root / f"{written}.pdf").write_bytes(b"%d" % written)
                written += 1
            await scene.reconfigure(watches)
            await asyncio.sleep(0)
        await scene.all_ended(written)
        marks = [(each.watch, each.path) for each in scene.desk.taken]
        assert len(marks) == len(set(marks)) == written
    assert sum(len(contents(each.output)) for each in (first, other)) == written
    assert len(contents(other.done)) == written // 2


async def test_a_watch_that_is_taken_away_and_comes_back_answers_for_its_files(state: Path, tmp_path: Path) -> None:
    watch = a_watch(tmp_path / "in")
    async with life(state, {"w": watch}) as scene:
        await scene.desk.rest()
        (watch.path / "a.pdf").write_bytes(b"a")
        await until(lambda: scene.desk.taken)
        await scene.reconfigure({})
        scene.desk.work()
        while not (await scene.store.list(JobQuery(), None)).jobs[0].deliveries_failed:
            await asyncio.sleep(0.01)
        assert not watch.output.exists()
        await scene.reconfigure({"w": watch})
        await until(lambda: (watch.output / "a.md").exists())
        assert len(await scene.jobs()) == 1


async def test_a_folder_that_goes_away_and_comes_back_is_watched_again(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_watch, "_UNREADABLE_S", 0.1)
    watch = a_watch(tmp_path / "in")
    async with life(state, {"w": watch}) as scene:
        (watch.path / "a.pdf").write_bytes(b"a")
        await scene.all_ended(1)
        watch.path.rename(tmp_path / "away")
        (each,) = scene.watching._folders.values()
        await until(lambda: each._said)
        watch.path.mkdir()
        (watch.path / "b.pdf").write_bytes(b"b")
        await scene.all_ended(2)
        # And its events count, not only the looks now and then.
        monkeypatch.setattr(folder_watch, "RESCAN_S", 3600.0)
        (watch.path / "c.pdf").write_bytes(b"c")
        await scene.all_ended(3)


async def test_hooks_are_told_of_watched_documents_too_or_only_those_that_are_named(
    state: Path, tmp_path: Path
) -> None:
    to = {name: Hook(ResultFolder(tmp_path / name), FINAL) for name in ("one", "other")}
    for name in to:
        (tmp_path / name).mkdir()
    every, some = a_watch(tmp_path / "every"), dataclasses.replace(a_watch(tmp_path / "some"), hooks=("other",))
    async with life(state, {"every": every, "some": some}, to) as scene:
        (every.path / "a.pdf").write_bytes(b"a")
        (some.path / "b.pdf").write_bytes(b"b")
        await scene.all_ended(2)
    assert set(contents(tmp_path / "one")) == {"a.md"}
    assert set(contents(tmp_path / "other")) == {"a.md", "b.md"}


@as_root
async def test_a_user_cannot_have_a_file_of_somebody_else_converted(tmp_path: Path) -> None:
    inbox = tmp_path / "in"
    inbox.mkdir()
    os.chown(inbox, ALICE, ALICE)
    for name, owner, mode in (("root.pdf", 0, 0o600), ("open.pdf", 0, 0o644), ("own.pdf", ALICE, 0o600)):
        (inbox / name).write_bytes(name.encode())
        (inbox / name).chmod(mode)
        os.chown(inbox / name, owner, owner)
    async with life(tmp_path / "state", {"w": a_watch(inbox)}) as scene:
        results = inbox / "results"
        await until(lambda: {each.name for each in results.glob("*")} == {"root.pdf.error.txt", "open.md", "own.md"})
        assert await scene.jobs() in (["open.pdf", "own.pdf"], ["own.pdf", "open.pdf"])
        assert "belongs to user 0, and the folder to user" in (results / "root.pdf.error.txt").read_text()


@as_root
async def test_a_user_cannot_have_results_written_elsewhere(tmp_path: Path) -> None:
    inbox, private = tmp_path / "in", tmp_path / "private"
    inbox.mkdir()
    private.mkdir(0o700)
    (inbox / "results").symlink_to(private)
    (inbox / "a.pdf").write_bytes(b"a")
    for path in (inbox, inbox / "a.pdf", inbox / "results"):
        os.chown(path, ALICE, ALICE, follow_symlinks=False)
    async with life(tmp_path / "state", {"w": a_watch(inbox)}) as scene:

        async def failed() -> bool:
            page = await scene.store.list(JobQuery(), None)
            return any(job.state in FINAL and job.deliveries_due for job in page.jobs)

        while not await failed():
            await asyncio.sleep(0.02)
        while await scene.store.due_deliveries(scene.store.now(), 1):
            await asyncio.sleep(0.02)
        assert not list(private.iterdir())
        # It waits, and comes when the link is gone.
        assert await scene.store.delivery_moments()


@as_root
async def test_a_user_cannot_have_a_folder_of_somebody_else_watched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home, private = tmp_path / "home", tmp_path / "private"
    home.mkdir()
    private.mkdir(0o700)
    (private / "secret.pdf").write_bytes(b"secret")
    (home / "in").symlink_to(private)
    for path in (home, home / "in"):
        os.chown(path, ALICE, ALICE, follow_symlinks=False)
    async with life(tmp_path / "state", {"w": a_watch(home / "in")}) as scene:
        await until(lambda: "leads to a folder of user 0" in caplog.text)
        assert await scene.jobs() == []
    assert [each.name for each in private.iterdir()] == ["secret.pdf"]
