"""`ndfd config` and tables whose names the operator chooses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ndfd.config.keys import FAMILIES
from tests.cli.conftest import Ndfd

TEXT = '[swarm]\nworkers = 6\n[swarm.pools.bulk]\nmax = 4\nrole = "extractor"\n'


@pytest.fixture
def pool(etc: Path) -> Path:
    file = etc / "config.toml"
    file.write_text(TEXT)
    return file


def test_show_has_the_pools_after_the_group_that_they_are_of(ndfd: Ndfd, pool: Path) -> None:
    shown = ndfd("config", "show", "--origin", "swarm").stdout
    assert [line for line in shown.splitlines() if line.startswith("[")] == ["[swarm]", "[swarm.pools.bulk]"]
    said = {line.partition(" = ")[0]: line.partition("# ")[2] for line in shown.partition("bulk]")[2].splitlines()}
    assert said["max"] == f"{pool}:4:7"
    assert said["memory"] == "built-in default"
    assert tomllib.loads(shown)["swarm"]["pools"]["bulk"]["max"] == 4


@pytest.mark.parametrize("name", ["swarm.pools.bulk", "swarm.pools"])
def test_a_table_stands_for_all_its_keys(ndfd: Ndfd, pool: Path, name: str) -> None:
    every = json.loads(ndfd("config", "show", "--json", name).stdout)
    assert list(every) == [key.path for key in FAMILIES["swarm.pools"].keys_of("swarm.pools.bulk")]


def test_explain_tells_a_key_of_a_pool_and_what_it_falls_back_to(ndfd: Ndfd, pool: Path) -> None:
    told = ndfd("config", "explain", "swarm.pools.bulk.max").stdout
    assert f"value        4\n  from         {pool}:4:7\n  hides        6  ({pool}:2:11)\n" in told
    assert "default      as swarm.workers" in told
    assert "variable     NDFD_SWARM__POOLS__BULK__MAX\n" in told
    every = json.loads(ndfd("config", "explain", "--json", "swarm.pools.bulk.max").stdout)
    assert every["swarm.pools.bulk.max"]["fallback"] == "swarm.workers"


@pytest.mark.parametrize("command", ["show", "explain"])
def test_a_pool_that_nobody_declares_is_wrong_usage(ndfd: Ndfd, pool: Path, command: str) -> None:
    for name in ("swarm.pools.other", "swarm.pools.other.max"):
        ran = ndfd("config", command, name)
        assert (ran.status, ran.stdout) == (64, "")
        assert f"nothing called {name} is declared" in ran.stderr
        assert "[swarm.pools.bulk]" in ran.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("swarm.pools.bulk.mx", "there is no key or group 'swarm.pools.bulk.mx'; did you mean swarm.pools.bulk.max?"),
        ("swarm.pools.BULK.max", "'BULK' is not the name of a pool"),
        ("pools", "did you mean swarm.pools?"),
    ],
)
def test_a_wrong_name_is_wrong_usage(ndfd: Ndfd, pool: Path, name: str, said: str) -> None:
    ran = ndfd("config", "explain", name)
    assert ran.status == 64
    assert said in ran.stderr


def test_diff_tells_a_pool_that_comes(ndfd: Ndfd, pool: Path) -> None:
    lines = ndfd("config", "diff").stdout.splitlines()
    assert lines[:2] == [
        f'swarm.workers: "auto" -> 6  ({pool}:2:11)',
        f'swarm.pools.bulk.role: not set -> "extractor"  ({pool}:5:8)',
    ]
    assert f"swarm.pools.bulk.max: not set -> 4  ({pool}:4:7)" in lines


def test_check_names_what_is_wrong_in_a_pool(ndfd: Ndfd, pool: Path) -> None:
    pool.write_text(TEXT + "mx = 3\nmin = 5\n[swarm.pools.default]\n")
    ran = ndfd("config", "check")
    assert ran.status == 78
    assert ran.stdout.splitlines() == [
        f"{pool}:6:1: swarm.pools.bulk.mx: there is no such key; did you mean swarm.pools.bulk.max?",
        f"{pool}:7:7: swarm.pools.bulk.min: min (5) is above max (4)",
        f"{pool}:8:2: swarm.pools.default: the pool 'default' is described by the keys of [swarm] itself",
    ]


def test_the_reference_tells_the_keys_of_any_pool_or_of_one(ndfd: Ndfd) -> None:
    assert "[swarm.pools.NAME]  A pool of workers" in ndfd("config", "reference", "swarm.pools").stdout
    one = ndfd("config", "reference", "swarm.pools.mine.max").stdout
    assert one.startswith("[swarm.pools.mine]")
    assert "NDFD_SWARM__POOLS__MINE__MAX" in one


@pytest.mark.parametrize(
    ("begun", "offered"),
    [
        ("swarm.p", {"swarm.pools", "swarm.priority"}),
        ("swarm.pools.bulk.m", {"swarm.pools.bulk.min", "swarm.pools.bulk.max", "swarm.pools.bulk.memory"}),
        ("swarm.pools.o", set()),
    ],
)
def test_the_shell_completes_the_keys_of_pools_that_are_declared(pool: Path, begun: str, offered: set[str]) -> None:
    asked = {"_NDFD_COMPLETE": "bash_complete", "COMP_WORDS": f"ndfd config explain {begun}", "COMP_CWORD": "3"}
    ran = subprocess.run(
        [sys.executable, "-c", "from ndfd.cli import main; main()"],
        env={**os.environ, **asked},
        capture_output=True,
        check=False,
    )
    assert {line.removeprefix("plain,") for line in ran.stdout.decode().split()} == offered
