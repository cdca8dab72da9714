"""`ndfd config diff`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ndfd.cli.config_values import change_line
from ndfd.model.configuration import SECRET, Change, Effect, Origin, OriginKind
from tests.cli.conftest import Ndfd
from tests.cli.fake_daemon import FakeDaemon


def test_what_is_not_the_default_is_told_with_its_place(ndfd: Ndfd, etc: Path) -> None:
    (etc / "config.toml").write_text('[swarm]\nworkers = 4\nmax_queue = 256\n[network]\nsocket_dir = "/s"\n')
    ran = ndfd("config", "diff")
    assert ran.status == 1
    assert ran.stdout.splitlines() == [
        f'swarm.workers: "auto" -> 4  ({etc}/config.toml:2:11)',
        f'network.socket_dir: "auto" -> "/s"  ({etc}/config.toml:5:14)',
    ]


def test_without_a_difference_it_is_silent_and_succeeds(ndfd: Ndfd) -> None:
    ran = ndfd("config", "diff")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")


def test_a_configuration_with_mistakes_has_no_difference_to_show(ndfd: Ndfd, etc: Path) -> None:
    (etc / "config.toml").write_text("[swarm]\nworkers = 0\n")
    ran = ndfd("config", "diff")
    assert (ran.status, ran.stdout) == (78, "")


def test_a_secret_differs_without_being_shown(ndfd: Ndfd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDFD_SECURITY__TOKEN", "a-token-of-some-length")
    ran = ndfd("config", "diff")
    assert ran.stdout == "security.token: not set -> (secret)  (NDFD_SECURITY__TOKEN)\n"
    (change,) = json.loads(ndfd("config", "diff", "--json").stdout)
    assert (change["old"], change["new"]) == ({"value": None}, {"value": None, "secret": True})


def test_a_secret_that_was_replaced_is_told_as_another_one() -> None:
    change = Change(
        "security.token", Effect.AT_ONCE, Origin(OriginKind.ENVIRONMENT, "NDFD_SECURITY__TOKEN"), SECRET, SECRET
    )
    assert change_line(change) == "security.token: another secret  (NDFD_SECURITY__TOKEN)"


def test_from_the_running_daemon_it_is_what_a_reload_would_change(ndfd: Ndfd, etc: Path, daemon: FakeDaemon) -> None:
    assert ndfd("config", "diff", "--running").status == 0
    (etc / "config.toml").write_text('[swarm]\nworkers = 4\n[network]\nsocket_dir = "/s"\n')
    ran = ndfd("config", "diff", "--running")
    assert ran.status == 1
    assert ran.stdout.splitlines() == [
        f'swarm.workers: "auto" -> 4  ({etc}/config.toml:2:11)',
        f'network.socket_dir: "auto" -> "/s"  ({etc}/config.toml:4:14)',
        "only a restart applies: network.socket_dir",
    ]
    assert daemon.generation == 1


def test_for_programs_it_is_an_array_of_changes(ndfd: Ndfd, etc: Path, daemon: FakeDaemon) -> None:
    (etc / "config.toml").write_text("[swarm]\nworkers = 4\n")
    ran = ndfd("config", "diff", "--running", "--json")
    assert ran.status == 1
    assert json.loads(ran.stdout) == [
        {
            "key": "swarm.workers",
            "old": {"value": "auto"},
            "new": {"value": 4},
            "effect": "at_once",
            "origin": {"kind": "file", "name": f"{etc}/config.toml", "line": 2, "column": 11},
        }
    ]
    (etc / "config.toml").unlink()
    assert json.loads(ndfd("config", "diff", "--running", "--json").stdout) == []


def test_mistakes_in_the_daemons_files_are_told_one_a_line(ndfd: Ndfd, etc: Path, daemon: FakeDaemon) -> None:
    (etc / "config.toml").write_text("[swarm]\nworkers = 0\nmax_queue = -1\n")
    ran = ndfd("config", "diff", "--running")
    assert ran.status == 78
    assert len([line for line in ran.stderr.splitlines() if line.startswith(f"{etc}/config.toml:")]) == 2
