"""Where jobs are kept when nobody says otherwise."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.config import places
from ndfd.config.places import default_state_dir
from ndfd.errors import ConfigError
from ndfd.platform.darwin import Darwin
from ndfd.platform.linux import Linux
from ndfd.platform.windows import Windows

HOME = Path("/home/ada")


def test_the_service_keeps_jobs_in_the_machines_folder_and_users_in_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/srv/state")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_state_dir() == platform.state_dirs({}, None).system
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_state_dir() == Path("/srv/state/ndfd")


def test_a_user_without_a_home_is_told_what_to_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(places, "home_dir", lambda: None)
    with pytest.raises(ConfigError, match="no home") as caught:
        default_state_dir()
    assert "state_dir" in caught.value.hint


@pytest.mark.parametrize("xdg", ["", "relative/folder"])
def test_linux_ignores_a_state_home_that_is_no_absolute_path(xdg: str) -> None:
    assert Linux().state_dirs({"XDG_STATE_HOME": xdg}, HOME).user == HOME / ".local/state/ndfd"
    assert Linux().state_dirs({"XDG_STATE_HOME": xdg}, None).user is None


def test_the_other_systems_name_folders_of_the_machine_and_of_the_user() -> None:
    assert Darwin().state_dirs({}, HOME).user == HOME / "Library/Application Support/ndfd/state"
    assert Darwin().state_dirs({}, None).user is None
    assert Windows().state_dirs({"PROGRAMDATA": "D:/data"}, None).system == Path("D:/data/ndfd/state")


def test_asking_for_a_file_to_leave_the_cache_changes_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    fd = os.open(path, os.O_RDONLY)
    platform.drop_from_cache(fd)
    assert os.read(fd, 100) == b"content"
    assert stat.S_ISREG(os.fstat(fd).st_mode)
    os.close(fd)
