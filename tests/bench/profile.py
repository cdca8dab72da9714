"""Where ndfd's time goes on its way to Markdown: by stage, by Python function, and by function of the engine.

The Python part is watched by cProfile, which makes small functions look dearer than they are: trust the order more than
the figures. What runs inside compiled code is named by perf, where the host has it and allows it.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePath

from tests.bench.engines import engine
from tests.bench.environment import FOLDER
from tests.bench.selection import NOT_FOR_SPEED, ROOT, Sample, samples

#: file, line, function, as pstats names a function; "~" stands for what is built in or compiled.
Function = tuple[str, int, str]
_ROWS = 25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `scripts/bench profile` beyond the shared ones."""
    parser.add_argument(
        "--engine", default="ndfd-markdown", metavar="NAME", help="what to watch (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints three tables on stdout; 0."""
    chosen = samples(arguments.corpus, arguments.documents, NOT_FOR_SPEED)
    print(_python_part(arguments.engine, chosen))
    print(_compiled_part(arguments.engine, chosen))
    return 0


def _python_part(name: str, chosen: list[Sample]) -> str:
    extract, pages, refused = engine(name).prepare(), 0, []
    profile = cProfile.Profile()
    for sample in chosen:
        data = sample.path.read_bytes()
        profile.enable()
        try:
            pages += extract(data)[0]
        except Exception as error:  # noqa: BLE001 - what cannot be read is named and does not count
            refused.append(f"  {sample.id}: {type(error).__name__}: {error}")
        finally:
            profile.disable()
    own = own_times(pstats.Stats(profile))
    head = f"{name}: {len(chosen) - len(refused)} documents, {pages} pages, {sum(own.values()):.2f} s under cProfile"
    tables = [shares("by stage", by_stage(own), pages), shares("by function", by_function(own), pages)]
    return "\n\n".join([head, *tables, "\n".join([f"not read: {len(refused)}", *refused])])


def own_times(stats: pstats.Stats) -> dict[Function, float]:
    """Seconds that each function took itself, without those it called."""
    watched: dict[Function, tuple[int, int, float, float, object]] = stats.stats  # type: ignore[attr-defined]
    return {function: row[2] for function, row in watched.items()}


def by_stage(own: dict[Function, float]) -> dict[str, float]:
    """Seconds by module of ndfd; what is built in stands under its own name, libraries under theirs."""
    stages: dict[str, float] = defaultdict(float)
    for function, seconds in own.items():
        stages[_stage(function)] += seconds
    return stages


def by_function(own: dict[Function, float]) -> dict[str, float]:
    """Seconds by function."""
    functions: dict[str, float] = defaultdict(float)
    for (file, line, name), seconds in own.items():
        functions[name if file == "~" else f"{_module(file)}:{line} {name}"] += seconds
    return functions


def _stage(function: Function) -> str:
    file, _, name = function
    return f"compiled: {name.strip('{}')}" if file == "~" else _module(file)


def _module(file: str) -> str:
    """The part of a path that says which module it is."""
    parts = PurePath(file).parts
    for root in ("src", "site-packages"):
        if root in parts:
            return "/".join(parts[parts.index(root) + 1 :])
    return "/".join(parts[-2:])


def shares(title: str, seconds: Mapping[str, float], pages: int) -> str:
    """The dearest entries with their share and milliseconds for a page."""
    whole = sum(seconds.values()) or 1.0
    rows = [
        f"{100 * value / whole:6.1f} %{1000 * value / max(1, pages):10.3f} ms/page  {name}"
        for name, value in sorted(seconds.items(), key=lambda entry: -entry[1])[:_ROWS]
    ]
    return "\n".join([title, *rows])


def _compiled_part(name: str, chosen: list[Sample]) -> str:
    perf = shutil.which("perf")
    if perf is None:
        return "by function of the engine: perf is not installed (Debian: apt-get install linux-perf)"
    data = FOLDER / "perf.data"
    FOLDER.mkdir(exist_ok=True)
    child = [sys.executable, "-m", "tests.bench.child", name, "0"]
    paths = "".join(f"{sample.path}\n" for sample in chosen)
    record = _output([perf, "record", "--freq", "999", "--output", str(data), "--", *child], paths)
    if record.returncode != 0 or not data.exists():
        last = (record.stderr.strip().splitlines() or ["no reason given"])[-1]
        return f"by function of the engine: perf may not record here (kernel.perf_event_paranoid?): {last}"
    tables = [
        _output([perf, "report", "--stdio", "--input", str(data), "--percent-limit", "0.5", "--sort", order], "").stdout
        for order in ("dso", "dso,symbol")
    ]
    data.unlink()
    # perf fills columns that it has no figures for with dashes.
    lines = [line.rstrip(" -") for text in tables for line in text.splitlines() if line and not line.startswith("#")]
    return "\n".join(["by library, then by function, of the whole process with its start (perf)", *lines])


def _output(command: list[str], text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=text, capture_output=True, text=True, cwd=Path(ROOT), check=False)
