"""Fixtures of the tests of the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A machine on which root asks."""
    return Scene.made(tmp_path / "machine")
