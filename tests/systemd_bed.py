"""A real systemd to install into, by a program that NDFD_SYSTEMD_BED names: `PROGRAM -b BACKEND -n NAME VERB …`.

Its verbs: `up FILE.tar` boots a throw-away root with that unpacked into it, `exec COMMAND…` runs one there (standard
streams and exit status are its own), `reboot` stops it and boots the same root again, `down` ends it. SUITE in its
environment names the Debian release of the root. The kernel is the host's, and so are most of its settings. What a
backend enforces differs: "v1" MemoryMax= and TasksMax=, "nspawn" the rest.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[1]
UNITS = ROOT / "packaging" / "systemd"

#: The program, if there is one.
BED = os.environ.get("NDFD_SYSTEMD_BED", "")
#: The release of its root.
SUITE = os.environ.get("NDFD_SYSTEMD_BED_SUITE", "bookworm")

NO_BED = "NDFD_SYSTEMD_BED names no program that boots a systemd (tests/systemd_bed.py)"

#: Where the test puts ndfd there, with the Python that runs it: this one, for the bed's own may be of another version.
_PLACE = PurePosixPath("usr/lib/ndfd")
_STANDARD = _PLACE / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = f"/{_PLACE}/bin/python3"
_COMMAND = f"""#!{PYTHON} -I
import sys
from ndfd.cli import main
sys.exit(main())
"""
_LOCKED = re.compile(r"^([A-Za-z0-9_.-]+)==", re.MULTILINE)
#: Of the standard library: what ndfd never imports, and what is big.
_LEFT_OUT = {"site-packages", "dist-packages", "test", "idlelib", "tkinter", "lib2to3", "ensurepip", "turtledemo"}
_LIMIT_S = 100.0


class SystemdBed:
    """Up for the length of a block."""

    def __init__(self, program: str, name: str, payload: Path, *, backend: str = "nspawn", suite: str = SUITE) -> None:
        self._command = [program, "-b", backend, "-n", name]
        self._environment = {**os.environ, "SUITE": suite}
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

    def sh(self, script: str, *arguments: str) -> str:
        """The standard output and error of a script of the shell that succeeds."""
        status, said = self.run("sh", "-c", f"exec 2>&1\n{script}", "sh", *arguments)
        assert status == 0, f"{script}: {status}: {said}"
        return said

    def read(self, path: str) -> str:
        """A file of its."""
        status, text = self.run("cat", path)
        assert status == 0, text
        return text

    def write(self, path: str, text: str) -> None:
        """Makes or replaces a file of its."""
        status, said = self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && printf %s "$2" > "$1"', "-", path, text)
        assert status == 0, said

    def reboot(self) -> None:
        """Returns when it is up again."""
        self._run("reboot", check=True)

    def _run(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if arguments[0] == "exec" else subprocess.STDOUT,
            text=True,
            timeout=_LIMIT_S,
            check=check,
            env=self._environment,
        )


def payload(target: Path, files: Mapping[str, Path | str], *, packages: Iterable[str] = ()) -> Path:
    """A tar file with ndfd, what it needs at run time, this Python, the command ndfd, and `files` by their paths there.

    A folder comes with all that is in it; text is the content of a file. No configuration. `packages` are further ones
    that this Python has.
    """
    with tarfile.open(target, "w") as tar:
        for name, file in (*_python(), *_installed(packages)):
            tar.add(file, name, recursive=False)
        _add(tar, "usr/bin/ndfd", _COMMAND, mode=0o755)
        for place, content in files.items():
            if isinstance(content, str):
                _add(tar, place.lstrip("/"), content, mode=0o644)
            else:
                tar.add(content, place.lstrip("/"), filter=_as_of_root)
    return target


def _python() -> Iterator[tuple[str, Path]]:
    """The interpreter and its standard library, without their environment."""
    yield f"{_PLACE}/bin/python3", Path(os.path.realpath(sys.executable))
    library = sysconfig.get_config_var("INSTSONAME") if sysconfig.get_config_var("Py_ENABLE_SHARED") else None
    if library is not None:
        # Where the dynamic linker looks by itself.
        yield f"usr/lib/{library}", Path(sysconfig.get_config_var("LIBDIR")) / library
    standard = Path(sysconfig.get_path("stdlib"))
    for folder, subfolders, files in os.walk(standard):
        subfolders[:] = [name for name in subfolders if name not in _LEFT_OUT and not name.startswith("config-")]
        for name in files:
            place = Path(folder, name)
            yield str(_STANDARD / place.relative_to(standard)), place


def _installed(packages: Iterable[str]) -> Iterator[tuple[str, Path]]:
    packages_there = _STANDARD / "site-packages"
    for name in (*_LOCKED.findall((ROOT / "packaging" / "lock" / "runtime.txt").read_text()), *packages):
        for file in importlib.metadata.files(name) or ():
            place = Path(str(file.locate()))
            if ".." not in file.parts and place.is_file():
                yield str(packages_there / str(file)), place
    source = ROOT / "src"
    for place in (source / "ndfd").rglob("*"):
        if place.is_file():
            yield str(packages_there / place.relative_to(source)), place


def _as_of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode |= 0o755 if entry.isdir() else 0o644
    return None if "__pycache__" in entry.name else entry


def _add(tar: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(text.encode()), mode
    tar.addfile(entry, io.BytesIO(text.encode()))
