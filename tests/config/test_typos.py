"""Every slip of the pen in every key, wherever a key can be written, is refused, and the right key is suggested."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd.config.context import Context
from ndfd.config.environment import VARIABLES, path_of
from ndfd.config.keys import FAMILIES, GROUPS, find_key, variable
from ndfd.config.layer import PATHS
from ndfd.config.load import read, read_files

#: Some 300,000 slips are read, each as a user's file or variable would be: a minute for each place on a busy machine.
pytestmark = pytest.mark.timeout(600)

#: Of the slips, so many must have the right key as their suggestion.
RIGHT_MIN = 0.98

BARE = string.ascii_lowercase + string.digits + "_-"


def slips(name: str, alphabet: str) -> Iterator[str]:
    """Every name that one character left out, put in, replaced or swapped with the next one makes."""
    found = {name[:i] + name[i + 1 :] for i in range(len(name))}
    found |= {name[:i] + name[i + 1] + name[i] + name[i + 2 :] for i in range(len(name) - 1)}
    found |= {name[:i] + c + name[i + 1 :] for i in range(len(name)) for c in alphabet}
    found |= {name[:i] + c + name[i:] for i in range(len(name) + 1) for c in alphabet}
    yield from sorted(found - {name, ""})


#: Keys of a table whose name is the operator's.
OF_A_POOL = tuple(key.path for key in FAMILIES["swarm.pools"].keys_of("swarm.pools.bulk"))


#: Whether each key is tried, or one of so many: what names them is the same for all.
SHARES = pytest.mark.parametrize("every", [4, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])


def check(right: Counter[bool], missed: list[str], what: str) -> None:
    share = right[True] / right.total()
    print(f"{what}: {right.total()} slips refused, {share:.2%} with the right suggestion")
    assert share >= RIGHT_MIN, missed[:20]


def is_path(path: str) -> bool:
    return path in PATHS or find_key(path) is not None


@SHARES
def test_in_files_every_slip_in_a_key_is_refused_where_it_stands(tmp_path: Path, every: int) -> None:
    right: Counter[bool] = Counter()
    missed: list[str] = []
    for path in (*PATHS, *OF_A_POOL)[::every]:
        group, _, name = path.rpartition(".")
        wrong = [slip for slip in slips(name, BARE + string.ascii_uppercase) if not is_path(f"{group}.{slip}")]
        for some in (wrong[at : at + 1000] for at in range(0, len(wrong), 1000)):
            file = tmp_path / "config.toml"
            file.write_text("".join([f"[{group}]\n", *(f'"{slip}" = 1\n' for slip in some)]))
            mistakes = read_files([file]).mistakes
            assert [(mistake.origin.line, mistake.key) for mistake in mistakes] == [
                (line, f"{group}.{slip}") for line, slip in enumerate(some, 2)
            ]
            for mistake in mistakes:
                right[mistake.suggestion == path] += 1
                if mistake.suggestion != path:
                    missed.append(f"{mistake.key}: {mistake.suggestion}")
    check(right, missed, "files, keys")


def test_in_files_every_slip_in_a_group_is_refused_where_it_stands(tmp_path: Path) -> None:
    right: Counter[bool] = Counter()
    missed: list[str] = []
    for group in GROUPS:
        wrong = [slip for slip in slips(group, BARE) if slip not in GROUPS]
        file = tmp_path / "config.toml"
        file.write_text("".join(f"[{slip}]\nkey = 1\n" for slip in wrong))
        mistakes = read_files([file]).mistakes
        assert [(mistake.origin.line, mistake.key) for mistake in mistakes] == [
            (2 * number + 1, slip) for number, slip in enumerate(wrong)
        ]
        for mistake in mistakes:
            right[mistake.suggestion == f"[{group}]"] += 1
            if mistake.suggestion != f"[{group}]":
                missed.append(f"{mistake.key}: {mistake.suggestion}")
    check(right, missed, "files, groups")


@SHARES
def test_in_the_environment_every_slip_is_refused(every: int) -> None:
    right: Counter[bool] = Counter()
    missed: list[str] = []
    for name in (*VARIABLES, *map(variable, OF_A_POOL))[::every]:
        names = slips(name, string.ascii_uppercase + string.digits + "_x")
        # A slip in the name of a table gives another name, which may be meant.
        wrong = [slip for slip in names if path_of(slip) is None]
        mistakes = read(Context(environment=dict.fromkeys(wrong, "1"))).mistakes
        assert sorted(mistake.origin.name for mistake in mistakes) == sorted(wrong)
        for mistake in mistakes:
            right[mistake.suggestion == name] += 1
            if mistake.suggestion != name:
                missed.append(f"{mistake.origin.name}: {mistake.suggestion}")
    check(right, missed, "variables")


@SHARES
def test_on_the_command_line_every_slip_is_refused(every: int) -> None:
    right: Counter[bool] = Counter()
    missed: list[str] = []
    for path in (*PATHS, *OF_A_POOL)[::every]:
        wrong = [slip for slip in slips(path, BARE + ".") if not is_path(slip)]
        mistakes = read(Context(environment={}, flags=tuple(f"{slip}=1" for slip in wrong))).mistakes
        assert [mistake.origin.name for mistake in mistakes] == [f"--set {slip}" for slip in wrong]
        for mistake in mistakes:
            right[mistake.suggestion == path] += 1
            if mistake.suggestion != path:
                missed.append(f"{mistake.origin.name}: {mistake.suggestion}")
    check(right, missed, "flags")


@pytest.mark.parametrize("slip", ["work ers = 1", 'workers" = 1', "workers== 1", "=workers = 1", "workers 1", "#"])
def test_a_slip_that_makes_no_toml_is_refused_or_sets_nothing(tmp_path: Path, slip: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[swarm]\n{slip}\n")
    reading = read_files([file])
    if slip == "#":
        assert reading.resolved["swarm.workers"].value == '"auto"'
    else:
        assert [mistake.origin.line for mistake in reading.mistakes] == [2]
