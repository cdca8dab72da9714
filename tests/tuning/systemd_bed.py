"""A real systemd to install into, by a program that NDFD_SYSTEMD_BED names: `PROGRAM -b v1 -n NAME VERB …`.

Its verbs: `up FILE.tar` boots a throw-away root with that unpacked into it, `exec COMMAND…` runs one there (standard
output and exit status are its own), `down` ends it. The kernel is the host's, and so are most of its settings.
"""

from __future__ import annotations

import importlib.metadata
import io
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "packaging" / "systemd" / "ndfd-tune.service"

#: Where the test puts ndfd there.
_LIBRARY = PurePosixPath("usr/lib/ndfd")
_COMMAND = f"""#!/usr/bin/python3 -I
import sys
sys.path.insert(0, "/{_LIBRARY}")
from ndfd.cli import main
sys.exit(main())
"""
_LOCKED = re.compile(r"^([A-Za-z0-9_.-]+)==", re.MULTILINE)
_LIMIT_S = 100.0


class SystemdBed:
    """Up for the length of a block."""

    def __init__(self, program: str, name: str, payload: Path) -> None:
        self._command = [program, "-b", "v1", "-n", name]
        self._payload = payload

    def __enter__(self) -> Self:
        self._run("up", str(self._payload), check=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run("down")

    def run(self, *command: str) -> tuple[int, str]:
        """Exit status and standard output."""
        ended = self._run("exec", *command)
        return ended.returncode, ended.stdout.strip()

    def read(self, path: str) -> str:
        """A file of its."""
        status, text = self.run("cat", path)
        assert status == 0, text
        return text

    def write(self, path: str, text: str) -> None:
        """Makes or replaces a file of its."""
        status, said = self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && printf %s "$2" > "$1"', "-", path, text)
        assert status == 0, said

    def _run(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if arguments[0] == "up" else subprocess.DEVNULL,
            text=True,
            timeout=_LIMIT_S,
            check=check,
        )


def payload(target: Path) -> Path:
    """A tar file with ndfd, what it needs at run time, its command and the unit; no configuration."""
    with tarfile.open(target, "w") as tar:
        for name, file in _installed():
            tar.add(file, str(_LIBRARY / name))
        _add(tar, "usr/bin/ndfd", _COMMAND, mode=0o755)
        _add(tar, f"etc/systemd/system/{UNIT.name}", UNIT.read_text(), mode=0o644)
    return target


def _installed() -> Iterator[tuple[str, Path]]:
    for name in _LOCKED.findall((ROOT / "packaging" / "lock" / "runtime.txt").read_text()):
        for file in importlib.metadata.files(name) or ():
            place = Path(str(file.locate()))
            if ".." not in file.parts and "__pycache__" not in file.parts and place.is_file():
                yield str(file), place
    source = ROOT / "src"
    for place in (source / "ndfd").rglob("*"):
        if place.is_file() and "__pycache__" not in place.parts:
            yield str(place.relative_to(source)), place


def _add(tar: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(text.encode()), mode
    tar.addfile(entry, io.BytesIO(text.encode()))
