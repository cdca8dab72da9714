"""The command line as a whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ndfd import __version__
from ndfd.cli.config import config
from ndfd.cli.endings import exit_status_of, lines_of, one_line
from ndfd.cli.jobs import jobs
from ndfd.cli.main import ndfd as group
from ndfd.cli.service import service
from ndfd.config.precedence import LAYERS
from ndfd.errors import EX_DATAERR, ConfigError, DamagedDocument, InputError, NdfdError, NoDocuments
from tests.cli.conftest import Ndfd


def test_the_version_is_that_of_the_package(ndfd: Ndfd) -> None:
    ran = ndfd("--version")
    assert (ran.status, ran.stdout, ran.stderr) == (0, f"ndfd {__version__}\n", "")


@pytest.mark.parametrize("command", sorted(group.commands))
def test_every_command_explains_itself_on_stdout(ndfd: Ndfd, command: str) -> None:
    ran = ndfd(command, "--help")
    assert (ran.status, ran.stderr) == (0, "")
    assert f"Usage: ndfd {command}" in ran.stdout


def test_the_help_fits_a_terminal_of_eighty_columns(ndfd: Ndfd) -> None:
    below = [f"{each.name} {name}" for each in (config, jobs, service) for name in each.commands]
    for command in ("", *group.commands, *below):
        text = ndfd(*command.split(), "--help").stdout
        # What is shown as it was written may be up to a hundred columns wide.
        assert max(map(len, text.splitlines())) <= 100


def test_the_daemons_help_names_every_layer_and_where_the_keys_are_listed(ndfd: Ndfd) -> None:
    text = ndfd("run", "--help").stdout
    named = [name for line in text.splitlines() for name, when in LAYERS if name in line and when in line]
    assert named == [name for name, _ in LAYERS]
    assert "ndfd config reference" in " ".join(text.split())


def test_a_command_that_is_not_there_is_wrong_usage_on_one_line(ndfd: Ndfd) -> None:
    ran = ndfd("convret")
    assert ran.status == 64
    assert ran.stderr.count("\n") == 1
    assert "ndfd --help" in ran.stderr


def test_help_loads_nothing_of_the_daemon_the_terminal_or_the_client() -> None:
    code = (
        "import sys; from ndfd.cli import main; main(['--help']);"
        "sys.exit(bool({'pydantic', 'rich', 'structlog', 'uvicorn', 'ndfd.daemon', 'ndfd.client'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_an_error_is_one_line_whatever_its_parts_hold() -> None:
    error = DamagedDocument("a\nb\r\n c", hint="do\nthis")
    assert one_line(error, "x\ny.pdf") == "x y.pdf: a b c (document-damaged); do this"


def test_each_cause_of_an_error_that_only_counts_them_is_a_line_of_its_own() -> None:
    error = ConfigError("it has 2 mistakes", hint="mend", details=("a: x\ny", "b: z"))
    assert lines_of(error).splitlines() == ["it has 2 mistakes (configuration); mend", "a: x y", "b: z"]


def test_an_error_that_begins_with_its_subject_does_not_say_it_twice() -> None:
    assert one_line(InputError("a.pdf: gone", hint=""), "a.pdf") == "a.pdf: gone (input-unreadable)"


@pytest.mark.parametrize(
    ("failures", "status"),
    [
        ([], 0),
        ([DamagedDocument("")], 65),
        ([InputError(""), NoDocuments("")], 66),
        ([InputError(""), DamagedDocument("")], EX_DATAERR),
        ([NdfdError("")], 70),
    ],
)
def test_failures_of_one_kind_give_its_status_and_mixed_ones_that_of_bad_data(
    failures: list[NdfdError], status: int
) -> None:
    assert exit_status_of(failures) == status


def test_a_closed_stdout_is_named_before_anything_is_opened_in_its_place() -> None:
    command = f'"{sys.executable}" -m ndfd errors >&-'
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, timeout=60, check=False)
    assert done.returncode == 73
    assert done.stderr.startswith(b"ndfd: stdout is closed (output-unwritable)")
    assert done.stderr.count(b"\n") == 1
