"""What `ndfd service` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click
import msgspec

from ndfd.cli.config_values import print_json
from ndfd.cli.status import duration
from ndfd.model.printable import printable

if TYPE_CHECKING:
    from ndfd.service.manager import Manager
    from ndfd.service.plan import Plan
    from ndfd.service.report import ServiceFile, ServiceStatus

_WIDTH = 8


def show_step(what: str, subject: str) -> None:
    """One line: "write   /etc/…"."""
    click.echo(f"{what:<{_WIDTH}}{printable(subject)}")


def do(action: str, plan: Plan, manager: Manager, *, as_json: bool, dry_run: bool = False) -> None:
    """Shows and carries out a plan, or only shows it, then its notes. With `as_json` nothing but one object is said."""
    from ndfd.service.execution import carry_out
    from ndfd.service.plan import words

    said: list[Mapping[str, str]] = []

    def tell(what: str, subject: str) -> None:
        said.append({"do": what, "what": subject})
        if not as_json:
            show_step(what, subject)

    if dry_run:
        for step in plan.steps:
            if (shown := words(step)) is not None:
                tell(*shown)
    else:
        from ndfd.cli.endings import end_on_signals

        end_on_signals()
        carry_out(plan, manager.machine, tell, lambda: manager.failure(action))
    if as_json:
        print_json({"action": action, "dry_run": dry_run, "steps": said, "notes": plan.notes})
    else:
        for note in plan.notes:
            click.echo(printable(note))


def print_status(status: ServiceStatus, *, as_json: bool) -> None:
    """A few lines, or one object."""
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(status), indent=2))
        return
    for label, text in status_lines(status):
        click.echo(f"{label:<14} {printable(text)}")


def status_lines(status: ServiceStatus) -> Iterator[tuple[str, str]]:
    """Label and text of each line."""
    up = "" if status.up_s is None else f", for {duration(status.up_s)}"
    since = f" since {status.since}{up}" if status.since else ""
    enabled = f"; {status.enabled}" if status.enabled else ""
    yield status.name, f"{status.state}{since}{enabled}" if status.installed else status.state
    if status.why:
        yield "why", status.why
    if status.said:
        yield "says", status.said
    if status.pid is not None:
        again = "" if status.restarts is None else f", started again {_times(status.restarts)} by {status.manager}"
        yield "process", f"pid {status.pid}{again}"
    if status.sockets:
        state = f"  ({status.sockets_state})" if status.sockets_state else ""
        yield "sockets", f"{', '.join(status.sockets)}{state}"
    yield from _files(status.files)
    for path in status.drop_ins:
        yield "drop-in", path
    for warning in status.warnings:
        yield "warning", warning
    yield "log", status.logs if status.installed else "`ndfd service install` installs it"


def _files(files: tuple[ServiceFile, ...]) -> Iterator[tuple[str, str]]:
    """Those that are as they should be on one line, by their number; each other on one of its own."""
    from ndfd.service.plan import Standing

    current = [file.path for file in files if file.standing is Standing.CURRENT]
    if current:
        main = next((path for path in current if path.endswith(".service")), current[0])
        more = f" and {len(current) - 1} more" if len(current) > 1 else ""
        yield "files", f"{main}{more}, of this version"
    said = {
        Standing.OLDER: "of ndfd {version}, and not as this one would write it",
        Standing.CHANGED: "changed since ndfd {version} wrote it",
        Standing.FOREIGN: "not written by ndfd",
    }
    for file in files:
        if file.standing in said:
            yield "file", f"{file.path}  ({said[file.standing].format(version=file.version)})"


def _times(number: int) -> str:
    return {0: "never", 1: "once"}.get(number, f"{number} times")
