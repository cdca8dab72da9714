"""`scripts/restart-test` inside a real systemd: ndfd below /opt/ndfd, and the units as they are packaged."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.systemd_bed import BED, NO_BED, PYTHON, ROOT, SUITE, UNITS, SystemdBed, payload

#: The filter of systemd-nspawn denies Landlock to services, and workers need it.
_BACKEND = "v1"
_TESTS = "/opt/ndfd/tests"
_CONFIG = "[network]\nmax_connections_per_user = 1000\n"
_DROP_INS = "/etc/systemd/system/ndfd.service.d"
_BEFORE_253 = "[Service]\nType=notify\nExecReload=/usr/bin/ndfd reload\n"

#: What is installed becomes the first release, and is then looked for where `current` leads.
_INSTALL = f"""
set -e
cp -r {_TESTS}/units/*.service {_TESTS}/units/*.socket /etc/systemd/system/
cp {_TESTS}/units/sysusers.d/* /usr/lib/sysusers.d/
cp {_TESTS}/units/tmpfiles.d/* /usr/lib/tmpfiles.d/
version=$(systemctl --version | awk 'NR == 1 {{ print int($2) }}')
# systemd took the name for no type before 253, and then the default for it.
[ "$version" -ge 253 ] || {{ mkdir -p {_DROP_INS} && printf {_BEFORE_253!r} > {_DROP_INS}/before-253.conf; }}
systemd-sysusers
systemd-tmpfiles --create ndfd.conf
site=$({PYTHON} -I -c 'import ndfd; print(ndfd.__path__[0])')
mkdir -p /opt/ndfd/releases/A /opt/ndfd/releases/B
mv "$site" /opt/ndfd/releases/A/ndfd
cp -a /opt/ndfd/releases/A/ndfd /opt/ndfd/releases/B/ndfd
ln -s releases/A /opt/ndfd/current
ln -s /opt/ndfd/current/ndfd "$site"
systemctl daemon-reload
"""


def why_not() -> str | None:
    """What is missing; None when nothing is."""
    if not BED:
        return NO_BED
    if os.geteuid() != 0:
        return "only root may boot one"
    if not (UNITS / "ndfd.service").exists():
        return f"there is no unit in {UNITS}"
    return None


def run(arguments: Sequence[str]) -> int:
    """The program with these arguments, there; its exit status. What it says is said here."""
    name = f"ndfd-restart-{os.getpid()}"
    files: dict[str, Path | str] = {
        f"{_TESTS}/tests/__init__.py": "",
        f"{_TESTS}/tests/documents": ROOT / "tests" / "documents",
        f"{_TESTS}/tests/stress": ROOT / "tests" / "stress",
        f"{_TESTS}/tests/systemd_bed.py": ROOT / "tests" / "systemd_bed.py",
        f"{_TESTS}/units": UNITS,
        "/etc/ndfd/config.toml": _CONFIG,
    }
    with tempfile.TemporaryDirectory(prefix="ndfd-restart-") as folder:
        tar = payload(Path(folder) / "payload.tar", files)
        with SystemdBed(BED, name, tar, backend=_BACKEND) as bed:
            bed.sh(_INSTALL)
            command = [BED, "-b", _BACKEND, "-n", name, "exec", "env", f"PYTHONPATH={_TESTS}", PYTHON]
            # Not captured: the progress is to be seen.
            ended = subprocess.run(
                [*command, "-m", "tests.stress.restart", *arguments],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "SUITE": SUITE},
                check=False,
            )
    return ended.returncode
