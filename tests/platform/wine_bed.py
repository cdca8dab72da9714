r"""Windows enough for a service, by a program that NDFD_WINE_BED names: Wine 10 and a CPython 3.13 for Windows.

`PROGRAM sh` runs a shell script from its standard input beside a Windows whose service manager lives as long: in it
`run COMMAND…` runs a Windows command, and $W is the loader of Wine. The folder of the bed (D, by default
/var/tmp/wine-bed) is /w in there; its wp/drive_c is C:, and C:\py has the Python.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.platform import windows

ROOT = Path(__file__).parents[2]
SOURCES = Path(windows.__file__).parent
#: Has a space, as C:\Program Files has.
FOLDER = "ndfd on trial"
_LIMIT_S = 400.0

#: Wine keeps no events that one could read; it tells them on the standard error of who reports, which is that of the
#: process that began it all.
_SCRIPT = rf"""
export WINEDEBUG=-all,trace+eventlog,warn+eventlog,err+eventlog
/usr/lib/wine/wineserver64 -k || true
/usr/lib/wine/wineserver64 -w || true
# The machine's part of the registry is put back afterwards, or at the next run, if this one is cut off: a service that
# was left would start with Windows.
cd /w/wp || exit
[ -f system.reg.before ] && cp system.reg.before system.reg || cp system.reg system.reg.before
# How long a process may take until it calls StartServiceCtrlDispatcher, in ms: 10 s in Wine, 30 s in Windows.
printf '\n[System\\\\ControlSet001\\\\Control]\n"ServicesPipeTimeout"="60000"\n' >> system.reg
cd "/w/wp/drive_c/{FOLDER}" || exit
(setsid $W 'C:\hold.exe' </dev/null >/dev/null 2>events &)
cp -al /w/wp/drive_c/py py && cp -r site/* py/Lib/site-packages/ || exit
T=300 run 'C:\{FOLDER}\py\python.exe' -X utf8 'C:\{FOLDER}\windows\scenarios.py' 'C:\{FOLDER}\run' || exit
/usr/lib/wine/wineserver64 -k
/usr/lib/wine/wineserver64 -w
cd /w/wp && mv system.reg.before system.reg
"""


class WineBed:
    """The bed with ndfd in it."""

    def __init__(self, program: str) -> None:
        self._program = program
        self.folder = Path(os.environ.get("D", "/var/tmp/wine-bed")) / "wp" / "drive_c" / FOLDER

    def run(self) -> None:
        """Runs the scenarios; they leave seen.json in `run`, and the events that were written in `events`."""
        self.clear()
        (self.folder / "run").mkdir(parents=True)
        # Neither the interpreter's pipe nor pytest's may be held by what Wine leaves running.
        with tempfile.TemporaryFile() as output:
            self._fill()
            ended = subprocess.run(
                [self._program, "sh"],
                input=_SCRIPT.encode(),
                stdout=output,
                stderr=output,
                timeout=_LIMIT_S,
                check=False,
            )
            output.seek(0)
            assert ended.returncode == 0, output.read().decode("utf-8", "replace")

    def clear(self) -> None:
        """Removes what was put there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _fill(self) -> None:
        """The parts of ndfd that the host needs, with the only package that these need."""
        site = self.folder / "site"
        for name in ("errors", "model", "platform"):
            shutil.copytree(
                ROOT / "src/ndfd" / name, site / "ndfd" / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        shutil.copy(ROOT / "src/ndfd/__init__.py", site / "ndfd")
        shutil.copytree(SOURCES, self.folder / "windows")
        with zipfile.ZipFile(wheel_for_windows("msgspec", self.folder)) as wheel:
            wheel.extractall(site)


def wheel_for_windows(name: str, folder: Path) -> Path:
    """Gets the locked version of a package, built for the bed's Python. CalledProcessError where there is no index."""
    locked = (ROOT / "packaging/lock/runtime.txt").read_text()
    found = re.search(rf"^{name}==(\S+)", locked, re.MULTILINE)
    assert found is not None
    target = ("--platform=win_amd64", "--python-version=3.13", "--only-binary=:all:", "--no-deps")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", *target, "-d", str(folder), f"{name}=={found[1]}"],
        check=True,
        capture_output=True,
        timeout=_LIMIT_S,
    )
    return next(folder.glob(f"{name}-*.whl"))
