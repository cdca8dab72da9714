"""Fixtures of the tests of tuning."""

from __future__ import annotations

from pathlib import Path

import pytest

from ndfd.testing import FakeKernel
from tests.tuning.scene import Scene


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    """A fake system."""
    root = tmp_path / "root"
    root.mkdir()
    return FakeKernel(root)


@pytest.fixture
def scene(kernel: FakeKernel, tmp_path: Path) -> Scene:
    """With its journal, which is not there yet."""
    return Scene(kernel, tmp_path / "state" / "journal")
