"""What a log says of itself."""

from __future__ import annotations

import logging


def notice(text: str) -> logging.LogRecord:
    """An error record about the log, for a handler that is given it directly."""
    name = "ndfd.telemetry"
    return logging.getLogger(name).makeRecord(name, logging.ERROR, "", 0, text, (), None)
