"""The twin of `_c.violations`: a signal's handler in Python runs only after the call that is to be named."""

from __future__ import annotations


def tell(channel: int, frame: bytes, /) -> bool:
    """False: the call stays unnamed."""
    return False
