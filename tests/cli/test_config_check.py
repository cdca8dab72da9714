"""`ndfd config check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ndfd.cli.config_check import summary
from ndfd.model.configuration import Mistake, Origin, OriginKind
from tests.cli.conftest import Ndfd


def test_without_mistakes_stdout_is_empty_and_stderr_names_the_files(ndfd: Ndfd, etc: Path) -> None:
    (etc / "config.toml").write_text("[swarm]\nworkers = 4\n")
    (etc / "conf.d" / "10.toml").write_text("")
    ran = ndfd("config", "check")
    assert (ran.status, ran.stdout) == (0, "")
    assert ran.stderr == f"2 files, no mistakes: {etc}/config.toml {etc}/conf.d/10.toml\n"


def test_each_mistake_is_a_line_that_begins_with_its_place(
    ndfd: Ndfd, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (etc / "config.toml").write_text("[swarm]\nwokers = 4\nmax_queue = -1\n")
    (etc / "conf.d" / "10.toml").write_text("[logging\n")
    monkeypatch.setenv("NDFD_SWARM__MAX_QUEU", "3")
    ran = ndfd("config", "check", "--set", "metrics.enabled=maybe")
    assert ran.status == 78
    lines = ran.stdout.splitlines()
    assert f"{etc}/config.toml:2:1: swarm.wokers: there is no such key; did you mean swarm.workers?" in lines
    assert any(line.startswith(f"{etc}/config.toml:3:13: swarm.max_queue: ") for line in lines)
    assert any(line.startswith(f"{etc}/conf.d/10.toml:1:") for line in lines)
    assert any(line.startswith("NDFD_SWARM__MAX_QUEU: ") for line in lines)
    assert any(line.startswith("--set metrics.enabled: ") for line in lines)
    assert ran.stderr == f"{len(lines)} mistakes in 2 files and 1 variable and 1 option\n"


def test_warnings_are_lines_that_leave_the_status_at_success(ndfd: Ndfd, etc: Path) -> None:
    (etc / "config.toml").write_text("")
    (etc / "config.toml").chmod(0o666)
    ran = ndfd("config", "check")
    assert ran.status == 0
    (line,) = ran.stdout.splitlines()
    assert line.startswith(f"warning: {etc}/config.toml can be changed by every user: ")


def test_files_that_are_named_count_alone_and_the_last_is_the_strongest(
    ndfd: Ndfd, etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (etc / "config.toml").write_text("no TOML")
    monkeypatch.setenv("NDFD_SWARM__WORKERS", "none")
    sound, wrong = tmp_path / "sound.toml", tmp_path / "wrong.toml"
    sound.write_text("[swarm]\nworkers = 4\n")
    wrong.write_text('[document]\nmax_deadline = "1m"\n')
    assert ndfd("config", "check", sound).status == 0
    ran = ndfd("config", "check", sound, wrong)
    assert ran.status == 78
    # A rule between keys, broken by a value and the default of another key.
    (line,) = ran.stdout.splitlines()
    assert line.startswith(f"{wrong}:2:16: document.max_deadline: ")
    assert ran.stderr == "1 mistake in 1 file\n"


def test_a_file_that_is_not_there_is_an_input_that_is_not_there(ndfd: Ndfd, tmp_path: Path) -> None:
    ran = ndfd("config", "check", tmp_path / "gone.toml")
    assert (ran.status, ran.stdout) == (66, "")
    assert f"{tmp_path}/gone.toml: there is no such file" in ran.stderr


def test_sources_beside_files_are_wrong_usage(ndfd: Ndfd, etc: Path) -> None:
    file = etc / "config.toml"
    file.write_text("")
    assert ndfd("config", "check", file, "--set", "swarm.workers=2").status == 64


def test_for_programs_it_is_one_object(ndfd: Ndfd, etc: Path) -> None:
    file = etc / "config.toml"
    file.write_text("[swarm]\nwokers = 4\n")
    ran = ndfd("config", "check", "--json")
    assert ran.status == 78
    (mistake,) = json.loads(ran.stdout)["mistakes"]
    assert mistake["origin"] == {"kind": "file", "name": str(file), "line": 2, "column": 1}
    assert (mistake["key"], mistake["suggestion"]) == ("swarm.wokers", "swarm.workers")
    assert mistake["text"] == f"{file}:2:1: swarm.wokers: there is no such key; did you mean swarm.workers?"
    assert json.loads(ran.stdout)["files"] == [str(file)]


def test_an_environment_without_a_name_of_a_file_is_a_mistake(ndfd: Ndfd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDFD_ENV", "../production")
    ran = ndfd("config", "check")
    assert ran.status == 78
    assert "NDFD_ENV" in ran.stderr


def test_the_summary_counts_mistakes_and_the_places_that_hold_them() -> None:
    at = [Mistake(Origin(OriginKind.FILE, name, line), "") for name, line in (("a", 1), ("a", 2), ("b", 1))]
    variable = Mistake(Origin(OriginKind.ENVIRONMENT, "NDFD_X"), "")
    assert summary(at, ("a", "b", "c")) == "3 mistakes in 2 files"
    assert summary([*at, variable], ()) == "4 mistakes in 2 files and 1 variable"
    assert summary([variable], ()) == "1 mistake in 1 variable"
    assert summary([], ()) == "0 files, no mistakes"
