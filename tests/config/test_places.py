"""Where daemon and client meet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ndfd.config.places import default_socket_dir, named_socket, usual_sockets


@pytest.fixture(autouse=True)
def no_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NDFD_SOCKET", raising=False)
    monkeypatch.delenv("NDFD_NETWORK__SOCKET_DIR", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def test_the_socket_that_is_named_wins_over_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert named_socket() is None
    monkeypatch.setenv("NDFD_NETWORK__SOCKET_DIR", "/srv/ndfd")
    assert named_socket() == Path("/srv/ndfd/ndfd.sock")
    monkeypatch.setenv("NDFD_SOCKET", "/srv/other.sock")
    assert named_socket() == Path("/srv/other.sock")


def test_a_client_looks_where_a_daemon_of_its_user_would_be_and_then_where_the_service_is(tmp_path: Path) -> None:
    assert usual_sockets() == (Path("/run/ndfd/ndfd.sock"),)
    (tmp_path / "ndfd").mkdir()
    assert usual_sockets() == (tmp_path / "ndfd" / "ndfd.sock", Path("/run/ndfd/ndfd.sock"))


def test_a_daemon_without_a_setting_lies_where_a_client_looks(tmp_path: Path) -> None:
    (tmp_path / "ndfd").mkdir()
    assert default_socket_dir() / "ndfd.sock" in usual_sockets()


def test_looking_for_a_daemon_loads_no_settings() -> None:
    code = "import sys, ndfd.config.places; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
