"""The steps of one value's change, by name: where crash tests end the process, to show that every value is put back."""

from __future__ import annotations

import enum


class Step(enum.StrEnum):
    """One step is behind. In the order in which a value passes them, to and fro."""

    #: What is there was read; nothing is written yet.
    READ = "read"
    #: The line of the journal is written, not synced.
    LINE_WRITTEN = "line_written"
    JOURNALLED = "journalled"
    WRITTEN = "written"
    #: It was read back, and the journal knows what was found.
    VERIFIED = "verified"
    #: It is about to be put back.
    RESTORING = "restoring"
    #: The former value is there; the journal does not know.
    PUT_BACK = "put_back"
    RESTORED = "restored"


def nothing(step: Step) -> None:
    """For those who do not watch the steps."""
