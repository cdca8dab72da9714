"""The layers of the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ndfd.config.context import Context, disown_manager
from ndfd.config.environment import VARIABLES
from ndfd.config.keys import KEYS
from ndfd.config.load import Reading, read
from ndfd.errors import ConfigError


def reading(**environment: str) -> Reading:
    return read(Context(environment=environment))


def mistakes(**environment: str) -> list[str]:
    return [str(mistake) for mistake in reading(**environment).mistakes]


def test_without_variables_the_defaults_hold() -> None:
    settings = reading().accepted().settings
    assert settings.swarm.workers == "auto"
    assert settings.swarm.worker_memory == 4_000_000_000
    assert settings.network.socket_dir == "auto"
    assert settings.document.fallback_font_dirs == ()
    assert settings.logging.level == "info"


def test_values_are_read_as_people_write_them() -> None:
    settings = (
        reading(
            NDFD_SWARM__WORKER_MEMORY="1GiB",
            NDFD_SWARM__CPUS="0-2,5",
            NDFD_DOCUMENT__MAX_DEADLINE="2h",
            NDFD_DOCUMENT__DEFAULT_DEADLINE="2m30s",
            NDFD_DOCUMENT__FALLBACK_FONT_DIRS=f"/fonts/a{os.pathsep}/fonts/b",
            NDFD_NETWORK__SOCKET_MODE="0600",
            NDFD_SECURITY__ADMINS="alice, 1000",
            NDFD_METRICS__ENABLED="no",
            NDFD_SANDBOX__REUSE="never",
            NDFD_SANDBOX__ALLOW="mdwe, landlock-tcp,",
            NDFD_SWARM__WORKER_CPU="2m",
        )
        .accepted()
        .settings
    )
    assert settings.swarm.worker_memory == 2**30
    assert settings.swarm.cpus == {0, 1, 2, 5}
    assert settings.document.max_deadline == 7200.0
    assert settings.document.default_deadline == 150.0
    assert settings.document.fallback_font_dirs == (Path("/fonts/a"), Path("/fonts/b"))
    assert settings.network.socket_mode == 0o600
    assert settings.security.admins == ("alice", 1000)
    assert settings.metrics.enabled is False
    assert settings.sandbox.reuse == "never"
    assert settings.sandbox.allow == {"mdwe", "landlock-tcp"}
    assert settings.swarm.worker_cpu == 120.0


def test_the_names_of_neuraldocflow_count_less_than_our_own() -> None:
    settings = reading(NEURALDOCFLOW_WORKERS="2", NEURALDOCFLOW_MEMORY_LIMIT="8GB").accepted().settings
    assert (settings.swarm.workers, settings.runtime.max_memory) == (2, 8 * 10**9)
    both = reading(NEURALDOCFLOW_WORKERS="2", NDFD_SWARM__WORKERS="3")
    assert both.accepted().settings.swarm.workers == 3
    assert str(both.resolved["swarm.workers"].shadowed[0].origin) == "NEURALDOCFLOW_WORKERS"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("NDFD_SWARM__WORKRES", "NDFD_SWARM__WORKERS"),
        ("NDFD_WORKER__MEMORY", "NDFD_SWARM__WORKER_MEMORY"),
        ("NDFD_SERVER__SOCKET_MODE", "NDFD_NETWORK__SOCKET_MODE"),
        ("NDFD_SWARM__WORKERS__COUNT", "NDFD_SWARM__WORKERS"),
        ("ndfd_swarm__workers", "NDFD_SWARM__WORKERS"),
        ("NDFD_WORKERS", "NDFD_SWARM__WORKERS"),
        ("NDFD_SWARM_WORKERS", "NDFD_SWARM__WORKERS"),
        ("NFDD_SWARM__WORKERS", "NDFD_SWARM__WORKERS"),
        ("NEURALDOCFLOW_WORKER", "NEURALDOCFLOW_WORKERS"),
        ("NDFD_SOCKETS", "NDFD_SOCKET"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_right_name(name: str, nearest: str) -> None:
    (said,) = mistakes(**{name: "1"})
    assert said.startswith(f"{name}: ")
    assert said.endswith(f"; did you mean {nearest}?")


def test_an_unknown_variable_like_no_other_is_refused_without_a_guess() -> None:
    assert mistakes(NDFD_QQ__QQ="1") == ["NDFD_QQ__QQ: there is no such variable"]


@pytest.mark.parametrize(
    "name",
    [
        "NDFD_NATIVE",
        "NDFD_SOCKET",
        "NDFD_CORPUS",
        "NEURALDOCFLOW_HOME",
        "NDFD_SERVICE_HOST",
        "NDFD_PORT_8080_TCP_ADDR",
        "GRAFANA__LOGGING__LEVEL",
    ],
)
def test_variables_of_other_parts_and_programs_are_let_be(name: str) -> None:
    assert mistakes(**{name: "x"}) == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("NDFD_SWARM__WORKERS", "many", "'many' cannot be used: write \"auto\" or a whole number from 1 to 1024"),
        ("NDFD_SWARM__WORKERS", "0", "0 is below the minimum, 1"),
        ("NDFD_SWARM__WORKERS", "", "'' cannot be used"),
        ("NDFD_SWARM__WORKER_MEMORY", "4G", "'4G' is not a size"),
        ("NDFD_SWARM__WORKER_MEMORY", "1MB", "1MB is below the minimum, 256MB"),
        ("NDFD_RUNTIME__MAX_MEMORY", "150%", "'150%' is not a share between 0% and 100%"),
        ("NDFD_SWARM__CPUS", "3-1", "'3-1' is not a list of CPUs"),
        ("NDFD_DOCUMENT__MAX_DEADLINE", "soon", "'soon' is not a duration"),
        ("NDFD_DOCUMENT__MAX_DEADLINE", "1s", "default_deadline (300 s) is above max_deadline (1 s)"),
        ("NDFD_NETWORK__SOCKET_MODE", "rw", "'rw' is not a file mode"),
        ("NDFD_NETWORK__BIND_ADDRESS", "localhost:80", "'localhost:80' is not an address"),
        ("NDFD_NETWORK__BIND_ADDRESS", "0.0.0.0:80", "beyond this machine TLS is needed"),
        ("NDFD_NETWORK__BIND_ADDRESS", "127.0.0.1:80", "whoever listens on the network needs a token"),
        ("NDFD_LOGGING__LEVEL", "loud", "'loud' is none of debug, info, warning, error"),
        ("NDFD_NETWORK__STALL_TIMEOUT", "9" * 400, "inf is no finite time: at most 1h may be written"),
        ("NDFD_SWARM__WORKER_MEMORY", "9" * 400 + "GB", f"'{'9' * 20}' is a size beyond all machines"),
        ("NDFD_SWARM__WORKERS", "9" * 400, "the number is far beyond the maximum, 1024"),
        ("NDFD_LOGGING__OUTPUT", "ndfd.log", "'ndfd.log' is not an absolute path"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_variable(name: str, value: str, says: str) -> None:
    (said,) = mistakes(**{name: value})
    assert said.startswith(f"{name}: {VARIABLES[name]}: {says}")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("NDFD_SANDBOX__ALLOW", "landlok", "landlock"),
        ("NDFD_SANDBOX__ALLOW", "mdwe,landlock_tcp", "landlock-tcp"),
        ("NDFD_SANDBOX__ALLOW", "everything", None),
        ("NDFD_SANDBOX__REUSE", "UID", "uid"),
        ("NDFD_LOGGING__LEVEL", "debg", "debug"),
    ],
)
def test_for_a_wrong_word_the_right_one_is_suggested(name: str, value: str, meant: str | None) -> None:
    (said,) = mistakes(**{name: value})
    wrong = value.rpartition(",")[2]
    assert said.startswith(f"{name}: {VARIABLES[name]}: {wrong!r} is none of ")
    assert said.partition("; did you mean ")[2] == ("" if meant is None else f'"{meant}"?')


def test_nothing_that_a_host_may_lack_is_allowed_by_default_and_it_is_shown_in_one_order(tmp_path: Path) -> None:
    assert reading().accepted().settings.sandbox.allow == frozenset()
    (tmp_path / "config.toml").write_text('[sandbox]\nallow = ["seccomp", "mdwe", "seccomp"]\n')
    found = read(Context(environment={}, system_dir=tmp_path)).resolved["sandbox.allow"]
    assert (found.value, found.origin.line) == ('["mdwe", "seccomp"]', 2)


@pytest.mark.parametrize("written", ["inf", "-inf", "nan", "1e400", "9" * 400])
def test_a_number_without_an_end_is_a_mistake_with_its_place(tmp_path: Path, written: str) -> None:
    (tmp_path / "config.toml").write_text(f"[network]\nstall_timeout = {written}\n")
    (mistake,) = read(Context(environment={}, system_dir=tmp_path)).mistakes
    assert (mistake.origin.line, mistake.key) == (2, "network.stall_timeout")
    assert len(mistake.message) < 200


def test_a_variable_of_ours_that_means_nothing_is_warned_of() -> None:
    assert reading(NDFD_LOG_COLOUR="1").warnings == (
        "NDFD_LOG_COLOUR is set and means nothing to ndfd: see `ndfd config reference`",
    )


def test_a_refusal_names_every_mistake() -> None:
    with pytest.raises(ConfigError) as refused:
        reading(NDFD_SWARM__WORKERS="0", NDFD_LOGGING__LEVEL="loud").accepted()
    assert refused.value.message == "the configuration has 2 mistakes"
    assert [line.partition(":")[0] for line in refused.value.details] == ["NDFD_LOGGING__LEVEL", "NDFD_SWARM__WORKERS"]


def test_processes_of_the_daemon_get_none_of_its_configuration() -> None:
    environment = {"PATH": "/bin", "NDFD_NATIVE": "c", "NDFD_SECURITY__TOKEN": "x" * 16, "CREDENTIALS_DIRECTORY": "/c"}
    assert Context(environment=environment).child_environment() == {"PATH": "/bin", "NDFD_NATIVE": "c"}


def test_each_key_has_one_variable() -> None:
    assert len({key.variable for key in KEYS.values()}) == len(KEYS)
    assert {key.variable for key in KEYS.values()} <= set(VARIABLES)


def test_a_child_hears_nothing_of_the_service_manager_and_neither_does_what_inherits_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = (
        *("NOTIFY_SOCKET", "MAINPID", "FDSTORE", "WATCHDOG_PID", "WATCHDOG_USEC"),
        *("LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"),
    )
    assert Context(environment={"LISTEN_ADDRESS": "x", **dict.fromkeys(names, "1")}).child_environment() == {
        "LISTEN_ADDRESS": "x"
    }
    for name in names:
        monkeypatch.setenv(name, "1")
    disown_manager()
    assert not os.environ.keys() & set(names)
