"""`ndfd status`: the daemon, its workers and what they do."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from ndfd.cli.options import socket_option
from ndfd.model.process_tuning import TuningState
from ndfd.model.sandbox import Sandbox
from ndfd.model.status import DaemonStatus, JobsStatus, WorkerState, WorkerStatus
from ndfd.model.tuning import FINE, Outcome


@click.command(short_help="Show the running daemon and its workers.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@socket_option
def status(as_json: bool, socket: Path | None) -> None:
    """Show the running daemon: its engine, its fonts, its workers and what they do, and what should be mended.

    \b
    Examples:
      ndfd status
      ndfd status --json | jq .queued

    \b
    Exit status:
      0   the daemon answered
      69  no daemon answers
      77  this user may not ask it

    \b
    Environment:
      NDFD_SOCKET                 the daemon's socket
      NDFD_NETWORK__SOCKET_DIR    the folder of the daemon's sockets
    """
    # The client, 30 ms, which `ndfd --help` and the shell's completion do not need.
    from ndfd.cli.connect import running_daemon
    from ndfd.client import Client

    with Client.connect(running_daemon(socket)) as client:
        answer = client.status()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2))
    elif sys.stdout.isatty():
        # Needs rich: 20 ms that nothing but a terminal pays.
        from ndfd.cli.status_table import print_status

        print_status(answer)
    else:
        click.echo("\n".join(_plain(answer)))


def head(answer: DaemonStatus) -> Iterator[tuple[str, str]]:
    """Label and text of each line about the daemon as a whole."""
    yield "daemon", f"ndfd {answer.version}, pid {answer.pid}, up {duration(answer.uptime_s)}"
    for socket in answer.sockets:
        yield "socket", socket
    yield "configuration", f"generation {answer.generation}, hash {short_hash(answer.config_hash)}"
    engine = answer.engine
    yield "engine", f"{engine.name}, kernels in {engine.native}" if engine else "not started"
    if engine:
        yield "fallback fonts", ", ".join(engine.fallback_fonts) or "none"
    yield "confined", confined(answer.sandbox)
    if answer.tuning:
        yield "tuning", tuning(answer)
    yield (
        "conversions",
        f"{answer.succeeded} succeeded, {answer.failed} failed, {answer.pages} pages, {answer.queued} waiting",
    )
    if answer.jobs is not None:
        yield "jobs", jobs(answer.jobs)
        yield "store", store(answer.jobs)


def jobs(answer: JobsStatus) -> str:
    """How many jobs there are, and how they stand."""
    waited = "" if answer.oldest_queued_s is None else f" (the first for {duration(answer.oldest_queued_s)})"
    text = f"{answer.queued} queued{waited}, {answer.running} running"
    ended = {
        "succeeded": answer.succeeded,
        "failed": answer.failed,
        "quarantined": answer.quarantined,
        "cancelled": answer.cancelled,
    }
    text += "".join(f", {count} {how}" for how, count in ended.items() if count)
    return text + (f"; {answer.deliveries_failed} deliveries given up" if answer.deliveries_failed else "")


def store(answer: JobsStatus) -> str:
    """Where jobs are kept, and what that takes."""
    text = f"{answer.state_dir}: {memory(answer.spool_bytes)} kept, {memory(answer.free_bytes)} free"
    return text + (f"; {answer.recovered} jobs resumed at the start" if answer.recovered else "")


def confined(sandbox: Sandbox | None) -> str:
    """What confines the workers, and what is missing."""
    if sandbox is None:
        return "not measured"
    parts = [
        f"seccomp ({sandbox.calls} calls)" if sandbox.calls else "",
        f"Landlock {sandbox.landlock_abi}" if sandbox.landlock_abi else "",
        "no new rights" if sandbox.no_new_privs else "",
        "no capabilities" if "capabilities" not in sandbox.missing else "",
        "no new code" if sandbox.mdwe else "",
    ]
    tried = len(sandbox.denied) + len(sandbox.passed)
    text = f"{', '.join(filter(None, parts)) or 'by nothing'}; {len(sandbox.denied)} of {tried} attempts stopped"
    return f"{text}; missing: {', '.join(sandbox.missing)}" if sandbox.missing else text


def tuning(answer: DaemonStatus) -> str:
    """How many knobs of processes stand how; each one that is not as it should be, with the reason."""
    states = [*answer.tuning, *(state for worker in answer.workers for state in worker.tuning)]
    counts = Counter(state.outcome for state in states)
    text = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome if counts[outcome])
    bad = dict.fromkeys(_not_tuned(state) for state in states if state.outcome not in FINE)
    return "; ".join((text, *bad))


def _not_tuned(state: TuningState) -> str:
    whose = state.process if state.pool is None else f"pool {state.pool}"
    return f"{state.knob} of {whose} {state.outcome.value}" + (f" ({state.reason})" if state.reason else "")


def pools(answer: DaemonStatus) -> Iterator[tuple[str, str]]:
    """Name of each pool, and what there is to say of it."""
    for pool in answer.pools:
        alive = sum(worker.pool == pool.name and worker.state is not WorkerState.DEAD for worker in answer.workers)
        bounds = str(pool.workers_max)
        if pool.workers_min != pool.workers_max:
            bounds = f"{pool.workers_min} to {pool.workers_max}"
        yield pool.name, f"{pool.role}, workers {alive} of {bounds}, {pool.queued} waiting"


def work(worker: WorkerStatus) -> str:
    """What a worker does."""
    if worker.document is None and worker.busy_s is None:
        return ""
    name = worker.document or "a document"
    pages = f", page {worker.page} of {worker.pages}" if worker.page is not None and worker.pages is not None else ""
    time = f", {duration(worker.busy_s)}" if worker.busy_s is not None else ""
    return f"{name}{pages}{time}"


def short_hash(digest: str) -> str:
    """So much of a configuration's hash as tells two apart at sight."""
    return digest[:12]


def duration(seconds: float) -> str:
    """Seconds as people read them: "4.2 s", "3m10s", "2h05m", "5d03h"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(int(seconds), 60)
    hours, rest_m = divmod(minutes, 60)
    days, rest_h = divmod(hours, 24)
    if days:
        return f"{days}d{rest_h:02}h"
    return f"{hours}h{rest_m:02}m" if hours else f"{minutes}m{rest_s:02}s"


def memory(size_bytes: int) -> str:
    """Bytes in MB (10^6)."""
    return f"{size_bytes / 1e6:.0f} MB"


def _plain(answer: DaemonStatus) -> Iterator[str]:
    for label, text in head(answer):
        yield f"{label:<15} {text}"
    for name, fact in pools(answer):
        yield f"{f'pool {name}':<15} {fact}"
    for worker in answer.workers:
        facts = f"pid {worker.pid}, {worker.pool} {worker.role}, {worker.state.value}, {worker.served} served"
        size = f"{memory(worker.rss_bytes)}, up {duration(worker.age_s)}"
        doing = work(worker)
        yield f"{f'worker {worker.id}':<15} {facts}, {size}" + (f"; {doing}" if doing else "")
    for warning in answer.warnings:
        yield f"{'warning':<15} {warning}"
