"""Fixtures of the socket API's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd.server.generation import DoorLimits
from ndfd.server.http_door import HttpDoorLimits
from tests.server.doors import LIMITS, Doors
from tests.server.storing_manager import StoringManager, storing_manager

#: What is tested of the HTTP door holds with a manager that keeps its connections as well.
_KEPT_TOO = ("test_http_door", "test_http_events", "test_http_faults", "test_http_jobs")

#: For a test of what is otherwise where connections are kept: there, nobody is told that the door stops.
plain_door = pytest.mark.parametrize("manager", [False], ids=["plain"], indirect=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the tests of the HTTP door a second time, in front of a manager, unless it chooses."""
    chosen = any("manager" in mark.args for mark in metafunc.definition.iter_markers("parametrize"))
    if not chosen and "manager" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in _KEPT_TOO:
        metafunc.parametrize("manager", [False, True], ids=["plain", "kept"], indirect=True)


@pytest.fixture
def manager(request: pytest.FixtureRequest) -> Iterator[StoringManager | None]:
    """Who keeps connections; nobody, unless a test is run with it."""
    if not getattr(request, "param", False):
        yield None
        return
    with storing_manager() as manager:
        yield manager


@pytest.fixture
def doors(tmp_path: Path, manager: StoringManager | None) -> Iterator[Doors]:
    """Both doors with limits that no test reaches by accident."""
    with Doors(tmp_path, DoorLimits(), HttpDoorLimits(), LIMITS, manager).open() as running:
        yield running
