"""Wall time of `ndfd config check`, beside a Python that does nothing and one that only imports the settings' library.

Five files of the machine, with every key; and the same with twenty mistakes. The commands run in turns, so that a noisy
machine is noisy for all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ndfd.config.keys import KEYS

_MISTAKES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="runs of each command (default: 15)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Runs it and prints the figures."""
    with tempfile.TemporaryDirectory() as name:
        sound, wrong = Path(name, "sound"), Path(name, "wrong")
        _write(sound, mistakes=0)
        _write(wrong, mistakes=_MISTAKES)
        check = [sys.executable, "-m", "ndfd", "config", "check", "--service", "--config-dir"]
        commands = {
            "python that does nothing": [sys.executable, "-c", "pass"],
            "python that imports pydantic-settings": [sys.executable, "-c", "import pydantic_settings"],
            "ndfd --help": [sys.executable, "-m", "ndfd", "--help"],
            "ndfd config check, 5 sound files": [*check, str(sound)],
            f"ndfd config check, {_MISTAKES} mistakes": [*check, str(wrong)],
        }
        times: dict[str, list[float]] = {what: [] for what in commands}
        for _ in range(arguments.rounds):
            for what, command in commands.items():
                times[what].append(_wall_s(command))
    medians = {what: statistics.median(each) for what, each in times.items()}
    if arguments.json:
        print(json.dumps({what: {"median_s": medians[what], "min_s": min(times[what])} for what in times}, indent=2))
        return 0
    base = medians["python that does nothing"]
    for what, median in medians.items():
        print(
            f"{what:40} median {median * 1e3:6.0f} ms   min {min(times[what]) * 1e3:6.0f} ms   x {median / base:5.1f}"
        )
    return 0


def _wall_s(command: list[str]) -> float:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NDFD_")}
    begun = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - begun


def _write(folder: Path, mistakes: int) -> None:
    """config.toml with every key that has a default, and four drop-ins; `mistakes` keys get a name that is none."""
    text, left = "", mistakes
    for group in dict.fromkeys(key.group for key in KEYS.values()):
        text += f"[{group}]\n"
        for key in KEYS.values():
            if key.group == group and key.default_text is not None:
                text += f"{key.name}{'x' if left > 0 else ''} = {key.default_text}\n"
                left -= 1
    (folder / "conf.d").mkdir(parents=True)
    (folder / "config.toml").write_text(text)
    for number in range(4):
        (folder / "conf.d" / f"{number}.toml").write_text(f"[swarm]\nmax_queue = {100 + number}\n")
