"""A daemon of the configuration's commands, as its client sees it: what it runs with is read once, and read again by a
reload."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from ndfd.config.context import Context
from ndfd.config.load import Loaded, load
from ndfd.config.plan import changes
from ndfd.errors import NdfdError
from ndfd.model.configuration import Configuration, ReloadReport
from ndfd.model.status import DaemonStatus


class FakeDaemon:
    """Its own client. Give it an error as `refusal`, and each reload ends with that."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._loaded: Loaded = load(context)
        self.generation = 1
        self.refusal: NdfdError | None = None
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return

    def close(self) -> None:
        """As a client's."""

    def status(self) -> DaemonStatus:
        """As a client's."""
        return DaemonStatus(
            version="1",
            pid=1,
            uptime_s=1.0,
            sockets=(),
            engine=None,
            workers=(),
            queued=0,
            succeeded=0,
            failed=0,
            pages=0,
            generation=self.generation,
            config_hash=self._loaded.hash,
        )

    def configuration(self) -> Configuration:
        """As a client's."""
        settings = tuple(self._loaded.resolved.values())
        return Configuration(
            self.generation, self._loaded.hash, 1.7e9, settings, self._loaded.files, self._loaded.warnings
        )

    def reload(self, *, dry_run: bool = False) -> ReloadReport:
        """As a client's."""
        if self.refusal is not None:
            raise self.refusal
        loaded = load(self._context)
        planned = changes(self._loaded.resolved, loaded.resolved)
        if not dry_run and planned:
            self._loaded = loaded
            self.generation += 1
        return ReloadReport(self.generation, loaded.hash, planned, loaded.warnings)


def daemon_of(etc: Path) -> FakeDaemon:
    """One that runs with the files of this folder."""
    return FakeDaemon(Context.of_process(service=True, system_dir=etc))
