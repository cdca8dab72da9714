"""Commands that are imported when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from ndfd.cli.lazy_commands import LazyCommands
from ndfd.cli.main import ndfd as group
from tests.cli.conftest import Ndfd

GROUPS = [group, *(each for each in group.commands.values() if isinstance(each, click.Group))]


def _imported_by(*arguments: str) -> set[str]:
    """The modules of commands that such a command line has imported, by their names in ndfd.cli."""
    code = (
        "import sys; from ndfd.cli import main; main(sys.argv[1:]);"
        "print('IMPORTED', *(name for name in sys.modules if name.startswith('ndfd.')))"
    )
    ran = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return {name.removeprefix("ndfd.cli.") for name in ran.stdout.rpartition("IMPORTED")[2].split()}


@pytest.mark.parametrize("each", GROUPS, ids=lambda each: each.name)
def test_each_command_has_the_name_by_which_it_is_found(each: click.Group) -> None:
    assert each.commands
    assert [command.name for command in each.commands.values()] == list(each.commands)


def test_a_command_is_run_without_the_others() -> None:
    assert not {"convert", "jobs", "status", "run", "options"} & _imported_by("errors")


def test_a_command_of_a_group_is_run_without_its_neighbours() -> None:
    imported = _imported_by("jobs", "show", "--help")
    assert "jobs_show" in imported
    assert not {"jobs_list", "jobs_cancel", "convert"} & imported


def test_the_help_describes_commands_that_nothing_has_imported_before(ndfd: Ndfd) -> None:
    for each in GROUPS:
        text = ndfd(*([] if each is group else [str(each.name)]), "--help").stdout
        context = click.Context(each, terminal_width=100)
        listed = [line.split()[0] for line in text.rpartition("Commands:\n")[2].splitlines() if line.strip()]
        assert set(each.list_commands(context)) <= set(listed)


def test_a_command_that_is_mistyped_is_answered_with_those_that_may_be_meant(ndfd: Ndfd) -> None:
    assert "'convert'" in ndfd("convret").stderr
    assert "'list'" in ndfd("jobs", "lst").stderr


def test_commands_can_be_added_and_removed_as_in_any_group() -> None:
    commands = LazyCommands({"errors": "ndfd.cli.errors", "list": "ndfd.cli.jobs_list:list_jobs"})
    own = click.Command("own")
    commands["own"] = own
    del commands["errors"]
    assert list(commands) == ["list", "own"]
    assert len(commands) == 2
    assert commands["own"] is own
    assert commands["list"].name == "list"
    assert commands.get("errors") is None
