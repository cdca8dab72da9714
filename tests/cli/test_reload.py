"""`ndfd reload`, before a daemon that does as it is told."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ndfd.errors import NotPermitted, WorkerStartFailed
from tests.cli.conftest import Ndfd
from tests.cli.fake_daemon import FakeDaemon


def test_the_new_generation_and_each_change_are_told_and_what_needs_a_restart(
    ndfd: Ndfd, etc: Path, daemon: FakeDaemon
) -> None:
    (etc / "config.toml").write_text('[swarm]\nworkers = 4\n[network]\nsocket_dir = "/s"\n')
    ran = ndfd("reload")
    assert (ran.status, ran.stderr) == (0, "")
    head, *lines = ran.stdout.splitlines()
    assert re.fullmatch(r"generation 2 serves, hash [0-9a-f]{12}; changed:", head)
    assert lines == [
        f'  swarm.workers: "auto" -> 4  ({etc}/config.toml:2:11)',
        f'  network.socket_dir: "auto" -> "/s"  ({etc}/config.toml:4:14)',
        "only a restart applies: network.socket_dir",
    ]


def test_a_dry_run_tells_the_same_and_changes_nothing(ndfd: Ndfd, etc: Path, daemon: FakeDaemon) -> None:
    (etc / "config.toml").write_text("[swarm]\nworkers = 4\n")
    ran = ndfd("reload", "--dry-run")
    assert ran.stdout.splitlines() == [
        "generation 1 serves; a reload would change:",
        f'  swarm.workers: "auto" -> 4  ({etc}/config.toml:2:11)',
    ]
    assert daemon.generation == 1


def test_when_nothing_has_changed_it_says_so(ndfd: Ndfd, daemon: FakeDaemon) -> None:
    assert ndfd("reload").stdout == "nothing has changed: generation 1 serves\n"
    assert ndfd("reload", "--dry-run").stdout == "nothing would change: generation 1 serves\n"


def test_a_refusal_names_every_mistake_and_the_generation_that_serves_on(
    ndfd: Ndfd, etc: Path, daemon: FakeDaemon
) -> None:
    (etc / "config.toml").write_text("[swarm]\nwokers = 4\nmax_queue = -1\n")
    ran = ndfd("reload")
    assert (ran.status, ran.stdout) == (78, "")
    head, *lines = ran.stderr.splitlines()
    assert head == (
        "ndfd: the configuration has 2 mistakes (configuration); nothing has changed: generation 1 serves on"
    )
    assert lines[0] == f"{etc}/config.toml:2:1: swarm.wokers: there is no such key; did you mean swarm.workers?"
    assert lines[1].startswith(f"{etc}/config.toml:3:13: swarm.max_queue: ")


def test_one_mistake_is_one_line_that_also_names_the_generation(ndfd: Ndfd, etc: Path, daemon: FakeDaemon) -> None:
    (etc / "config.toml").write_text("[swarm]\nwokers = 4\n")
    ran = ndfd("reload")
    assert ran.status == 78
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"ndfd: {etc}/config.toml:2:1: swarm.wokers: ")
    assert line.endswith("(configuration); nothing has changed: generation 1 serves on")


def test_a_failure_of_another_kind_keeps_its_status_and_its_hint(ndfd: Ndfd, daemon: FakeDaemon) -> None:
    daemon.refusal = WorkerStartFailed("no worker", hint="free some memory")
    ran = ndfd("reload")
    assert ran.status == 75
    assert ran.stderr == (
        "ndfd: no worker (worker-start-failed); nothing has changed: generation 1 serves on; free some memory\n"
    )


def test_one_who_may_not_is_told_no_more_than_that(ndfd: Ndfd, daemon: FakeDaemon) -> None:
    daemon.refusal = NotPermitted("not you", hint="ask root")
    ran = ndfd("reload")
    assert (ran.status, ran.stderr) == (77, "ndfd: not you (not-permitted); ask root\n")


def test_for_programs_it_is_one_object(ndfd: Ndfd, etc: Path, daemon: FakeDaemon) -> None:
    (etc / "config.toml").write_text("[swarm]\ncpus = 0\n")
    told = json.loads(ndfd("reload", "--json").stdout)
    assert told["generation"] == 2
    assert told["warnings"] == []
    (change,) = told["changes"]
    assert (change["key"], change["new"], change["effect"]) == ("swarm.cpus", {"value": "0"}, "new_workers")


def test_warnings_go_to_stderr(ndfd: Ndfd, etc: Path, daemon: FakeDaemon) -> None:
    (etc / "config.toml").write_text("")
    (etc / "config.toml").chmod(0o666)
    ran = ndfd("reload")
    assert ran.status == 0
    assert ran.stderr.startswith("warning: ")


def test_without_a_daemon_it_says_where_none_answers(ndfd: Ndfd) -> None:
    assert ndfd("reload", "--socket", "/nowhere.sock").status == 69
