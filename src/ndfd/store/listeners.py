"""Those who are told of what was committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from ndfd.model.jobs import Job
from ndfd.store.work import Work

T = TypeVar("T")


class Listeners:
    """Called in the event loop, in the order in which they came."""

    def __init__(self) -> None:
        self.of_changes: list[Callable[[Job], None]] = []
        self.of_forgotten: list[Callable[[str], None]] = []

    def tell(self, work: Work) -> None:
        """Of what an operation has done."""
        _call(self.of_changes, work.changed)
        _call(self.of_forgotten, work.forgotten)


def _call(listeners: Sequence[Callable[[T], None]], things: Sequence[T]) -> None:
    for thing in things:
        for listener in listeners:
            try:
                listener(thing)
            except Exception as error:  # noqa: BLE001  # One listener's fault shall not keep others uninformed.
                said = {"message": "a listener of the store failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(said)
