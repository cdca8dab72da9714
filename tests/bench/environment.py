"""The benchmark's own environment, .bench/venv: the peers live there and nowhere else."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from tests.bench.selection import ROOT

FOLDER = ROOT / ".bench"
_LOCK = Path(__file__).with_name("peers.txt")


def peers_python() -> Path:
    """The interpreter with the peers of peers.txt, which it installs (hashes checked) when they changed."""
    python = FOLDER / "venv" / "bin" / "python"
    stamp = FOLDER / "stamp"
    digest = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    if not (python.exists() and stamp.exists() and stamp.read_text() == digest):
        print(f"scripts/bench: installing the peers into {FOLDER.name}/venv", file=sys.stderr)
        FOLDER.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER / "venv"], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*install, "--require-hashes", "-r", _LOCK], check=True, stdout=sys.stderr)
        stamp.write_text(digest)
    return python
