"""`ndfd doctor`: whether this host is fit for the daemon."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import click

from ndfd.cli.config_values import print_json
from ndfd.cli.options import LAYERS_HELP, Sources, socket_option, sources_options
from ndfd.errors import EX_UNAVAILABLE, UsageError
from ndfd.model.checkup import Check, Verdict, worst

_STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILURE: "red"}
#: Columns before the text of a check.
_INDENT = " " * 29


@click.command(short_help="Check whether this host is fit for the daemon.", epilog=LAYERS_HELP)
@click.option("--running", is_flag=True, help="Ask the running daemon what confines its workers, and start none.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@socket_option
@sources_options
def doctor(running: bool, as_json: bool, socket: Path | None, sources: Sources) -> int:
    """Check whether this host is fit for the daemon, and say what to do where it is not.

    It starts a private daemon for a moment, without the configuration, and has it convert a document. What confines its
    workers is what its zygote measured: what the kernel says is in force in a worker, and what happened when processes
    confined like it really tried to open a file, to connect, to execute and so on. A measure that is missing is a
    failure unless [sandbox] allow names it. Then it looks at the processor, for accelerators, at
    the limits of this shell or service, and at the configuration that `ndfd run` would use.

    Run it as the user and in the place in which the daemon shall run: containers and service managers give and take.

    \b
    Examples:
      ndfd doctor
      ndfd doctor --service --config-dir staging/
      ndfd doctor --running
      ndfd doctor --json | jq .hardware.processor.features
      ndfd doctor --json | jq -r '.checks[] | select(.verdict != "ok") | .name'

    \b
    Exit status:
      0   all is well, or there are warnings only
      69  failures; or --running: no daemon answers
    """
    # They load the daemon's settings, 100 ms, which help and completion do not need.
    from ndfd.cli.doctor_findings import of_host, of_running

    if running:
        sources.refuse_beside("--running")
        findings = of_running(socket)
    elif socket is not None:
        raise UsageError("--socket names a daemon to ask: it goes with --running")
    else:
        findings = of_host(sources)
    verdict = worst(findings.checks)
    if as_json:
        told = {"checks": findings.checks, "sandbox": findings.sandbox, "hardware": findings.hardware}
        print_json({"verdict": verdict, **told})
    else:
        _print(findings.checks)
    return EX_UNAVAILABLE if verdict is Verdict.FAILURE else 0


def _print(checks: Sequence[Check]) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for group, members in groupby(checks, key=lambda check: check.group):
        click.secho(group, bold=True)
        for check in members:
            label = click.style(f"{check.verdict.value:<8}", fg=_STYLES[check.verdict])
            click.echo(f"  {label} {check.name:<17} {_wrapped(check.text, width)}")
            if check.advice:
                click.echo(f"{_INDENT}{_wrapped(f'-> {check.advice}', width)}")
    click.echo(summary(checks), err=True)


def _wrapped(text: str, width: int | None) -> str:
    """On a terminal, below its beginning; elsewhere on one line, which is easier to search."""
    if width is None or width < len(_INDENT) + 40:
        return text
    return click.wrap_text(text, width, subsequent_indent=_INDENT, initial_indent=_INDENT)[len(_INDENT) :]


def summary(checks: Sequence[Check]) -> str:
    """ "12 ok, 1 warning, 2 failures"."""
    counts = Counter(check.verdict for check in checks)
    words = [
        f"{number} {verdict.value}{'s' if number > 1 and verdict is not Verdict.OK else ''}"
        for verdict in Verdict
        if (number := counts[verdict]) or verdict is Verdict.OK
    ]
    return f"ndfd: {', '.join(words)}"
