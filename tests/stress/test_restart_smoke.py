"""A short run of `scripts/restart-test`, which does ten times as much at full load."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.stress.restart import Plan, run
from tests.stress.restart_daemon import under_manager

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ndfd.testing's service manager is for Linux")


@pytest.mark.timeout(300)
def test_nobody_notices_restarts_kills_a_reload_and_an_upgrade(tmp_path: Path) -> None:
    plan = Plan(restarts=2, kills=2, reloads=1, upgrades=1, rate=100, calm_s=0.3)
    with under_manager(tmp_path) as daemon:
        findings = run(daemon, plan, print)
    print("\n".join(findings.lines()))
    assert findings.good
    # Else it would have tested nothing.
    assert findings.requests > 200
    assert findings.jobs.acknowledged > 0
