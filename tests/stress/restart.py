"""Restarts, kills, reloads and upgrades the daemon under load, and counts what its users notice of it.

None of the clients tries anything twice: a connection that is refused or broken, a request without an answer, and a job
that is lost or done twice each make the run fail. Their requests are such as stay in the kernel until they are answered
(at most 64 KiB); with --large there are also bodies that do not fit there, whose cuts are counted apart.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from ndfd.client import Client
from ndfd.errors import NdfdError
from ndfd.model.job_states import FINAL, JobState
from ndfd.model.jobs import LIST_MAX, Job, JobQuery
from ndfd.testing.service_manager import ServiceFailed
from tests.stress import restart_bed
from tests.stress.restart_daemon import Daemon, under_manager, under_systemd
from tests.stress.restart_findings import Findings, Happening, Jobs
from tests.stress.restart_load import FULL_RATE, WORK_LABEL, Load, Work, overlapping

#: Between what is done to the daemon, on average: users get their answers, too.
_CALM_S = 1.0
_JOBS_LIMIT_S = 120.0
#: The manager that `restart_bed` has this program use, there.
_INSIDE = "this-systemd"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """A run. The defaults are the daily one."""

    restarts: int = 20
    kills: int = 20
    reloads: int = 5
    upgrades: int = 1
    #: Requests a second, of all clients together.
    rate: float = FULL_RATE
    calm_s: float = _CALM_S
    seed: int = 1
    large: bool = False

    def order(self) -> list[str]:
        """What is done, in this order."""
        kinds = {"restart": self.restarts, "kill": self.kills, "reload": self.reloads, "upgrade": self.upgrades}
        doings = [kind for kind, count in kinds.items() for _ in range(count)]
        Random(self.seed).shuffle(doings)
        return doings


def run(daemon: Daemon, plan: Plan, say: Say) -> Findings:
    """Everything of the plan, with a daemon that is ready."""
    happenings: list[Happening] = []
    doings = {"restart": daemon.restart, "kill": daemon.kill, "reload": daemon.reload, "upgrade": daemon.upgrade}
    random = Random(plan.seed)
    with Load(daemon.folder, plan.rate, plan.seed, large=plan.large) as load:
        order = plan.order()
        time.sleep(plan.calm_s)
        for number, kind in enumerate(order, 1):
            begun_s = time.monotonic()
            doings[kind]()
            happenings.append(Happening(kind, begun_s, time.monotonic()))
            # Who waited meanwhile has an answer after that.
            time.sleep(plan.calm_s * random.uniform(0.5, 1.5))
            say(_progress(number, len(order), happenings[-1], load))
    say(f"looking at {len(load.works)} jobs")
    jobs = _judge(daemon.folder, load.works)
    return Findings(load.exchanges, happenings, jobs, load.idle_broken, load.ended_s - load.begun_s)


def _progress(number: int, count: int, last: Happening, load: Load) -> str:
    met = list(overlapping(load.exchanges[-20_000:], last.begun_s, last.ended_s))
    worst_s = max((each.ended_s - each.begun_s for each in met), default=0.0)
    faults = sum(each.fault is not None for each in load.exchanges)
    ready_s = last.ended_s - last.begun_s
    took = f"ready after {ready_s * 1e3:.0f} ms, worst stall {worst_s * 1e3:.0f} ms"
    return f"{number}/{count} {last.kind}: {took}, {faults} faults"


def _judge(folder: Path, works: dict[str, Work]) -> Jobs:
    """Waits for the end of all jobs, and holds each against its work."""
    found = Jobs(acknowledged=len(works))
    with Client.connect(folder / "ndfd.sock", _JOBS_LIMIT_S) as client:
        waiting = [job.id for job in _jobs(client) if job.state not in FINAL]
        if waiting:
            client.watch(waiting, lambda job: None, timeout_s=_JOBS_LIMIT_S)
        jobs = {job.id: job for job in _jobs(client)}
        by_work = Counter(job.labels[WORK_LABEL] for job in jobs.values() if job.labels)
        found.twice += [f"work {work} has {count} jobs" for work, count in by_work.items() if count > 1]
        for job_id, work in works.items():
            _judge_one(client, jobs.get(job_id), job_id, work, found)
    return found


def _judge_one(client: Client, job: Job | None, job_id: str, work: Work, found: Jobs) -> None:
    if job is None or job.state is not JobState.SUCCEEDED:
        found.lost.append(f"work {work.number}: job {job_id} is {job or 'not there'}")
        return
    try:
        with client.result(job_id, timeout_s=_JOBS_LIMIT_S) as conversion:
            content = conversion.content
    except NdfdError as error:
        found.lost.append(f"work {work.number}: the result of job {job_id} is not to be had: {error}")
        return
    if content != work.text:
        found.lost.append(f"work {work.number}: the result of job {job_id} is that of another document")
    ends = [change for change in client.job_history(job_id) if change.state is JobState.SUCCEEDED]
    if len(ends) != 1:
        found.twice.append(f"work {work.number}: job {job_id} succeeded {len(ends)} times")


def _jobs(client: Client) -> list[Job]:
    jobs: list[Job] = []
    cursor = None
    while True:
        page = client.jobs(JobQuery(cursor=cursor, limit=LIST_MAX))
        jobs += page.jobs
        cursor = page.cursor
        if cursor is None:
            return jobs


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; 1 when anything was found that must not be."""
    parser = _parser()
    given = parser.parse_args(arguments)
    plan = _plan(given)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    # What runs is ended in order, whoever ends this.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        if given.manager == "systemd":
            if (reason := restart_bed.why_not()) is not None:
                parser.exit(69, f"scripts/restart-test: no systemd to be had: {reason}\n")
            return restart_bed.run(_inside(given))
        with _daemon(given.manager) as daemon:
            findings = run(daemon, plan, say)
    except KeyboardInterrupt:
        say("stopped")
        return 130
    except ServiceFailed as error:
        say(f"scripts/restart-test: {error}")
        return 1
    print(json.dumps(findings.as_json(), indent=1) if given.json else "\n".join(findings.lines()))
    return 0 if findings.good else 1


@contextlib.contextmanager
def _daemon(manager: str) -> Iterator[Daemon]:
    if manager == _INSIDE:
        with under_systemd() as daemon:
            yield daemon
        return
    with tempfile.TemporaryDirectory(prefix="ndfd-restart-") as folder, under_manager(Path(folder)) as daemon:
        yield daemon


def _plan(given: argparse.Namespace) -> Plan:
    count = 100 if given.full else 20
    return Plan(
        restarts=count if given.restarts is None else given.restarts,
        kills=count if given.kills is None else given.kills,
        reloads=given.reloads,
        upgrades=given.upgrades,
        rate=given.rate,
        seed=given.seed,
        large=given.large,
    )


def _inside(given: argparse.Namespace) -> list[str]:
    plan = _plan(given)
    arguments = ["--manager", _INSIDE, "--restarts", str(plan.restarts), "--kills", str(plan.kills)]
    arguments += ["--reloads", str(plan.reloads), "--upgrades", str(plan.upgrades), "--rate", str(plan.rate)]
    arguments += ["--seed", str(plan.seed)]
    return arguments + ["--large"] * plan.large + ["--json"] * given.json


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/restart-test", description=__doc__)
    parser.add_argument("--full", action="store_true", help="100 restarts and 100 kills instead of 20 and 20")
    parser.add_argument("--restarts", type=int, metavar="N", help="another number of restarts")
    parser.add_argument("--kills", type=int, metavar="N", help="another number of kills by SIGKILL")
    parser.add_argument("--reloads", type=int, default=5, metavar="N", help="reloads (default: %(default)s)")
    parser.add_argument(
        "--upgrades", type=int, default=1, choices=(0, 1), help="upgrades of the files in place (default: %(default)s)"
    )
    parser.add_argument(
        "--rate", type=float, default=FULL_RATE, metavar="N", help="requests a second (default: %(default)s)"
    )
    parser.add_argument("--large", action="store_true", help="also send bodies that a restart may cut; counted apart")
    parser.add_argument(
        "--manager",
        choices=("testing", "systemd", _INSIDE),
        default="testing",
        metavar="testing|systemd",
        help="ndfd.testing's service manager, or the systemd that NDFD_SYSTEMD_BED boots (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed gives another order and other moments")
    parser.add_argument("--json", action="store_true", help="the findings as JSON on stdout")
    return parser


if __name__ == "__main__":
    sys.exit(main())
