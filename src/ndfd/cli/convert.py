"""`ndfd convert`: documents to Markdown, JSON, HTML or text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ndfd.cli.endings import end_on_signals
from ndfd.cli.inputs import find_inputs
from ndfd.cli.options import DURATION, password_in, socket_option
from ndfd.cli.pools import complete_pools
from ndfd.errors import UsageError
from ndfd.model.conversion import ConvertOptions, OutputFormat


@click.command()
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
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write one file for each document below DIR, instead of stdout.",
)
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The first line of FILE opens encrypted documents.",
)
@click.option("--pool", metavar="NAME", shell_complete=complete_pools, help="The pool of workers that shall do it.")
@click.option("--deadline", type=DURATION, metavar="TIME", help="Time for each document, as in 90s or 2m30s.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Documents at a time  [default: the workers of the daemon's pool]",
)
@socket_option
@click.option("--private", is_flag=True, help="Start a private daemon even where one runs.")
@click.option("--json", "as_json", is_flag=True, help="With -o: one JSON object for each document on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, warnings or summary on stderr; errors only.")
def convert(
    files: Sequence[str],
    output_format: str,
    folder: Path | None,
    password_file: Path | None,
    pool: str | None,
    deadline: float | None,
    jobs: int | None,
    socket: Path | None,
    private: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Convert documents to Markdown, JSON, HTML or text.

    FILE is a document, DIR a folder whose .pdf files are taken at any depth, - is stdin. The documents go to the
    running daemon or, when none runs, to a private one that ends with this command. Many documents are converted at
    once, on all workers of the daemon; results come in the order of the arguments.

    Results go to stdout, and nothing else does. Of several documents each follows a line that names it
    (<!-- file: NAME --> in Markdown and HTML, ==> NAME <== in text); in JSON each document is one line.
    With -o DIR, sub/a.pdf of a folder becomes DIR/sub/a.md. Where two documents would get one name, also when only
    the case of letters differs, the later is called a.pdf.md, and then a.pdf-2.md. Files that exist are replaced.

    A document that fails is reported in one line, and the rest go on. Pages that could not be read whole are named.

    \b
    Examples:
      ndfd convert report.pdf > report.md
      ndfd convert -f json *.pdf | jq -r .metadata.title
      ndfd convert -o out/ papers/ manuals/
      ndfd convert --password-file secret.txt contract.pdf
      ndfd convert --pool bulk -o out/ archive/
      curl -s https://example.org/a.pdf | ndfd convert -

    \b
    Exit status:
      0    all converted, partial pages included
      64   there is no such pool
      65   a document failed; or several did, for different reasons
      66   no document, or none that can be read
      69   the daemon named, or the one at work, does not answer
      73   results cannot be written
      75   a worker failed or the daemon is busy: try again
      130  interrupted; a private daemon is stopped, no unfinished file is left
    When all failures are of one kind, the status is that kind's: see `ndfd errors`.

    \b
    Environment:
      NDFD_SOCKET                 the daemon's socket
      NDFD_NETWORK__SOCKET_DIR    the folder of the daemon's sockets
    """
    if as_json and folder is None:
        raise UsageError(
            "--json needs -o DIR: without it stdout is for the documents", hint="for documents as JSON: --format json"
        )
    options = ConvertOptions(
        format=OutputFormat(output_format),
        password=password_in(password_file) if password_file else None,
        deadline_s=deadline,
        pool=pool,
    )
    # The client, 30 ms, which `ndfd --help` and the shell's completion do not need.
    from ndfd.cli.conversions import Conversions

    end_on_signals()
    command = Conversions(options, folder, as_json=as_json, quiet=quiet)
    return command.run(find_inputs(files), socket=socket, private=private, jobs=jobs)
