"""Files put into folders and put away, with real files and what a crash leaves of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.dispatch import sources
from ndfd.dispatch.file_names import OutputName
from ndfd.dispatch.placing import folder, put
from ndfd.dispatch.sources import mark_of
from ndfd.errors import DocumentChanged
from ndfd.platform import storage
from ndfd.platform.base_files import Files

NAME = OutputName("a", ".md")
SHM = Path("/dev/shm")


@pytest.fixture(params=["without a name", "under a name of its own"], autouse=True)
def staged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How a file is written before it has its name: some file systems have no files without one."""
    if request.param != "without a name":
        monkeypatch.setattr(storage, "open_unnamed", lambda folder, mode: None)


def place(path: Path, content: bytes, number: str = "1") -> str:
    with folder(path) as fd:
        return put(fd, NAME, number, content)


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


def mark(path: Path) -> str:
    return mark_of(path.lstat())


def test_what_is_put_again_is_there_once(tmp_path: Path) -> None:
    assert [place(tmp_path, b"x") for _ in range(3)] == ["a.md"] * 3
    assert names(tmp_path) == ["a.md"]


def test_what_is_there_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"other")
    assert place(tmp_path, b"x", "7") == place(tmp_path, b"x", "7") == "a-7.md"
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"a.md": b"other", "a-7.md": b"x"}


@pytest.mark.parametrize("kind", ["folder", "link", "fifo", "dangling link"])
def test_whatever_has_the_name_stays(tmp_path: Path, kind: str) -> None:
    there, elsewhere = tmp_path / "a.md", tmp_path / "elsewhere"
    match kind:
        case "folder":
            there.mkdir()
        case "link":
            elsewhere.write_bytes(b"x")
            there.symlink_to(elsewhere)
        case "fifo":
            os.mkfifo(there)
        case _:
            there.symlink_to(elsewhere)
    before = there.lstat()
    assert place(tmp_path, b"x") == "a-1.md"
    assert there.lstat() == before
    assert kind == "link" or not elsewhere.exists()


def test_what_a_crash_has_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".ndfd-1.part").symlink_to(tmp_path / "elsewhere")
    assert place(tmp_path, b"x") == "a.md"
    assert names(tmp_path) == ["a.md"]


def test_a_link_below_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "sub").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match=r"."), folder(tmp_path / "inbox", "sub/deeper", make=True):
        pass
    with folder(tmp_path / "inbox", "real/deeper", make=True) as fd:
        put(fd, NAME, "1", b"x")
    assert (tmp_path / "inbox/real/deeper/a.md").read_bytes() == b"x"
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_document_is_moved_once_and_never_onto_another(tmp_path: Path) -> None:
    document, done = tmp_path / "a.pdf", tmp_path / "done"
    document.write_bytes(b"x")
    was = mark(document)
    for _ in range(3):
        sources.move(tmp_path, "a.pdf", was, "d1", done)
    document.write_bytes(b"second")
    sources.move(tmp_path, "a.pdf", mark(document), "d2", done)
    assert {each.name: each.read_bytes() for each in done.iterdir()} == {"a.pdf": b"x", "a-d2.pdf": b"second"}
    assert names(tmp_path) == ["done"]


@pytest.mark.parametrize("how", ["move", "delete"])
def test_a_document_that_has_changed_stays(tmp_path: Path, how: str) -> None:
    document = tmp_path / "a.pdf"
    document.write_bytes(b"x")
    was = mark(document)
    document.write_bytes(b"changed")
    put_away(tmp_path, how, was)
    assert document.read_bytes() == b"changed"


def put_away(tmp_path: Path, how: str, was: str) -> None:
    if how == "move":
        sources.move(tmp_path, "a.pdf", was, "d1", tmp_path / "done")
    else:
        sources.delete(tmp_path, "a.pdf", was, "d1")


@pytest.mark.parametrize("how", ["move", "delete"])
def test_a_document_that_takes_the_name_in_the_very_moment_is_given_it_back(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tmp_path / "a.pdf"
    document.write_bytes(b"x")
    was, rename = mark(document), platform.files.rename_new

    def late(old: str, new: str, old_fd: int, new_fd: int) -> None:
        """Before the renaming, and after it was looked whether it is the one."""
        if old == "a.pdf" and document.exists() and document.read_bytes() == b"x":
            (tmp_path / "new").write_bytes(b"newer")
            (tmp_path / "new").rename(document)
        rename(old, new, old_fd, new_fd)

    monkeypatch.setattr(platform.files, "rename_new", late)
    put_away(tmp_path, how, was)
    assert document.read_bytes() == b"newer"
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [document]


def test_a_deletion_that_a_crash_cut_in_two_is_brought_to_its_end(tmp_path: Path) -> None:
    document = tmp_path / "a.pdf"
    document.write_bytes(b"x")
    was = mark(document)
    document.rename(tmp_path / ".ndfd-d1.taken")
    document.write_bytes(b"another")
    sources.delete(tmp_path, "a.pdf", was, "d1")
    assert names(tmp_path) == ["a.pdf"]
    assert document.read_bytes() == b"another"


@pytest.mark.skipif(not SHM.is_dir(), reason="no second file system")
def test_between_file_systems_it_is_copied_and_then_removed(tmp_path: Path) -> None:
    if SHM.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system")
    done = SHM / f"ndfd-test-{os.getpid()}"
    document = tmp_path / "a.pdf"
    document.write_bytes(b"x" * 100_000)
    was = mark(document)
    try:
        for _ in range(2):
            sources.move(tmp_path, "a.pdf", was, "d1", done)
        assert (done / "a.pdf").read_bytes() == b"x" * 100_000
        assert names(done) == ["a.pdf"]
        assert list(tmp_path.iterdir()) == []
    finally:
        for each in done.iterdir():
            each.unlink()
        done.rmdir()


def test_a_file_that_somebody_writes_to_is_not_opened(tmp_path: Path) -> None:
    document = tmp_path / "a.pdf"
    with document.open("wb") as writer:
        writer.write(b"x")
        writer.flush()
        with pytest.raises(DocumentChanged):
            sources.open_source(tmp_path, "a.pdf", mark(document))
    os.close(sources.open_source(tmp_path, "a.pdf", mark(document)))
    with pytest.raises(DocumentChanged):
        sources.open_source(tmp_path, "a.pdf", "1:2:3:4")


def test_whoever_writes_while_it_is_looked_does_not_end_this_process(tmp_path: Path) -> None:
    # A lease that is broken is told by a signal, which ends a process that did not choose another.
    import fcntl
    import signal
    import threading

    document = tmp_path / "a.pdf"
    document.write_bytes(b"x")
    fd = os.open(document, os.O_RDONLY)
    fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    writer = threading.Thread(target=lambda: document.open("ab").close())
    writer.start()
    while fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_RDLCK:
        pass
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    writer.join()
    assert platform.files.has_writer(fd) is False
    os.close(fd)


@pytest.mark.parametrize("files", [platform.files, Files()], ids=["of this system", "portable"])
def test_a_renaming_refuses_a_name_that_is_taken(tmp_path: Path, files: Files) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").symlink_to("nowhere")
    with folder(tmp_path) as fd:
        with pytest.raises(FileExistsError):
            files.rename_new("a", "b", fd, fd)
        files.rename_new("a", "c", fd, fd)
        with pytest.raises(FileNotFoundError):
            files.rename_new("a", "d", fd, fd)
    assert names(tmp_path) == ["b", "c"]
