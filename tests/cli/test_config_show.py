"""`ndfd config show`."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from ndfd.config.keys import KEYS
from ndfd.config.load import read_files
from tests.cli.conftest import Ndfd
from tests.cli.fake_daemon import FakeDaemon

TOKEN = "a-token-of-some-length"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_the_toml_is_a_file_that_gives_the_same_configuration(ndfd: Ndfd, etc: Path, tmp_path: Path) -> None:
    given = '[swarm]\nworkers = 3\ncpus = "0-2"\n[document]\nfallback_font_dirs = ["/a b", "/ü\\"c"]\n'
    given += '[network]\nsocket_mode = "0600"\nstall_timeout = 1.5\n[security]\nadmins = ["ann", 1000]\n'
    source = write(etc / "config.toml", given)
    ran = ndfd("config", "show", "--origin")
    assert (ran.status, ran.stderr) == (0, "")
    copy = read_files([write(tmp_path / "copy.toml", ran.stdout)])
    assert copy.mistakes == ()
    assert copy.hash == read_files([source]).hash != read_files([]).hash


def test_every_key_is_there_by_groups_and_what_is_not_set_is_a_comment(ndfd: Ndfd) -> None:
    text = ndfd("config", "show").stdout
    assert [path.partition(".")[2] for path in KEYS] == re.findall(
        r"^(?:# )?(\w+) (?:=|is not set)", text, re.MULTILINE
    )
    assert "\n# tls_key is not set\n" in text
    assert "\n\n[swarm]\n" in text


def test_an_origin_is_a_comment_in_the_column_of_its_group(ndfd: Ndfd, etc: Path) -> None:
    write(etc / "config.toml", f'[swarm]\nworkers = 4\n[document]\nfallback_font_dirs = ["/{"x" * 80}"]\n')
    text = ndfd("config", "show", "--origin", "swarm", "--set", "swarm.max_queue=7").stdout
    lines = text.splitlines()
    assert lines[1] == f"workers = 4            # {etc}/config.toml:2:11"
    assert "max_queue = 7          # --set swarm.max_queue" in lines
    assert len({line.index("#") for line in lines[1:]}) == 1
    # A line that is longer than others pushes no comment out of sight.
    assert 'max_size = "2GB"         # built-in default' in ndfd("config", "show", "--origin", "document").stdout


def test_a_secret_is_never_shown_in_any_form(ndfd: Ndfd, etc: Path) -> None:
    write(etc / "config.toml", f'[security]\ntoken = "{TOKEN}"\n')
    plain = ndfd("config", "show", "--origin", "security").stdout
    as_json = ndfd("config", "show", "--json", "security").stdout
    assert TOKEN not in plain + as_json
    assert "# token is set; a secret is not shown" in plain
    assert tomllib.loads(plain) == {"security": {"admins": []}}
    shown = json.loads(as_json)["security.token"]
    assert (shown["value"], shown["secret"]) == (None, True)


def test_json_has_value_origin_and_what_is_shadowed_of_each_key(
    ndfd: Ndfd, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(etc / "config.toml", "[swarm]\nworkers = 4\n")
    monkeypatch.setenv("NDFD_SWARM__WORKERS", "5")
    every = json.loads(ndfd("config", "show", "--format", "json").stdout)
    assert tuple(every) == tuple(KEYS)
    workers = every["swarm.workers"]
    assert workers["value"] == 5
    assert workers["origin"] == {"kind": "environment", "name": "NDFD_SWARM__WORKERS"}
    weaker = {"kind": "file", "name": f"{etc}/config.toml", "line": 2, "column": 11}
    assert workers["shadowed"] == [
        {"value": 4, "origin": weaker},
        {"value": "auto", "origin": {"kind": "default"}},
    ]


def test_keys_and_groups_that_are_named_are_all_there_is(ndfd: Ndfd) -> None:
    text = ndfd("config", "show", "metrics", "swarm.workers").stdout
    assert tomllib.loads(text) == {"swarm": {"workers": "auto"}, "metrics": {"enabled": True}}


def test_an_unknown_key_is_wrong_usage_with_a_suggestion(ndfd: Ndfd) -> None:
    ran = ndfd("config", "show", "swarm.wokers")
    assert (ran.status, ran.stdout) == (64, "")
    assert "no key or group 'swarm.wokers'; did you mean swarm.workers?" in ran.stderr


def test_a_configuration_with_mistakes_is_refused_whole(ndfd: Ndfd, etc: Path) -> None:
    write(etc / "config.toml", "[swarm]\nworkers = 0\nmax_queue = -1\n")
    ran = ndfd("config", "show")
    assert (ran.status, ran.stdout) == (78, "")
    assert [line.startswith(f"{etc}/config.toml:") for line in ran.stderr.splitlines()] == [False, True, True]


def test_the_users_file_counts_but_for_a_service(ndfd: Ndfd, tmp_path: Path) -> None:
    (tmp_path / "home" / "ndfd").mkdir(parents=True)
    write(tmp_path / "home" / "ndfd" / "config.toml", "[swarm]\nworkers = 9\n")
    assert "workers = 9\n" in ndfd("config", "show", "--no-service").stdout
    assert 'workers = "auto"\n' in ndfd("config", "show", "--service").stdout


def test_another_folder_can_be_looked_at_and_has_to_be_there(ndfd: Ndfd, etc: Path, tmp_path: Path) -> None:
    write(etc / "config.toml", "[swarm]\nworkers = 9\n")
    other = tmp_path / "staging"
    assert ndfd("config", "show", "--config-dir", other).status == 64
    other.mkdir()
    assert 'workers = "auto"\n' in ndfd("config", "show", "--config-dir", other).stdout


def test_warnings_go_to_stderr(ndfd: Ndfd, etc: Path) -> None:
    write(etc / "config.toml", "").chmod(0o666)
    ran = ndfd("config", "show")
    assert ran.status == 0
    assert ran.stderr.startswith(f"warning: {etc}/config.toml can be changed by every user")


def test_the_running_daemon_tells_what_it_runs_with(ndfd: Ndfd, etc: Path, daemon: FakeDaemon) -> None:
    write(etc / "config.toml", "[swarm]\nworkers = 9\n")
    head, *lines = ndfd("config", "show", "--running", "--origin", "swarm.workers").stdout.splitlines()
    assert re.fullmatch(r"# generation 1 of the running daemon, since 2023-11-\d\d .+, hash [0-9a-f]{12}", head)
    assert lines == ["", "[swarm]", 'workers = "auto"  # built-in default']


@pytest.mark.parametrize("command", [("show",), ("explain", "swarm"), ("diff",)])
def test_options_that_would_have_no_effect_are_refused(ndfd: Ndfd, command: tuple[str, ...]) -> None:
    assert ndfd("config", *command, "--running", "--set", "swarm.workers=2").status == 64
    assert ndfd("config", *command, "--socket", "/x.sock").status == 64


def test_without_a_daemon_running_says_that_none_answers(ndfd: Ndfd) -> None:
    assert ndfd("config", "show", "--running", "--socket", "/nowhere.sock").status == 69
