"""The nice value of a process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

#: Says what came of an increment, and what was really added; as another user where one is named.
PROGRAM = """
import os, sys
from ndfd import platform
increment, *users = map(int, sys.argv[1:])
for uid in users:
    os.setuid(uid)
before = os.nice(0)
print(platform.add_nice(increment), os.nice(0) - before)
"""
NOBODY = 65534


def added(*arguments: int) -> list[str]:
    # From 5, so that there is room on both sides.
    command = ["nice", "-n", str(5 - os.nice(0)), sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may take from its nice value")
@pytest.mark.parametrize("increment", [10, -5, 0])
def test_it_is_added_to(increment: int) -> None:
    assert added(increment) == ["True", str(increment)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_who_may_not_take_from_it_keeps_it_and_is_told() -> None:
    assert added(-5, NOBODY) == ["False", "0"]
    assert added(5, NOBODY) == ["True", "5"]
