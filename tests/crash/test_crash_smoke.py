"""Short runs of `scripts/crash-test`, which kills a thousand processes and cuts the power two hundred times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.crash import disk

_ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> dict[str, Any]:
    """The findings; in a process of its own, which becomes the parent of what killed daemons leave behind."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "src")])}
    command = [sys.executable, "-m", "tests.crash", *arguments, "--json"]
    ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False)
    findings: dict[str, Any] = json.loads(ran.stdout)
    assert [found["faults"] for found in findings.values()] == [[]] * len(findings)
    assert ran.returncode == 0
    return findings


@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost_or_done_twice_when_daemon_zygote_and_workers_are_killed() -> None:
    found = run("--kills=30")["daemon"]
    # Else it would have tested nothing.
    assert found["kills"]["all"] >= 30
    assert found["kills"]["daemon"] > found["points"]["expired"] > 0
    assert len(found["points"]) > 5
    assert found["jobs"] > 20
    assert found["acknowledged"] > found["jobs"] / 2


@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost_when_a_process_is_killed_that_works_with_the_store() -> None:
    found = run("--store", "--kills=20")["store"]
    assert found["ends"] == 20
    assert len(found["points"]) > 5
    assert found["acknowledged"] > 20


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", disk.KINDS)
def test_nothing_acknowledged_is_lost_or_torn_when_the_power_goes(kind: str) -> None:
    if (reason := disk.why_not(kind)) is not None:
        pytest.skip(reason)
    findings = run("--power", kind, "--cuts=12", "--jobs=2000")
    assert findings[f"store on {kind}"]["ends"] == 10
    assert findings[f"store on {kind}"]["acknowledged"] > 5
    assert findings[f"daemon on {kind}"]["kills"]["all"] == 2
    assert findings[f"recovery on {kind}"]["jobs"] == 2000


def test_who_may_not_cut_the_power_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert disk.why_not("ext4") == "power cuts need root: they make and mount loop devices"


def test_a_file_system_that_cannot_be_made_here_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/nowhere")
    assert disk.why_not("xfs") == "mkfs.xfs is not installed (Debian: xfsprogs)"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_thousand_kills() -> None:
    found = run("--kills=1000")["daemon"]
    print(json.dumps(found, indent=1))
    assert min(found["points"].values()) >= 5


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.timeout(3600)
def test_two_hundred_power_cuts_and_the_recovery_of_a_hundred_thousand_jobs() -> None:
    print(json.dumps(run("--power"), indent=1))
