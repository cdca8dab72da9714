"""`ndfd submit`: documents as durable jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ndfd.cli.endings import end_on_signals
from ndfd.cli.inputs import Input, find_inputs
from ndfd.cli.job_options import label_option, labels_of
from ndfd.cli.options import DURATION, password_in, socket_option
from ndfd.cli.pools import complete_pools
from ndfd.errors import UsageError
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.jobs import KEY_MAX_CHARACTERS, PRIORITY_MAX, PRIORITY_MIN, JobOptions


@click.command(short_help="Hand documents over as durable jobs.")
@click.argument("files", nargs=-1, required=True, metavar="FILE|DIR|-…", type=click.Path(allow_dash=True))
@click.option(
    "-f",
    "--format",
    "output_format",
    type=click.Choice([each.value for each in OutputFormat]),
    default=OutputFormat.MARKDOWN.value,
    show_default=True,
    help="What the documents become.",
)
@click.option("--wait", is_flag=True, help="Wait for the jobs, and write their results to stdout or below -o DIR.")
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="With --wait: one file for each document below DIR.",
)
@click.option(
    "--priority",
    type=click.IntRange(PRIORITY_MIN, PRIORITY_MAX),
    default=0,
    metavar="N",
    help="Each step counts as much as a minute of waiting.",
)
@click.option("--deadline", type=DURATION, metavar="TIME", help="Time for each run, as in 90s or 2m30s.")
@click.option("--key", metavar="KEY", help="The same key again gives the same job, or an error for other work.")
@label_option("A label of yours, to find the jobs by. Repeatable.")
@click.option("--pool", metavar="NAME", shell_complete=complete_pools, help="The pool of workers that shall do it.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The first line of FILE opens encrypted documents.",
)
@click.option(
    "--retry-for",
    type=DURATION,
    metavar="TIME",
    help="Give up when the daemon has taken nothing for so long  [default: 10m]",
)
@click.option("--no-retry", is_flag=True, help="Give up at once when the daemon takes no more for now.")
@socket_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each document on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, remarks or summary on stderr; errors only.")
def submit(
    files: Sequence[str],
    output_format: str,
    wait: bool,
    folder: Path | None,
    priority: int,
    deadline: float | None,
    key: str | None,
    labels: Sequence[tuple[str, str]],
    pool: str | None,
    password_file: Path | None,
    retry_for: float | None,
    no_retry: bool,
    socket: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Hand documents over as durable jobs.

    FILE is a document, DIR a folder whose .pdf files are taken at any depth, - is stdin. The running daemon keeps each
    document as a job: once its id is printed, it is on the disk, and ends exactly once, whatever is stopped, killed or
    unplugged. The files may be changed or removed then.

    The ids go to stdout, one a line, in the order of the arguments; a document that is refused is one line on stderr,
    and the rest go on. The same document with the same options is the same job: submitting it again does no harm and
    runs nothing twice.

    While the daemon has as many jobs as it may, or is being restarted, the command waits and says so. When it gives up
    or is interrupted, give it the same documents again: it goes on where it was.

    With --wait it waits for the jobs and writes their results as `ndfd convert` does; the ids then go to stderr, or
    with -o DIR to stdout. When it is interrupted, the jobs go on.

    \b
    Examples:
      ndfd submit report.pdf
      ndfd submit --label batch=7 --priority -5 archive/ > ids
      ndfd submit -q papers/*.pdf | xargs ndfd jobs watch
      ndfd submit --wait -o out/ papers/
      ndfd submit --key order-4711 --wait invoice.pdf > invoice.md
      ndfd submit --json *.pdf | jq -r '[.file, .job.id] | @tsv'

    \b
    Exit status:
      0    all are on the disk; with --wait: and have succeeded
      64   wrong usage, or there is no such pool
      65   a document is refused or, with --wait, its job failed; or several, for different reasons
      66   no document, or none that can be read
      69   no daemon answers, or it did not come back in time
      73   results cannot be written
      75   the daemon takes no more for now: try again
      77   this user may not submit
      130  interrupted: what was submitted goes on
    When all failures are of one kind, the status is that kind's: see `ndfd errors`.

    \b
    Environment:
      NDFD_SOCKET                 the daemon's socket
      NDFD_NETWORK__SOCKET_DIR    the folder of the daemon's sockets
    """
    _refuse_contradictions(wait, folder, as_json, key, retry_for, no_retry)
    found = find_inputs(files)
    if key is not None and sum(isinstance(each, Input) for each in found) > 1:
        raise UsageError("--key belongs to one document: several are given", hint="submit them one by one")
    options = JobOptions(
        convert=ConvertOptions(
            format=OutputFormat(output_format),
            password=password_in(password_file) if password_file else None,
            deadline_s=deadline,
            pool=pool,
        ),
        priority=priority,
        key=key,
        labels=labels_of(labels),
    )
    # The client, 30 ms, which `ndfd --help` and the shell's completion do not need.
    from ndfd.cli.patience import RETRY_FOR_S
    from ndfd.cli.submissions import Submissions

    end_on_signals()
    command = Submissions(
        options,
        wait=wait,
        folder=folder,
        retry_for_s=0.0 if no_retry else retry_for or RETRY_FOR_S,
        as_json=as_json,
        quiet=quiet,
    )
    return command.run(found, socket=socket)


def _refuse_contradictions(
    wait: bool, folder: Path | None, as_json: bool, key: str | None, retry_for: float | None, no_retry: bool
) -> None:
    if folder is not None and not wait:
        raise UsageError("-o DIR is for results: it goes with --wait", hint="or fetch them later: ndfd jobs result ID")
    if wait and as_json and folder is None:
        raise UsageError(
            "--json with --wait needs -o DIR: without it stdout is for the results",
            hint="for results as JSON: --format json",
        )
    if retry_for is not None and no_retry:
        raise UsageError("--retry-for and --no-retry contradict each other", hint="leave one out")
    if key is not None and not 0 < len(key) <= KEY_MAX_CHARACTERS:
        raise UsageError(f"a key has from 1 to {KEY_MAX_CHARACTERS} characters, this one has {len(key)}")
