"""The command `ndfd`: its group of commands, and how each way to end becomes one line and an exit status.

A command line imports the command that it names, and no other (`lazy_commands`). `ndfd --help`, and a shell that
completes the name of a command, import all of them: 60 ms. What would make them slow is imported by the commands that
need it, when they run: the client (30 ms), rich (20 ms), and `ndfd.daemon` with pydantic, structlog, uvicorn and
prometheus-client (250 ms).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from ndfd import __version__
from ndfd.cli.endings import EX_INTERRUPTED, broken_pipe, lines_of, one_line
from ndfd.cli.lazy_commands import LazyCommands
from ndfd.errors import EX_USAGE, NdfdError, OutputError

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_COMMANDS = (
    *("run", "convert", "submit", "jobs", "status", "health", "crashes", "doctor"),
    *("config", "reload", "renew", "service", "backup", "restore", "tune", "errors", "completion"),
)


@click.group(context_settings=_CONTEXT, commands=LazyCommands({name: f"ndfd.cli.{name}" for name in _COMMANDS}))
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="ndfd", message="%(prog)s %(version)s")
def ndfd(debug: bool) -> None:
    """Turn documents into checked, structured records.

    ndfd runs as a daemon that converts PDF documents to Markdown, JSON, HTML or text in worker processes of its own,
    and takes them over a local socket. `ndfd convert` needs no daemon: it starts a private one when none runs.

    \b
    Examples:
      ndfd convert report.pdf > report.md         one document, to stdout
      ndfd convert -o notes/ papers/              all documents of a folder
      cat scan.pdf | ndfd convert - -f json       in a pipe
      ndfd run                                    the daemon, in the foreground
      ndfd submit papers/                         durable jobs: the daemon never loses one
      ndfd jobs list                              what became of them
      ndfd status                                 what it does
      ndfd health                                 whether it would take a document now
      ndfd doctor                                 whether this host is fit for it
      ndfd config check && ndfd reload            it takes its configuration anew
      ndfd tune plan                              what of the system could be made fit for it
      sudo ndfd service install                   the daemon as a service of the system

    \b
    Exit status:
      0   success                     70  a fault in ndfd
      64  wrong usage                 73  output cannot be written
      65  a document's own fault      75  try again later
      66  input cannot be read        77  not permitted
      69  no daemon answers           78  wrong configuration
      130 interrupted by Ctrl-C
    `ndfd errors` lists every error with its status and what to do.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line and gives its exit status; errors are one line on stderr, never a traceback."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments[:1]
    if sys.stdout is None:
        # The next file opened would get descriptor 1, and what is meant for the user would go there.
        error = OutputError("stdout is closed", hint="open it: > FILE, or > /dev/null")
        click.echo(f"ndfd: {one_line(error)}", err=True)
        return error.exit_status
    try:
        status: int | None = ndfd.main(arguments, prog_name="ndfd", standalone_mode=False)
        sys.stdout.flush()
        return status or 0
    except click.UsageError as error:
        return _usage(error)
    except click.ClickException as error:
        click.echo(f"ndfd: {error.format_message()}", err=True)
        return EX_USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("ndfd: interrupted", err=True)
        return EX_INTERRUPTED
    except BrokenPipeError:
        return broken_pipe()
    except NdfdError as error:
        _show_traceback(debug)
        click.echo(f"ndfd: {lines_of(error)}", err=True)
        return error.exit_status
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback for a user who did not ask for one
        _show_traceback(debug)
        fault = NdfdError(f"{type(error).__name__}: {error}", hint="see where with `ndfd --debug`, and report it")
        click.echo(f"ndfd: {one_line(fault)}", err=True)
        return fault.exit_status


def _usage(error: click.UsageError) -> int:
    command = error.ctx.command_path if error.ctx is not None else "ndfd"
    click.echo(f"ndfd: {error.format_message().rstrip('.')} (usage); see `{command} --help`", err=True)
    return EX_USAGE


def _show_traceback(debug: bool) -> None:
    if debug:
        sys.excepthook(*sys.exc_info())
