"""What each knob of the tuning is worth: the same documents converted with it and without, in turns.

A block is four turns: off, on, on, off. Each turn has fresh workers, one for each CPU, forked from a zygote as the
daemon's are. A figure is the median over the blocks of (time with the knob by time without it), so below 1 is faster,
with its 95 % confidence interval (bootstrap). The A/A lines do the same on both sides, and some knobs have no part in
a conversion: what they show is noise, and a whole interval has to be farther from 1 than any median of theirs, and than
0.5 %, to count. As root the knobs of the system are set, too, as `ndfd tune apply` does it, and put back whatever
happens; after a SIGKILL, `ndfd tune revert` puts them back.

Exit status: 0; 1 when the preset safe or throughput holds a knob that was measured and is no gain; 130 after
Ctrl-C, with the figures so far.
"""

from __future__ import annotations

import argparse
import json
import os
import platform as host
import signal
import sys
import time
from typing import Any, NoReturn

from ndfd import platform
from ndfd.config.places import default_tuning_journal
from ndfd.platform import KernelFiles
from ndfd.tuning.catalogue import KNOBS
from tests.bench.report import progress
from tests.bench.tuning.figures import BLOCKS_MIN, Block, Worth
from tests.bench.tuning.report import Held, Result, floor_of, held, table
from tests.bench.tuning.system_knobs import SystemKnobs, Unsettable
from tests.bench.tuning.trials import CHECK, NOT_TRIED, TRIALS, Trial
from tests.bench.tuning.work import Work, corpus_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `scripts/bench tuning` beyond the shared ones."""
    parser.add_argument(
        "--only", action="append", default=[], metavar="KNOB", help="this knob, and the A/A lines; repeatable"
    )
    parser.add_argument(
        "--rounds", type=_rounds, default=10, metavar="N", help="blocks of each knob (default: %(default)s)"
    )
    parser.add_argument(
        "--turn",
        type=float,
        default=0.12,
        metavar="SECONDS",
        help="CPU time of a worker in a turn (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="workers at once (default: the CPUs, %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Measures and prints."""
    trials = chosen(arguments.only)
    signal.signal(signal.SIGTERM, _terminated)
    begun, load = time.monotonic(), os.getloadavg()
    with SystemKnobs(KernelFiles(), default_tuning_journal()) as system, Work(arguments.workers, system) as work:
        work.choose(corpus_folder(arguments.corpus), arguments.documents, arguments.turn)
        results, stopped = measured(trials, arguments.rounds, work, system)
    kept = held(results, arguments.workers, platform.process.limits(), platform.process.topology())
    machine = {
        "kernel": host.release(),
        "cpus": len(os.sched_getaffinity(0)),
        "load": [load[0], os.getloadavg()[0]],
        "documents": len(work.paths),
        "turn_cpu_s": work.cpu_s,
        "workers": arguments.workers,
        "rounds": arguments.rounds,
        "floor": floor_of(results),
        "seconds": time.monotonic() - begun,
    }
    print(_as_json(machine, results, kept) if arguments.json else "\n".join(_lines(machine, results, kept)))
    if stopped:
        print("scripts/bench: stopped; what was set is put back", file=sys.stderr)
        return 130
    return int(any(each.wrong for each in kept))


def chosen(only: list[str]) -> list[Trial]:
    """Of all trials those of the knobs that are asked for, always with the checks; SystemExit for what there is not."""
    known = {trial.knob for trial in TRIALS}
    if unknown := set(only) - known:
        why = "; ".join(f"{knob}: {NOT_TRIED.get(knob, 'there is no such knob')}" for knob in sorted(unknown))
        raise SystemExit(f"scripts/bench: {why}. There are: {', '.join(sorted(known))}")
    return [trial for trial in TRIALS if not only or trial.knob in (CHECK, *only)]


def measured(trials: list[Trial], rounds: int, work: Work, system: SystemKnobs) -> tuple[list[Result], bool]:
    """The trials one after the other, and whether a Ctrl-C came.

    The blocks of the checks are spread over the whole time, as the noise is.
    """
    checks = [trial for trial in trials if trial.knob == CHECK]
    others = [trial for trial in trials if trial.knob != CHECK]
    blocks: dict[str, list[Block]] = {trial.name: [] for trial in trials}
    reasons: dict[str, str] = {}
    stopped = False
    begun = time.monotonic()
    try:
        for number in range(total := max(1, len(others)) * rounds):
            if number % (total // rounds) == 0:
                for check in checks:
                    blocks[check.name].append(work.block(check))
            trial = others[number // rounds] if others else checks[0]
            if others and trial.name not in reasons:
                try:
                    blocks[trial.name].append(_block(trial, work))
                except Unsettable as why:
                    reasons[trial.name] = str(why)
            if (number + 1) % rounds == 0:
                # So that each is measured on the system as it was.
                system.put_back()
            progress(number + 1, total, f"{trial.name}, {time.monotonic() - begun:.0f} s")
    except KeyboardInterrupt:
        stopped = True
    return [_result(trial, blocks[trial.name], reasons.get(trial.name, "")) for trial in trials], stopped


def _block(trial: Trial, work: Work) -> Block:
    if trial.root:
        if os.geteuid() != 0:
            raise Unsettable("only root may set it")
        if not KNOBS[trial.knob].paths(KernelFiles()):
            raise Unsettable("this machine has none")
    return work.block(trial)


def _result(trial: Trial, blocks: list[Block], reason: str) -> Result:
    if not reason and len(blocks) < BLOCKS_MIN:
        reason = "stopped before"
    return Result(trial, reason=reason) if reason else Result(trial, Worth.of(blocks), len(blocks))


def _lines(machine: dict[str, Any], results: list[Result], kept: list[Held]) -> list[str]:
    return [
        table(results),
        "",
        "{documents} documents, {turn_cpu_s:.2f} s of CPU for each of {workers} workers in a turn, {rounds} blocks of "
        "4 turns; {seconds:.0f} s in all.".format(**machine),
        "Linux {kernel}, {cpus} CPUs, load {load[0]:.1f} before and {load[1]:.1f} after. An interval counts that is "
        "{floor.wall:.1%} (time) or {floor.cpu:.1%} (CPU time) from 1.".format(**machine),
        "",
        *(f"{'WRONG' if each.wrong else 'fine '}  {each}" for each in kept),
    ]


def _as_json(machine: dict[str, Any], results: list[Result], kept: list[Held]) -> str:
    machine = {**machine, "floor": machine["floor"]._asdict()}
    figures = [result.as_json(floor_of(results)) for result in results]
    presets = [{**each._asdict(), "wrong": each.wrong} for each in kept]
    return json.dumps({"machine": machine, "trials": figures, "presets": presets}, indent=1)


def _rounds(text: str) -> int:
    if (rounds := int(text)) < BLOCKS_MIN:
        raise argparse.ArgumentTypeError(f"{BLOCKS_MIN} at least: fewer give no 95 % interval of a median")
    return rounds


def _terminated(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)
