"""`ndfd config explain`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ndfd.config.keys import GROUPS, KEYS
from tests.cli.conftest import Ndfd
from tests.cli.fake_daemon import FakeDaemon


def facts(text: str) -> dict[str, str]:
    """By label, what stands behind it; what has no label belongs to the one above."""
    found: dict[str, str] = {}
    label = ""
    for line in text.partition("\n\n")[2].splitlines():
        label = line[2:15].strip() or label
        found[label] = f"{found[label]} {line[15:]}" if label in found else line[15:]
    return found


def test_a_key_is_told_with_its_value_its_origin_and_what_it_hides(
    ndfd: Ndfd, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (etc / "config.toml").write_text("[swarm]\nworkers = 4\n")
    (etc / "conf.d" / "10.toml").write_text("swarm.workers = 5\n")
    monkeypatch.setenv("NEURALDOCFLOW_WORKERS", "6")
    ran = ndfd("config", "explain", "swarm.workers", "--set", "swarm.workers=7")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"swarm.workers\n  {KEYS['swarm.workers'].meaning[:40]}")
    told = facts(ran.stdout)
    assert told["value"] == "7"
    assert told["from"] == "--set swarm.workers"
    assert told["hides"] == f"6  (NEURALDOCFLOW_WORKERS) 5  ({etc}/conf.d/10.toml:1:17) 4  ({etc}/config.toml:2:11)"
    assert told["default"] == '"auto"'
    assert told["accepts"] == '"auto" or a whole number from 1 to 1024'
    assert told["variable"] == "NDFD_SWARM__WORKERS or NEURALDOCFLOW_WORKERS"
    assert told["reload"].startswith("at once: ")


def test_a_secret_is_told_with_the_ways_to_give_it_and_not_shown(ndfd: Ndfd, etc: Path, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("a-token-of-some-length")
    secret.chmod(0o600)
    (etc / "config.toml").write_text(f'[security]\ntoken_file = "{secret}"\n')
    # By the name of the key that names the file, it is the same secret.
    for name in ("security.token", "security.token_file"):
        ran = ndfd("config", "explain", name)
        assert "a-token" not in ran.stdout
        told = facts(ran.stdout)
        assert told["value"] == "(secret)"
        assert told["from"] == f"{etc}/config.toml:2:14 ({secret})"
        assert told["from a file"].startswith("token_file = ")
        assert told["credential"].startswith("security.token, ")


@pytest.mark.parametrize(
    ("key", "reload", "unit"),
    [
        ("swarm.cpus", "with new workers: ", None),
        ("network.socket_dir", "only with a restart: ", None),
        ("document.max_size", "at once: ", "bytes, "),
        ("document.max_deadline", "at once: ", "seconds, "),
    ],
)
def test_what_a_reload_does_and_what_a_number_counts_is_told(
    ndfd: Ndfd, key: str, reload: str, unit: str | None
) -> None:
    told = facts(ndfd("config", "explain", key).stdout)
    assert told["reload"].startswith(reload)
    assert told.get("unit", "").startswith(unit or "")
    assert ("unit" in told) == (unit is not None)


def test_a_group_stands_for_all_its_keys(ndfd: Ndfd) -> None:
    every = json.loads(ndfd("config", "explain", "--json", *GROUPS).stdout)
    assert tuple(every) == tuple(KEYS)
    assert every["network.stall_timeout"] == {
        "value": "30s",
        "origin": {"kind": "default"},
        "shadowed": [],
        "meaning": KEYS["network.stall_timeout"].meaning,
        "default": "30s",
        "accepts": "a duration from 100ms to 1h",
        "unit": "seconds",
        "variables": ["NDFD_NETWORK__STALL_TIMEOUT"],
        "effect": "at_once",
    }


@pytest.mark.parametrize(
    ("name", "meant"), [("swarm.wokers", "swarm.workers"), ("max_queue", "swarm.max_queue"), ("swrm", "swarm")]
)
def test_an_unknown_key_is_wrong_usage_with_a_suggestion(ndfd: Ndfd, name: str, meant: str) -> None:
    ran = ndfd("config", "explain", name)
    assert (ran.status, ran.stdout) == (64, "")
    assert f"'{name}'; did you mean {meant}?" in ran.stderr


def test_what_can_be_read_is_explained_and_mistakes_are_told_after_it(ndfd: Ndfd, etc: Path) -> None:
    (etc / "config.toml").write_text("[swarm]\nworkers = 4\nmax_queue = -1\n")
    ran = ndfd("config", "explain", "swarm.workers", "swarm.max_queue")
    assert ran.status == 78
    assert f"{etc}/config.toml:2:11\n" in ran.stdout
    assert f"{etc}/config.toml:3:13: swarm.max_queue: " in ran.stderr


def test_the_running_daemon_tells_the_value_that_it_runs_with(ndfd: Ndfd, etc: Path, daemon: FakeDaemon) -> None:
    (etc / "config.toml").write_text("[swarm]\nmax_queue = 4\n")
    assert facts(ndfd("config", "explain", "swarm.max_queue").stdout)["value"] == "4"
    assert facts(ndfd("config", "explain", "--running", "swarm.max_queue").stdout)["value"] == "256"


def test_the_shell_completes_keys_and_groups() -> None:
    asked = {"_NDFD_COMPLETE": "bash_complete", "COMP_WORDS": "ndfd config explain swarm.max_", "COMP_CWORD": "3"}
    ran = subprocess.run(
        [sys.executable, "-c", "from ndfd.cli import main; main()"],
        env={**os.environ, **asked},
        capture_output=True,
        check=False,
    )
    assert ran.stdout.decode().split() == ["plain,swarm.max_per_user", "plain,swarm.max_queue"]
