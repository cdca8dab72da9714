"""Folders opened by a path whose parts belong to several users: made by root with real owners."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest

from ndfd.platform import files

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="other systems follow every link"),
    pytest.mark.skipif(sys.platform != "win32" and os.geteuid() != 0, reason="only root gives files to others"),
]

ALICE, BOB = 54321, 54322


def made(path: Path, owner: int = 0) -> Path:
    path.mkdir(parents=True)
    os.chown(path, owner, owner)
    return path


def link(path: Path, target: Path | str, owner: int = 0) -> Path:
    path.symlink_to(target)
    os.chown(path, owner, owner, follow_symlinks=False)
    return path


def opened(path: Path, *, make: bool = False) -> Path:
    """Where it leads."""
    fd, way = files.open_folder(path, make=make)
    try:
        assert os.path.samestat(way[-1], os.fstat(fd))
        return Path(f"/proc/self/fd/{fd}").readlink()
    finally:
        os.close(fd)


def test_a_path_is_opened_as_the_kernel_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = made(tmp_path / "a" / "b")
    link(tmp_path / "absolute", there)
    link(tmp_path / "relative", "a/../a/./b")
    link(tmp_path / "twice", "relative")
    for name in ("a/b", "absolute", "relative", "twice", "a/../twice"):
        assert opened(tmp_path / name) == there
    monkeypatch.chdir(tmp_path)
    assert opened(Path("a/b")) == there
    assert opened(Path("/")) == Path("/")


def test_what_cannot_be_opened_says_so_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    link(tmp_path / "circle", "circle")
    for name, kind in (("none", FileNotFoundError), ("file", NotADirectoryError), ("circle", OSError)):
        with pytest.raises(kind) as caught:
            opened(tmp_path / name)
        assert caught.value.filename == str(tmp_path / name)


def test_the_operators_links_are_followed_anywhere(tmp_path: Path) -> None:
    assert opened(link(tmp_path / "link", made(tmp_path / "alices", ALICE))) == tmp_path / "alices"
    assert opened(link(tmp_path / "other", made(tmp_path / "roots"))) == tmp_path / "roots"


def test_a_users_link_leads_to_nothing_but_what_is_that_users(tmp_path: Path) -> None:
    home = made(tmp_path / "home", ALICE)
    for owner in (ALICE, BOB, 0):
        made(tmp_path / str(owner), owner)
        link(home / str(owner), tmp_path / str(owner), ALICE)
    assert opened(home / str(ALICE)) == tmp_path / str(ALICE)
    for owner in (BOB, 0):
        with pytest.raises(PermissionError, match=f"user {ALICE} made or may move leads to a folder of user {owner}"):
            opened(home / str(owner))
    # Nor through one of its own to what it may not reach.
    link(tmp_path / str(ALICE) / "further", tmp_path / "0", ALICE)
    with pytest.raises(PermissionError):
        opened(home / str(ALICE) / "further")


def test_a_link_that_root_made_in_a_users_folder_is_the_users_to_rename(tmp_path: Path) -> None:
    home, private = made(tmp_path / "home", ALICE), made(tmp_path / "private")
    link(home / "link", private)
    with pytest.raises(PermissionError):
        opened(home / "link")


def test_folders_that_are_missing_are_made_and_never_behind_a_users_link(tmp_path: Path) -> None:
    home, private = made(tmp_path / "home", ALICE), made(tmp_path / "private")
    assert opened(home / "out" / "results", make=True) == home / "out" / "results"
    link(home / "bent", private, ALICE)
    with pytest.raises(PermissionError):
        opened(home / "bent" / "results", make=True)
    link(home / "dangling", tmp_path / "new", ALICE)
    with pytest.raises(FileNotFoundError):
        opened(home / "dangling", make=True)
    assert not list(private.iterdir())
    assert not (tmp_path / "new").exists()


def test_no_descriptor_is_left_of_what_was_refused(tmp_path: Path) -> None:
    link(made(tmp_path / "home", ALICE) / "bent", made(tmp_path / "private"), ALICE)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("home/bent", "home/none", "home"):
        with contextlib.suppress(OSError):
            opened(tmp_path / name)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
