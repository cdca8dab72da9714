"""`ndfd run`, as far as it is the command's own; the daemon behind it has its own tests."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

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
