"""Settings from the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from ndfd.config.environment import load_settings, variable_names
from ndfd.config.settings import Settings
from ndfd.errors import EX_CONFIG, ConfigError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("NDFD_")]:
        monkeypatch.delenv(name)


def test_without_variables_the_defaults_hold() -> None:
    settings = load_settings()
    assert settings.swarm.workers == "auto"
    assert settings.swarm.worker_memory == 4_000_000_000
    assert settings.network.socket_dir is None
    assert settings.document.fallback_font_dirs == ()
    assert settings.logging.level == "info"


def test_a_variable_wins_over_its_default_and_leaves_the_rest_of_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDFD_SWARM__WORKERS", "3")
    settings = load_settings()
    assert settings.swarm.workers == 3
    assert settings.swarm.jobs_per_worker == Settings.model_fields["swarm"].default.jobs_per_worker


def test_values_are_read_as_people_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDFD_SWARM__WORKER_MEMORY", "1GiB")
    monkeypatch.setenv("NDFD_DOCUMENT__MAX_DEADLINE", "2h")
    monkeypatch.setenv("NDFD_DOCUMENT__DEFAULT_DEADLINE", "2m30s")
    monkeypatch.setenv("NDFD_DOCUMENT__FALLBACK_FONT_DIRS", f"/fonts/a{os.pathsep}/fonts/b")
    monkeypatch.setenv("NDFD_NETWORK__SOCKET_MODE", "0600")
    monkeypatch.setenv("NDFD_NETWORK__SOCKET_DIR", "/srv/ndfd")
    settings = load_settings()
    assert settings.swarm.worker_memory == 2**30
    assert settings.document.max_deadline == 7200.0
    assert settings.document.default_deadline == 150.0
    assert settings.document.fallback_font_dirs == (Path("/fonts/a"), Path("/fonts/b"))
    assert settings.network.socket_mode == 0o600
    assert settings.network.socket_dir == Path("/srv/ndfd")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("NDFD_SWARM__WORKRES", "NDFD_SWARM__WORKERS"),
        ("NDFD_WORKER__MEMORY", "NDFD_SWARM__WORKER_MEMORY"),
        ("NDFD_SERVER__SOCKET_MODE", "NDFD_NETWORK__SOCKET_MODE"),
        ("NDFD_SWARM__WORKERS__COUNT", "NDFD_SWARM__WORKERS"),
        ("ndfd_swarm__workres", "NDFD_SWARM__WORKERS"),
        ("NDFD_WORKERS", "NDFD_SWARM__WORKERS"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_right_name(
    monkeypatch: pytest.MonkeyPatch, name: str, nearest: str
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigError) as refused:
        load_settings()
    assert name in str(refused.value)
    assert refused.value.hint == f"did you mean {nearest}?"
    assert refused.value.exit_status == EX_CONFIG


def test_an_unknown_variable_like_no_other_gets_the_place_where_all_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDFD_QQ__QQ", "1")
    with pytest.raises(ConfigError) as refused:
        load_settings()
    assert "ndfd run --help" in refused.value.hint


@pytest.mark.parametrize("name", ["NDFD_NATIVE", "NDFD_SOCKET", "NDFD_CORPUS"])
def test_variables_of_other_parts_and_programs_are_let_be(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "x")
    load_settings()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "NDFD_SWARM__WORKERS",
            "many",
            "NDFD_SWARM__WORKERS: 'many' should be a valid integer or 'many' should be 'auto'",
        ),
        ("NDFD_SWARM__WORKER_MEMORY", "4G", "NDFD_SWARM__WORKER_MEMORY: '4G' is not a size"),
        ("NDFD_SWARM__WORKER_MEMORY", "1MB", "NDFD_SWARM__WORKER_MEMORY: '1MB' should be greater"),
        ("NDFD_DOCUMENT__MAX_DEADLINE", "soon", "NDFD_DOCUMENT__MAX_DEADLINE: 'soon' is not a duration"),
        ("NDFD_DOCUMENT__MAX_DEADLINE", "1s", "[document] default_deadline (300 s) is above max_deadline (1 s)"),
        ("NDFD_NETWORK__SOCKET_MODE", "rw", "NDFD_NETWORK__SOCKET_MODE: 'rw' is not a file mode"),
        ("NDFD_LOGGING__LEVEL", "loud", "NDFD_LOGGING__LEVEL: 'loud' should be 'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        load_settings()
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_settings_cannot_be_changed_after_they_were_read() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.swarm.workers = 5


def test_a_private_daemon_gets_its_own_folder_and_keeps_the_rest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NDFD_NETWORK__SOCKET_DIR", "/srv/ndfd")
    monkeypatch.setenv("NDFD_SWARM__WORKERS", "3")
    settings = load_settings().in_socket_dir(tmp_path)
    assert settings.network.socket_dir == tmp_path
    assert settings.swarm.workers == 3


def test_each_key_has_one_variable() -> None:
    names = list(variable_names())
    assert len(names) == len(set(names)) == 13
