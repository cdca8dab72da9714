"""Fixtures of the socket API's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd.server.generation import DoorLimits
from ndfd.server.http_door import HttpDoorLimits
from tests.server.doors import LIMITS, Doors


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    """Both doors with limits that no test reaches by accident."""
    with Doors(tmp_path, DoorLimits(), HttpDoorLimits(), LIMITS).open() as running:
        yield running
