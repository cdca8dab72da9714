"""What the store must tell nobody: whose the bytes are that it has, and what others could have it do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import pytest

from ndfd.errors import QuotaExceeded, StoreError
from ndfd.model.jobs import JobQuery
from ndfd.platform import storage
from ndfd.store import Store, submission, transitions
from ndfd.store.exchange import Place
from ndfd.store.reading import PAGE_BYTES
from ndfd.store.spool import Spool
from tests.store.opened import ALICE, BOB, memory, opened, run, submit, succeed

as_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root gives folders to others; other systems do not tell"
)


def steps_of_link(spool: Spool, data: bytes, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to names when these bytes get theirs, and whether blocks are given back meanwhile."""
    done: list[str] = []
    with memory(data) as fd:
        staged = spool.stage(fd)
    folder_fd = storage.open_folder(spool.path(staged.hash).parent)
    try:
        with monkeypatch.context() as patched:
            for name in ("link", "unlink", "replace", "rename", "close"):
                known = getattr(os, name)

                def told(*given: object, _known: object = known, _name: str = name, **named: object) -> object:
                    done.append(_name)
                    return _known(*given, **named)  # type: ignore[operator]

                patched.setattr(os, name, told)
            spool.link(staged, folder_fd)
    finally:
        os.close(folder_fd)
        staged.discard()
    return done


def test_a_document_that_is_there_gets_its_name_by_the_same_steps_as_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path / "spool")
    new = steps_of_link(spool, b"a document", monkeypatch)
    assert steps_of_link(spool, b"a document", monkeypatch) == new
    assert "close" not in new
    spool.close()


def _held(path: Path) -> int:
    """Descriptors of this process on files that have lost this name."""
    count = 0
    for each in Path("/proc/self/fd").iterdir():
        try:
            count += str(each.readlink()) == f"{path} (deleted)"
        except FileNotFoundError:
            continue
    return count


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_blocks_of_what_is_removed_are_given_back_after_the_answer(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with memory(b"x" * 1000) as fd:
        staged = spool.stage(fd)
    folder_fd = storage.open_folder(spool.path(staged.hash).parent)
    spool.link(staged, folder_fd)
    path = spool.path(staged.hash)
    staged.discard()
    os.close(folder_fd)
    spool.unlink(staged.hash)
    assert not path.exists()
    assert _held(path) == 1
    spool.close()
    assert _held(path) == 0


def test_the_counts_do_not_tell_whether_somebody_else_has_the_document(tmp_path: Path) -> None:
    async def grown(folder: Path, *, of_another: bool) -> tuple[int, int]:
        async with opened(folder) as store:
            if of_another:
                await succeed(store, (await submit(store, b"secret", ALICE)).job)
            before = store.totals()
            await submit(store, b"secret", BOB)
            after = store.totals()
            return after.bytes_live - before.bytes_live, after.bytes_finished - before.bytes_finished

    assert run(grown(tmp_path / "a", of_another=True)) == run(grown(tmp_path / "b", of_another=False))


@as_root
def test_a_state_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, ALICE, ALICE)
    with pytest.raises(StoreError, match=f"belongs to user {ALICE}"):
        Store.open(folder)
    assert list(folder.iterdir()) == []
    with pytest.raises(StoreError, match=f"lies in a folder of user {ALICE}"):
        Store.open(folder / "within")
    (tmp_path / "link").symlink_to(tmp_path / "other")
    (tmp_path / "other").mkdir()
    os.chown(tmp_path / "link", ALICE, ALICE, follow_symlinks=False)
    with pytest.raises(StoreError, match="a link that user"):
        Store.open(tmp_path / "link")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_a_state_folder_that_others_can_change_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(StoreError, match="can be changed by other users"):
        Store.open(folder)
    with pytest.raises(StoreError, match="every user can change"):
        Store.open(folder / "within")
    # In such a folder as /tmp nobody else can take its place.
    folder.chmod(0o1777)
    Store.open(folder / "within")._close()


@as_root
def test_what_is_restored_is_its_owners_only_when_it_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, ALICE, ALICE)
    with Place.take(folder, replace=False) as place:
        # Nobody but root can put a link where the next file is to go.
        status = place.beside.stat()
        assert (status.st_uid, status.st_mode & 0o077) == (0, 0)
        assert place.owner is not None
        assert place.owner.uid == ALICE
        place.exchange()
    assert folder.stat().st_uid == ALICE


def test_a_page_of_large_jobs_ends_before_it_is_too_large(tmp_path: Path) -> None:
    labels = {f"label{each}": "\N{GRINNING FACE}" * 255 for each in range(32)}

    async def body() -> None:
        async with opened(tmp_path) as store:
            ids = [(await submit(store, b"%d" % each, labels=labels)).job.id for each in range(150)]
            seen: list[str] = []
            pages = 0
            cursor = None
            while pages == 0 or cursor is not None:
                page = await store.list(JobQuery(cursor=cursor, limit=1000), None)
                assert len(msgspec.json.encode(page)) < 2 * PAGE_BYTES
                seen += [job.id for job in page.jobs]
                cursor, pages = page.cursor, pages + 1
            assert seen == sorted(ids, reverse=True)
            assert pages > 1

    run(body())


def test_what_costs_its_owner_nothing_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transitions, "HISTORY_MAX", 10)
    monkeypatch.setattr(submission, "KEYS_MAX", 3)

    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store, key="0")).job
            for _ in range(20):
                await store.cancel(job.id, None)
                await store.retry(job.id, None)
            history = await store.history(job.id, None)
            assert len(history) == 11
            assert history[0].event == "accepted"
            for key in "12":
                assert (await submit(store, key=key)).job.id == job.id
            with pytest.raises(QuotaExceeded, match="has 3 keys already"):
                await submit(store, key="3")
            # Those that it has go on to stand for it.
            assert (await submit(store, key="2")).reused

    run(body())
