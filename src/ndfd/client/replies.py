"""What the daemon's replies say: values, errors, and descriptors that belong to whoever takes them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ndfd.errors import NdfdError, NotPermitted, ProtocolError
from ndfd.protocol.varlink import Reply
from ndfd.protocol.varlink_interfaces import Failed

T = TypeVar("T")

_decoders: dict[type, msgspec.json.Decoder[Any]] = {}
_building = threading.Lock()


def decoded(reply: Reply, into: type[T], path: Path) -> T:
    """The reply of the daemon at `path`; the error that it names is raised, `ProtocolError` when it is malformed."""
    if reply.error is not None:
        raise _error(reply.error, reply.parameters)
    try:
        value: T = _decoder(into).decode(reply.parameters)
        return value
    except msgspec.MsgspecError as error:
        raise ProtocolError(f"a reply of the daemon at {path} is malformed: {error}") from error


@contextlib.contextmanager
def closing_left(descriptors: tuple[int, ...]) -> Iterator[list[int]]:
    """Closes at the end of the block the descriptors that nobody has taken out of the list."""
    left = list(descriptors)
    try:
        yield left
    finally:
        for fd in left:
            os.close(fd)


def take_descriptor(left: list[int], index: int | None) -> int:
    """Takes the descriptor that a reply names; `ProtocolError` when it did not come with it."""
    if index is None or not 0 <= index < len(left):
        raise ProtocolError("the daemon's reply holds no descriptor")
    return left.pop(index)


def _decoder(into: type) -> msgspec.json.Decoder[Any]:
    """Made once, by one thread: msgspec 0.22 crashes when two threads are the first to decode a type at once."""
    decoder = _decoders.get(into)
    if decoder is None:
        with _building:
            decoder = _decoders.setdefault(into, msgspec.json.Decoder(into))
    return decoder


def _error(name: str, parameters: msgspec.Raw) -> NdfdError:
    if name.startswith("io.ndfd.") and name.endswith(".Failed"):
        try:
            failed: Failed = _decoder(Failed).decode(parameters)
            return failed.error()
        except msgspec.MsgspecError as error:
            return ProtocolError(f"the daemon failed and its error is malformed: {error}")
    if name == "org.varlink.service.PermissionDenied":
        return NotPermitted("this user may not call the daemon's method")
    said: Any = bytes(parameters).decode("utf-8", "replace")
    return ProtocolError(
        f"the daemon refuses the call: {name} {said}",
        hint="client and daemon may be of different versions",
    )
