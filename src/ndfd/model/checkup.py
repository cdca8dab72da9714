"""What `ndfd doctor` finds."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import msgspec


class Verdict(enum.StrEnum):
    """From best to worst."""

    OK = "ok"
    #: The daemon runs, and something should be mended.
    WARNING = "warning"
    #: The daemon does not start, or does not convert.
    FAILURE = "failure"


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was looked at."""

    #: What it belongs to: "confinement", "engine", "host", "configuration", "daemon".
    group: str
    name: str
    verdict: Verdict
    #: What was found.
    text: str
    #: What to do about it.
    advice: str = ""


def worst(checks: Iterable[Check]) -> Verdict:
    """The verdict on all of them."""
    return max((check.verdict for check in checks), key=list(Verdict).index, default=Verdict.OK)
