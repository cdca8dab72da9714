"""Calls into a vendor's library: functions by name, and what they refuse."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import NamedTuple

from ndfd.model.hardware import Device

#: Of one backend: a library that counts wrong must not make a list without end.
DEVICES_MAX = 256


class Found(NamedTuple):
    """What a library said."""

    driver: str | None
    devices: tuple[Device, ...]


class RefusedError(Exception):
    """A library refuses, or is not what it should be; the message says why in words."""

    def __init__(self, reason: str, driver: str | None = None) -> None:
        super().__init__(reason)
        #: Version of the driver, where it was told before.
        self.driver = driver


def function(library: ctypes.CDLL, name: str) -> Callable[..., int]:
    """The function of this name, which returns an int; `RefusedError` when there is none.

    Its arguments' types are not set: each has to be given as the C type that it is.
    """
    try:
        found = getattr(library, name)
    except AttributeError:
        raise RefusedError(f"it lacks the function {name}") from None
    found.restype = ctypes.c_int
    return found  # type: ignore[no-any-return]


def decoded(buffer: bytes) -> str:
    """Text that a library wrote, up to its first NUL."""
    return buffer.partition(b"\0")[0].decode("utf-8", "replace").strip()


def bounded(count: int) -> int:
    """A number of devices that can be."""
    if not 0 <= count <= DEVICES_MAX:
        raise RefusedError(f"it tells of {count} devices")
    return count
