"""Small disks of our own that can be filled, spoilt and made read-only: files behind loop devices."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KINDS = ("ext4", "xfs", "tmpfs")
#: xfs makes none smaller.
_BYTES = {"ext4": 80_000_000, "xfs": 320_000_000, "tmpfs": 80_000_000}


class Disk:
    """A file system that is mounted at `folder`."""

    def __init__(self, kind: str, folder: Path, image: Path | None) -> None:
        self.kind = kind
        self.folder = folder
        self._image = image
        self._ballast = folder / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Takes all space but so many bytes."""
        with self._ballast.open("ab", buffering=0) as file:
            while (free := self.free() - leave) > 4096:
                try:
                    file.write(bytes(min(free, 1 << 20)))
                except OSError:
                    break
            if leave:
                return
            for size in (4096, 512, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def relieve(self) -> None:
        """Gives the space back."""
        self._ballast.unlink()

    def free(self) -> int:
        """Bytes that this user may still write."""
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def turn_read_only(self) -> None:
        """As the kernel does when it finds the disk at fault."""
        source = _run("findmnt", "-no", "SOURCE", self.folder).stdout.strip()
        trigger = Path("/sys/fs/ext4", Path(source).name, "trigger_fs_error")
        if not trigger.exists():
            pytest.skip(f"this kernel lets nobody find a disk at fault: no {trigger}")
        trigger.write_text("a test")

    def repair(self) -> None:
        """Checks it and mounts it anew; nobody may have a file of it open."""
        assert self._image is not None
        _run("umount", self.folder)
        _run("e2fsck", "-fy", self._image, statuses=(0, 1))
        _run("mount", "-o", "loop", self._image, self.folder)


@contextmanager
def mounted(kind: str, place: Path) -> Iterator[Disk]:
    """A small one, for the length of the block; the test is skipped where there can be none."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    folder, image = place / "disk", place / "image"
    folder.mkdir()
    if kind == "tmpfs":
        _mount("-t", "tmpfs", "-o", f"size={_BYTES[kind]}", "none", folder)
        image_or_none = None
    else:
        if shutil.which(f"mkfs.{kind}") is None:
            pytest.skip(f"there is no mkfs.{kind}")
        with image.open("xb") as file:
            file.truncate(_BYTES[kind])
        # Of ext4: without what only root may use, so that a full disk is full for everybody.
        options = ("-m", "0", "-E", "nodiscard") if kind == "ext4" else ()
        _run(f"mkfs.{kind}", "-q", *options, image)
        _mount("-o", "loop" + (",errors=remount-ro" if kind == "ext4" else ""), image, folder)
        image_or_none = image
    try:
        yield Disk(kind, folder, image_or_none)
    finally:
        _run("umount", "-l", folder)


def _mount(*arguments: str | Path) -> None:
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")


def _run(*command: str | Path, statuses: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode in statuses, (command, done.stdout, done.stderr)
    return done
