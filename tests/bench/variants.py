"""Whether the layout kernel gains from newer instruction sets: ext/ built for each, on the pages of the same documents.

Each build runs in a process of its own, all pinned to one core, in a random order in each round; the first is built as
ndfd is, and once more as "again", which says how much of a difference is noise. What counts is the ratio to the first
in the same round: its median, and the interval that 95 of 100 resamplings of the rounds fall into.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.environment import FOLDER
from tests.bench.selection import NOT_FOR_SPEED, ROOT, samples

#: Of a document: a long one would stand for all.
_PAGES_MAX = 20
_RESAMPLINGS = 2000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `scripts/bench variants` beyond the shared ones."""
    parser.add_argument("--rounds", type=int, default=40, metavar="N", help="rounds (default: %(default)s)")
    parser.add_argument(
        "--core", type=int, default=max(os.sched_getaffinity(0)), help="the core to use (default: the last)"
    )
    parser.add_argument(
        "--march",
        default="x86-64-v3,x86-64-v4",
        metavar="NAME,…",
        help="what to build for beside the default, as the compiler's -march names it (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Builds, measures, prints the table on stdout; 0."""
    paths = [str(sample.path) for sample in samples(arguments.corpus, arguments.documents, NOT_FOR_SPEED)]
    usual = _built("")
    trees = {"default": usual, "again": usual, **{name: _built(name) for name in arguments.march.split(",") if name}}
    kernels = {name: _Kernel(tree, arguments.core, paths) for name, tree in trees.items()}
    times: dict[str, list[float]] = {name: [] for name in kernels}
    for _ in range(arguments.rounds):
        for name in random.sample(list(kernels), len(kernels)):
            times[name].append(kernels[name].round())
    pages = {kernel.close() for kernel in kernels.values()}
    print(f"{len(paths)} documents, {pages.pop()} pages, {arguments.rounds} rounds")
    for name, seconds in times.items():
        ratios = [each / first for each, first in zip(seconds, times["default"], strict=True)]
        low, high = interval(ratios)
        middle, ratio = 1e6 * statistics.median(seconds), statistics.median(ratios)
        print(f"{name:12} {middle:8.2f} µs/page   {ratio:.4f} of the default  [{low:.4f}, {high:.4f}]")
    return 0


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Of the median: what 95 of 100 resamplings fall into."""
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLINGS))
    return medians[_RESAMPLINGS * 25 // 1000], medians[_RESAMPLINGS * 975 // 1000]


def _built(march: str) -> Path:
    """A tree whose ext/ is built for these instructions; made anew each time, from the sources as they are."""
    tree = FOLDER / f"variant-{march or 'default'}"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for name in ("ext", "src"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    print(f"scripts/bench: building ext/ {f'for {march}' if march else 'as usual'}", file=sys.stderr)
    build = [sys.executable, "-c", "from setuptools import setup; setup()", "--quiet", "build_ext", "--inplace"]
    flags = {"CFLAGS": f"-march={march}"} if march else {}
    subprocess.run(build, cwd=tree, env=os.environ | flags, check=True, stdout=sys.stderr)
    return tree


class _Kernel:
    """One build's process: it has read every page, and lays all of them out each time it is asked."""

    def __init__(self, tree: Path, core: int, paths: Sequence[str]) -> None:
        search = os.pathsep.join([str(tree / "src"), str(ROOT)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.variants", str(core), *paths],
            env=os.environ | {"PYTHONPATH": search},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        loaded, pages = self._line().rsplit(maxsplit=1)
        assert Path(loaded).is_relative_to(tree), f"{loaded} is not of {tree}"
        self._pages = int(pages)

    def round(self) -> float:
        """CPU seconds for a page."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line()) / self._pages

    def close(self) -> int:
        """Ends it; the pages that it had."""
        self._process.communicate()
        return self._pages

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _child(core: str, *paths: str) -> None:
    from ndfd.native import layout, pdftext

    os.sched_setaffinity(0, {int(core)})
    pdftext.initialise()
    pages = []
    for path in paths:
        try:
            with pdftext.Document(Path(path).read_bytes()) as document:
                pages += [document.page(index) for index in range(min(document.page_count, _PAGES_MAX))]
        except Exception:  # noqa: BLE001 - what cannot be read is left out, whatever it raises; each build reads the same
            continue

    def lay_out() -> float:
        begun = time.process_time()
        for page in pages:
            layout.analyse(page)
            layout.connected_rules(page)
            layout.count_garbage(page)
        return time.process_time() - begun

    lay_out()
    print(layout.__file__, len(pages), flush=True)
    for _ in sys.stdin:
        print(lay_out(), flush=True)


if __name__ == "__main__":
    _child(*sys.argv[1:])
