"""Fixtures of the client's tests: the same doors that the server's tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd.client import Client
from ndfd.server.generation import DoorLimits
from ndfd.server.http_door import HttpDoorLimits
from tests.server.doors import LIMITS, Doors


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    """Both doors with limits that no test reaches by accident."""
    with Doors(tmp_path, DoorLimits(), HttpDoorLimits(), LIMITS).open() as running:
        yield running


@pytest.fixture
def client(doors: Doors) -> Iterator[Client]:
    """A client of those doors."""
    with Client.connect(doors.varlink_path) as connected:
        yield connected
