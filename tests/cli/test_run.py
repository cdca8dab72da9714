"""`ndfd run`, as far as it is the command's own; the daemon behind it has its own tests."""

from __future__ import annotations

import gc
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import ndfd.daemon as ndfd_daemon
from tests.cli.conftest import Ndfd

Start = Callable[..., "subprocess.Popen[bytes]"]


def test_a_private_daemon_says_as_json_where_it_is_and_ends_with_its_owner(start: Start, tmp_path: Path) -> None:
    place = tmp_path / "private"
    process = start("run", "--private", place, "--owner-fd", "0", stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == {"sockets": [f"{place}/ndfd.sock", f"{place}/http.sock"]}
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 0
    assert not place.exists()


def test_a_private_daemon_says_as_json_why_it_is_not(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NDFD_LOGGING__LEVEL", "loud")
    process = start("run", "--private", tmp_path / "private")
    out, err = process.communicate(timeout=20)
    assert process.returncode == 78
    assert json.loads(out)["error"]["code"] == "configuration"
    assert err.startswith(b"ndfd: NDFD_LOGGING__LEVEL: ")


def test_an_owner_has_it_reload_and_drain(start: Start, tmp_path: Path) -> None:
    process = start("run", "--private", tmp_path / "private", "--owner-fd", "0", stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert "sockets" in json.loads(process.stdout.readline())
    process.stdin.write(b"reload\n")
    process.stdin.flush()
    assert process.stderr is not None
    log = b""
    while b"the configuration was reloaded" not in log:
        line = process.stderr.readline()
        assert line, log
        log += line
    _, err = process.communicate(b"drain\n", timeout=20)
    assert process.returncode == 0
    # The end of the pipe follows at once and asks for more haste: the line before it is heard all the same.
    assert b"the owner asks" in err


def test_a_daemon_with_an_owner_says_as_json_why_it_is_not(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDFD_LOGGING__LEVEL", "loud")
    out, _ = start("run", "--owner-fd", "0", stdin=subprocess.PIPE).communicate(timeout=20)
    assert json.loads(out)["error"]["code"] == "configuration"


def test_an_argument_is_wrong_usage(start: Start) -> None:
    process = start("run", "now")
    _, err = process.communicate(timeout=20)
    assert process.returncode == 64
    assert err.startswith(b"ndfd: Got unexpected extra argument (now) (usage); ")


def test_every_mistake_keeps_it_from_starting_and_has_its_line(start: Start, etc: Path) -> None:
    (etc / "config.toml").write_text("[swarm]\nwokers = 2\nmax_queue = -1\n")
    process = start("run", "--set", "logging.level=loud")
    _, err = process.communicate(timeout=20)
    assert process.returncode == 78
    first, *rest = err.decode().splitlines()
    assert first.startswith("ndfd: the configuration has 3 mistakes (configuration); ")
    assert rest[0] == f"{etc}/config.toml:2:1: swarm.wokers: there is no such key; did you mean swarm.workers?"
    assert rest[1].startswith(f"{etc}/config.toml:3:13: swarm.max_queue: ")
    assert rest[2].startswith("--set logging.level: ")


def test_a_private_daemon_reads_no_file_of_the_machine(start: Start, etc: Path, tmp_path: Path) -> None:
    (etc / "config.toml").write_text("no TOML")
    process = start("run", "--private", tmp_path / "private", "--owner-fd", "0", stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert "sockets" in json.loads(process.stdout.readline())


def test_no_cycles_are_sought_until_the_daemon_is_ready(ndfd: Ndfd, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def run_daemon(context: object, on_ready: Callable[[tuple[str, ...]], None], **options: object) -> int:
        seen.append(gc.isenabled())
        on_ready(("/a",))
        seen.append(gc.isenabled() and gc.get_freeze_count() > 0)
        return 0

    monkeypatch.setattr(ndfd_daemon, "run", run_daemon)
    try:
        assert ndfd("run").status == 0
    finally:
        gc.unfreeze()
    assert seen == [False, True]


def test_cycles_are_sought_again_after_a_daemon_that_could_not_start(
    ndfd: Ndfd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NDFD_LOGGING__LEVEL", "loud")
    assert ndfd("run").status == 78
    assert gc.isenabled()


def test_nothing_that_a_daemon_has_said_is_lost_at_its_end(start: Start, etc: Path, tmp_path: Path) -> None:
    log, place = tmp_path / "log", tmp_path / "sockets"
    place.mkdir()
    (etc / "config.toml").write_text(
        f'[network]\nsocket_dir = "{place}"\n[storage]\nstate_dir = "{tmp_path}/state"\n'
        f'[logging]\noutput = "{log}"\nformat = "json"\n'
    )
    process = start("run", "--service", env={**os.environ, "PYTHONUNBUFFERED": ""})
    assert process.stdout is not None
    first = process.stdout.readline()
    process.terminate()
    rest, said = process.communicate(timeout=20)
    assert (process.returncode, rest, said) == (0, b"", b"")
    assert b" is ready: " in first
    assert [json.loads(line)["event"] for line in log.read_text().splitlines()][-2:] == ["ready", "stopping"]
    assert [path.name for path in place.iterdir()] == ["ndfd.lock"]
