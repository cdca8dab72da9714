"""Where questions are answered: a thread with a connection that only reads."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ndfd.store.database import connect_reader, ours

T = TypeVar("T")


class Reader:
    """Answers questions one by one, each with what was committed before it."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, "ndfd-store-read")

    async def ask(self, question: Callable[..., T], *arguments: Any) -> T:
        """What the question, a function of a connection and these arguments, answers; `StoreError`, and its own."""
        answer = functools.partial(self._answer, question, arguments)
        return await asyncio.get_running_loop().run_in_executor(self._thread, answer)

    def reset(self) -> None:
        """Returns when the connection is closed; the next question opens another."""
        self._thread.submit(self._close).result()

    def stop(self) -> None:
        """Returns when what was asked is answered and the connection is closed."""
        self.reset()
        self._thread.shutdown()

    def _answer(self, question: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        try:
            if self._connection is None:
                self._connection = connect_reader(self._database)
            return question(self._connection, *arguments)
        except sqlite3.Error as error:
            self._close()
            raise ours(error, self._database.parent) from error

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
