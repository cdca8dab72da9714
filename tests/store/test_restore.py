"""A backup is believed nothing, and a state folder is exchanged whole or stays as it was."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from ndfd.errors import BackupError, InputError, OutputError, StoreError
from ndfd.model.jobs import BackupReport, JobQuery
from ndfd.store import exchange
from ndfd.store.archive import ArchiveReader, ArchiveWriter, header
from ndfd.store.manifest import Manifest
from ndfd.store.restore import restore, verify
from tests.store.work import finished, result_of, spooled, started, submitted

File = tuple[str, bytes]


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a store with a finished job and one that waits."""
    folder = tmp_path_factory.mktemp("backup")

    async def scenario() -> None:
        async with started(folder / "state") as store:
            await finished(store, await submitted(store, b"document"), b"result")
            await submitted(store, b"waits")
            with (folder / "file").open("xb") as file:
                await store.backup(file.fileno())

    asyncio.run(scenario())
    return folder / "file"


def files_of(path: Path) -> list[File]:
    with tarfile.open(path) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]


def summed(files: list[File]) -> list[File]:
    """With the list of checksums that fits: whoever forges a backup makes that as well."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files[:-1]]
    return [*files[:-1], ("SHA256SUMS", "".join(lines).encode())]


def archive_of(files: list[File]) -> bytes:
    sink = io.BytesIO()
    archive = ArchiveWriter(lambda data: sink.write(data) and None, 1_700_000_000)
    for name, content in files:
        archive.add(name, content)
    archive.close()
    return sink.getvalue()


def refused(folder: Path, content: bytes, match: str) -> None:
    """Neither looked at nor put in place, and nothing is left of it."""
    path = folder / "forged"
    path.write_bytes(content)
    (folder / "state").mkdir()
    before = sorted(folder.rglob("*"))
    with pytest.raises(BackupError, match=match):
        verify(path, scratch=folder)
    with pytest.raises(BackupError, match=match):
        restore(path, folder / "state")
    lock = folder / "state" / "lock"
    assert sorted(entry for entry in folder.rglob("*") if entry != lock) == before


def test_forging_tools_make_what_the_daemon_makes(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").write_bytes(archive_of(summed(files_of(backup))))
    assert verify(tmp_path / "copy").jobs == 2


def test_every_flipped_byte_is_found(backup: Path, tmp_path: Path) -> None:
    content = backup.read_bytes()
    with pytest.raises(BackupError):
        verify_bytes(tmp_path, content[:-1])
    # Some of the whole file, and all kinds of fields: of the first headers, of what stands in the first and last files.
    places = {
        *range(0, len(content), len(content) // 80),
        *range(0, 2048, 17),
        *range(len(content) - 6000, len(content), 97),
    }
    for place in sorted(places):
        spoilt = bytearray(content)
        spoilt[place] ^= 0x20
        with pytest.raises(BackupError):
            verify_bytes(tmp_path, bytes(spoilt))


def verify_bytes(folder: Path, content: bytes) -> BackupReport:
    path = folder / "spoilt"
    path.write_bytes(content)
    return verify(path)


def test_one_that_is_cut_short_anywhere_is_refused(backup: Path, tmp_path: Path) -> None:
    content = backup.read_bytes()
    for size in (0, 1, 511, 512, 1024, len(content) // 2, len(content) - 1024, len(content) - 512):
        with pytest.raises(BackupError):
            verify_bytes(tmp_path, content[:size])


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"", "is no backup"), (b"%PDF-1.7" * 200, "is no backup"), (bytes(4096), "follows the end")],
    ids=["empty", "a document", "zeros"],
)
def test_what_is_none_is_told_so(tmp_path: Path, content: bytes, match: str) -> None:
    refused(tmp_path, content, match)


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode, info.mtime = kind, target, size, 0o600, 1_700_000_000
    return info.tobuf(tarfile.USTAR_FORMAT)


HOSTILE = {
    "a path upwards": entry("../../etc/cron.d/evil", size=0),
    "an absolute path": entry("/etc/passwd"),
    "a symbolic link": entry("spool", tarfile.SYMTYPE, "/etc"),
    "a hard link": entry("jobs.db", tarfile.LNKTYPE, "/etc/shadow"),
    "a device": entry("jobs.db", tarfile.CHRTYPE),
    "a pipe": entry("jobs.db", tarfile.FIFOTYPE),
    "a folder": entry("spool", tarfile.DIRTYPE),
    "an extended header with a path": tarfile.TarInfo("x").create_pax_global_header({"path": "/etc/passwd"}),
    "a GNU long name": entry("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=1 << 30),
    "a sparse file": entry("jobs.db", tarfile.GNUTYPE_SPARSE),
    "a negative size": header("jobs.db", 0, 1_700_000_000)[:124] + b"\xff" * 12 + bytes(376),
    "another program's file": entry("jobs.db").replace(b"0000600", b"0000644"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_entry_that_no_backup_has_is_refused_unread(backup: Path, tmp_path: Path, name: str) -> None:
    first = backup.read_bytes()[:1024]
    refused(tmp_path, first + HOSTILE[name] + bytes(8192), r"not as a backup is written|stands where jobs\.db belongs")


def without_result(files: list[File]) -> list[File]:
    return [file for file in files if file[1] != b"result"]


def twice(files: list[File]) -> list[File]:
    return [*files[:3], *files[2:]]


def other_order(files: list[File]) -> list[File]:
    return [*files[:2], files[3], files[2], *files[4:]]


def one_more(files: list[File]) -> list[File]:
    digest = hashlib.sha256(b"more").hexdigest()
    return (
        sorted([*files[:-2], (f"spool/{digest[:2]}/{digest[2:]}", b"more")], key=lambda file: file[0] > "n")
        + files[-2:]
    )


def other_bytes(files: list[File]) -> list[File]:
    return [(name, b"RESULT" if content == b"result" else content) for name, content in files]


def larger(files: list[File]) -> list[File]:
    return [(name, content * 2 if content == b"result" else content) for name, content in files]


def after_the_end(files: list[File]) -> list[File]:
    return [*files, ("etc/passwd", b"")]


def huge_manifest(files: list[File]) -> list[File]:
    return [*files[:-2], ("manifest.json", b" " * 3_000_000), files[-1]]


def said_to_be_damaged(files: list[File]) -> list[File]:
    manifest = msgspec.json.decode(files[-2][1], type=Manifest)
    digest = hashlib.sha256(b"result").hexdigest()
    return [*files[:-2], ("manifest.json", msgspec.json.encode(Manifest(manifest.report, (digest,), ()))), files[-1]]


def newer(files: list[File]) -> list[File]:
    return [(files[0][0], files[0][1].replace(b'"format":1', b'"format":9')), *files[1:]]


FORGERIES: dict[str, tuple[Callable[[list[File]], list[File]], str]] = {
    "a file left out": (without_result, "missing that were there"),
    "a file twice": (twice, "none of the files|stands where"),
    "another order": (other_order, "none of the files|stands where"),
    "a file too many": (one_more, "none of the files|stands where"),
    "other bytes": (other_bytes, "spool/.* is damaged"),
    "a larger file": (larger, "and its database says"),
    "a file after the last": (after_the_end, "follows the list"),
    "a huge manifest": (huge_manifest, "at most"),
    "a sound file said to be damaged": (said_to_be_damaged, "missing that were there"),
    "a later form": (newer, "a backup of form 9"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_whose_checksums_fit_is_refused(backup: Path, tmp_path: Path, name: str) -> None:
    forge, match = FORGERIES[name]
    files = forge(files_of(backup))
    refused(tmp_path, archive_of(files if name == "a file after the last" else summed(files)), match)


def test_checksums_of_something_else_are_refused(backup: Path, tmp_path: Path) -> None:
    files = files_of(backup)
    sums = files[-1][1].replace(b"  manifest", b"  Manifest")
    refused(tmp_path, archive_of([*files[:-1], (files[-1][0], sums)]), "list of checksums")


DATABASES = {
    "a trigger": "CREATE TRIGGER evil AFTER UPDATE ON jobs BEGIN DELETE FROM jobs; END",
    "a view in a table's place": "DROP TABLE labels; CREATE VIEW labels AS SELECT 1 AS job, 2 AS name, 3 AS value",
    "an index with code": "CREATE INDEX evil ON jobs (hex(zeroblob(100)))",
    "a table more": "CREATE TABLE more (x)",
    "a version to come": "PRAGMA user_version = 99",
    "another program's": "PRAGMA application_id = 1",
    "files that no job should name": "INSERT INTO blobs VALUES (zeroblob(32), 5, 1)",
}


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_that_ndfd_did_not_make_is_refused(backup: Path, tmp_path: Path, name: str) -> None:
    files = files_of(backup)
    path = tmp_path / "db"
    path.write_bytes(files[1][1])
    with closing(sqlite3.connect(path)) as database:
        database.executescript(DATABASES[name])
    files[1] = ("jobs.db", path.read_bytes())
    path.unlink()
    refused(tmp_path, archive_of(summed(files)), "its database|missing that were there")


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(4080), b"no database" * 1000])
def test_a_database_that_is_none_is_refused(backup: Path, tmp_path: Path, content: bytes) -> None:
    files = files_of(backup)
    files[1] = ("jobs.db", content)
    refused(tmp_path, archive_of(summed(files)), "its database")


def test_a_size_beyond_eight_gigabytes_has_a_header_that_every_tar_knows() -> None:
    blocks = header("spool/ab/cd", 9_000_000_000, 1_700_000_000)
    with tarfile.open(fileobj=io.BytesIO(blocks + bytes(1024))) as archive:
        info = archive.next()
    assert info is not None
    assert (info.name, info.size, info.mtime) == ("spool/ab/cd", 9_000_000_000, 1_700_000_000)
    member = ArchiveReader(io.BytesIO(blocks), "x").next()
    assert member == ("spool/ab/cd", 9_000_000_000)


# The exchange


def test_a_folder_that_holds_something_is_only_replaced_when_that_is_said_and_then_kept(
    backup: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"

    async def other() -> None:
        async with started(state) as store:
            await submitted(store, b"other")

    asyncio.run(other())
    state.chmod(0o750)
    with pytest.raises(StoreError, match="not empty") as caught:
        restore(backup, state)
    assert "--replace" in caught.value.hint
    report, former = restore(backup, state, replace=True)
    assert former is not None
    assert former.name.startswith("state.before-")
    assert [path.read_bytes() for path in spooled(former)] == [b"other"]
    assert (report.jobs, len(spooled(state)), state.stat().st_mode & 0o777) == (2, 3, 0o750)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["state", former.name])

    async def restored() -> None:
        async with started(state) as store:
            jobs = [job for job in (await store.list(JobQuery(), None)).jobs if job.state == "succeeded"]
            assert await result_of(store, jobs[0]) == b"result"

    asyncio.run(restored())


def test_a_daemon_that_runs_keeps_its_folder_and_is_named(backup: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path / "state"):
            with pytest.raises(StoreError, match=rf"in use .* \(pid {os.getpid()}\)"):
                restore(backup, tmp_path / "state", replace=True)

    asyncio.run(scenario())


def test_no_daemon_starts_while_one_is_restored(backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def put(place: exchange.Place) -> Path | None:
        for folder in (place.folder, place.beside):
            with pytest.raises(StoreError, match="in use"):
                asyncio.run(_start(folder))
            tried.append(folder)
        return None

    (tmp_path / "state").mkdir()
    monkeypatch.setattr(exchange.Place, "exchange", put)
    restore(backup, tmp_path / "state")
    assert len(tried) == 2


async def _start(folder: Path) -> None:
    async with started(folder):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_gives_the_new_files_to_whom_the_old_ones_belonged(backup: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 1234, 4321)
    restore(backup, state)
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in (state, *state.rglob("*"))}
    assert owners == {(1234, 4321)}
    assert {path.stat().st_mode & 0o077 for path in state.rglob("*")} == {0}


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder = tmp_path / "mounted"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m,mode=700", "none", folder], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_folder_that_is_a_file_systems_root_is_exchanged_from_within(backup: Path, mounted: Path) -> None:
    assert restore(backup, mounted)[1] is None
    with pytest.raises(StoreError, match="not empty"):
        restore(backup, mounted)
    (mounted / "spool" / "mark").write_text("of the former one")
    _report, former = restore(backup, mounted, replace=True)
    assert former is not None
    assert former.parent == mounted
    assert (former / "spool" / "mark").exists()
    assert not (mounted / "spool" / "mark").exists()
    assert sorted(path.name for path in mounted.iterdir()) == sorted([former.name, "jobs.db", "lock", "spool"])
    asyncio.run(_start(mounted))


def test_a_full_disk_leaves_everything_as_it_was(backup: Path, mounted: Path) -> None:
    state = mounted / "state"
    state.mkdir()
    (mounted / "ballast").write_bytes(bytes(20_900_000))
    with pytest.raises(OutputError, match=r"needed and \d+ are free"):
        restore(backup, state)
    # The same when it is not known beforehand how much is needed.
    reading, writing = os.pipe()
    with subprocess.Popen(["cat", backup], stdout=writing, stderr=subprocess.DEVNULL):
        os.close(writing)
        with pytest.raises(OutputError, match="No space left"):
            restore(Path(f"/proc/self/fd/{reading}"), state)
        os.close(reading)
    assert sorted(path.name for path in mounted.rglob("*") if path.name != "lock") == ["ballast", "state"]


def test_what_a_killed_restore_left_is_removed_by_the_next_one(backup: Path, tmp_path: Path) -> None:
    left = tmp_path / ".state.restore-0123"
    (left / "spool").mkdir(parents=True)
    restore(backup, tmp_path / "state")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]


def test_an_interruption_leaves_nothing(backup: Path, tmp_path: Path) -> None:
    def interrupt(done: int, _all: int | None) -> None:
        if done > 20_000:
            raise KeyboardInterrupt

    (tmp_path / "state").mkdir()
    with pytest.raises(KeyboardInterrupt):
        restore(backup, tmp_path / "state", progress=interrupt)
    assert [path.name for path in tmp_path.rglob("*")] == ["state", "lock"]
    with pytest.raises(KeyboardInterrupt):
        verify(backup, scratch=tmp_path, progress=interrupt)
    assert [path.name for path in tmp_path.rglob("*")] == ["state", "lock"]


def test_progress_goes_up_to_the_whole(backup: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    verify(backup, progress=lambda done, size: told.append((done, size)))
    assert told == sorted(told)
    assert {size for _done, size in told} == {backup.stat().st_size}
    assert told[-1][0] > backup.stat().st_size * 0.9


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        verify(tmp_path / "none")
    with pytest.raises(InputError, match="directory"):
        verify(tmp_path)


def test_a_state_folder_that_is_a_link_stays_one(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "state").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "private" / "state")
    restore(backup, tmp_path / "state")
    assert (tmp_path / "state").is_symlink()
    assert (tmp_path / "private" / "state" / "jobs.db").is_file()


def test_a_copy_of_a_restored_folder_is_one_too(backup: Path, tmp_path: Path) -> None:
    restore(backup, tmp_path / "state")
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    asyncio.run(_start(tmp_path / "copy"))
