"""A file system that can lose its power: a loop image whose journal and dirty pages are dropped at a moment of choice.

FS_IOC_SHUTDOWN with NOLOGFLUSH (fs/ext4/ext4.h, fs/xfs/libxfs/xfs_fs.h; no man page) stops the file system there and
then: what has not reached the block device is gone, every later write or fsync fails with EIO. What a drive would lose
of its own cache is not simulated: everything that was handed to the loop device counts as written. Root only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

KINDS = ("ext4", "xfs")

_FS_IOC_SHUTDOWN = 0x8004587D
_NOLOGFLUSH = (2).to_bytes(4, "little")
#: An image is sparse; xfs wants at least 300 MB.
SIZE_MB = 600


def why_not(kind: str) -> str | None:
    """Why no such disk can be had here; None when it can."""
    if os.name != "posix" or not hasattr(os, "geteuid"):
        return "power cuts need Linux"
    if os.geteuid() != 0:
        return "power cuts need root: they make and mount loop devices"
    for program in (f"mkfs.{kind}", "mount", "umount"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: {'xfsprogs' if 'xfs' in program else 'e2fsprogs, mount'})"
    if not Path("/dev/loop-control").exists():
        return "there are no loop devices (/dev/loop-control)"
    try:
        with LosableDisk(kind):
            return None
    except OSError as error:
        return f"a loop device cannot be mounted here: {error}"


def cut(mounted: Path) -> None:
    """Stops the file system now; any process of root's may call it."""
    fd = os.open(mounted, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, _FS_IOC_SHUTDOWN, _NOLOGFLUSH)
    finally:
        os.close(fd)


class LosableDisk:
    """A mounted file system for the length of a block; OSError says what could not be done."""

    def __init__(self, kind: str, size_mb: int = SIZE_MB, inodes: int = 300_000) -> None:
        self.kind = kind
        self._size_mb = size_mb
        self._inodes = inodes
        self._folder = Path()
        #: Where it is mounted.
        self.path = Path()
        self._loop = ""

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="ndfd-crash-"))
        # Other users go through it to the sockets of a daemon.
        self._folder.chmod(0o711)
        self.path = self._folder / "disk"
        self.path.mkdir()
        try:
            with self._image.open("wb") as image:
                image.truncate(self._size_mb << 20)
            # xfs makes inodes as they are needed.
            more = ("-N", str(self._inodes)) if self.kind == "ext4" else ()
            _do(f"mkfs.{self.kind}", "-q", *more, str(self._image))
            self._mount()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._unmount()
        shutil.rmtree(self._folder, ignore_errors=True)

    def lose_power(self) -> None:
        """Cuts the power, if nobody has yet, and mounts what is left; no process may have a file of it open."""
        try:
            cut(self.path)
        except OSError as error:
            # An xfs without power cannot even be opened.
            if error.errno != errno.EIO:
                raise
        self._unmount()
        self._mount()

    @property
    def _image(self) -> Path:
        return self._folder / "image"

    def _mount(self) -> None:
        # A device of its own each time: another mount namespace (a container that was started meanwhile) may still hold
        # the file system without power, and mount(8) would find the device of it.
        self._loop = _do("losetup", "--find", "--show", str(self._image)).strip()
        _do("mount", self._loop, str(self.path))
        self.path.chmod(0o755)

    def _unmount(self) -> None:
        # A process that was killed lets go of its files a moment after its parent has heard of its end (its threads').
        until = time.monotonic() + 10
        while True:
            try:
                _do("umount", str(self.path))
                _do("losetup", "--detach", self._loop)
                return
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.005)


def _do(*command: str) -> str:
    """What the program said; OSError with its complaint."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command[:2])}: {done.stderr.strip() or f'status {done.returncode}'}")
    return done.stdout
