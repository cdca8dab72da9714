"""`scripts/restart-test` inside a real systemd (tests/tuning/systemd_bed.py says what a bed is)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
_UNITS = ROOT / "packaging" / "systemd"
_PROGRAM = "NDFD_SYSTEMD_BED"


def why_not(environment: Mapping[str, str]) -> str | None:
    """What is missing; None when nothing is."""
    if _PROGRAM not in environment:
        return f"{_PROGRAM} names no program that boots one (tests/tuning/systemd_bed.py)"
    if not (_UNITS / "ndfd.service").exists():
        return f"there is no unit in {_UNITS}"
    return None


def run(environment: Mapping[str, str], arguments: Sequence[str]) -> int:
    raise NotImplementedError
