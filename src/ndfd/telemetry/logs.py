"""Logs: structlog's rendering for every record of the process, those of uvicorn and asyncio included, in one place.

That place is chosen by the settings and can be changed while records come: `prepare_logs`, then `use`.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ndfd.config.settings import LoggingSettings
from ndfd.model.printable import printable
from ndfd.telemetry.log_file import LogFile


def prepare_logs(settings: LoggingSettings, stream: TextIO | None = None) -> PreparedLogs:
    """Opens the log that the settings name, and changes nothing about where records go.

    `stream` stands for stderr, and is that unless it is given. `ConfigError` when a file cannot be opened.
    """
    stderr = _Stderr(sys.stderr if stream is None else stream)
    stderr.setFormatter(_formatter(settings.format, terminal=stderr.stream.isatty()))
    if settings.output == "stderr":
        return PreparedLogs(stderr, settings.level)
    max_bytes = 0 if settings.rotate_size == "never" else settings.rotate_size
    file = LogFile(settings.output, max_bytes=max_bytes, keep=settings.rotate_keep, fallback=stderr)
    file.setFormatter(_formatter(settings.format, terminal=False))
    return PreparedLogs(file, settings.level)


class PreparedLogs:
    """A log that is open and not in use yet."""

    def __init__(self, handler: _Stderr | LogFile, level: str) -> None:
        self._handler = handler
        self._level = level
        self._used = False

    def use(self) -> None:
        """From now on every record of this process goes here; the file used before is closed. Once; cannot fail.

        No record is lost or written twice, whichever thread it comes from. Logging is the one state that a process has
        only once, so this is the one place that changes it.
        """
        self._used = True
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                *_SHARED,
                structlog.stdlib.PositionalArgumentsFormatter(),
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=False,
        )
        root = logging.getLogger()
        switch = next((handler for handler in root.handlers if isinstance(handler, _Switch)), None)
        if switch is None:
            root.handlers[:] = [_Switch(self._handler)]
        else:
            switch.turn_to(self._handler)
        root.setLevel(self._level.upper())
        # asyncio reports each selector it makes at this level.
        logging.getLogger("asyncio").setLevel(logging.INFO)

    def discard(self) -> None:
        """Closes a log that is not used after all; without effect after `use`."""
        if not self._used:
            self._handler.close()


class _Stderr(logging.StreamHandler[TextIO]):
    """Its `close` leaves the stream open, as every StreamHandler's does."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """A stderr that takes nothing leaves no place to say so: logging would print a traceback to it each time."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


class _Switch(logging.Handler):
    """The only handler of the root logger: with it, where records go changes between two of them.

    A change of the root logger's list of handlers would reach a thread too late that walks through it.
    """

    def __init__(self, target: _Stderr | LogFile) -> None:
        super().__init__()
        self._target = target

    def emit(self, record: logging.LogRecord) -> None:
        """Hands it on. Called with this handler's lock held."""
        self._target.handle(record)

    def turn_to(self, target: _Stderr | LogFile) -> None:
        """`target` gets every record from now on; the former one is closed."""
        self.acquire()
        try:
            former, self._target = self._target, target
            if isinstance(former, LogFile) and isinstance(target, LogFile):
                target.take_over(former)
            former.close()
        finally:
            self.release()

    def close(self) -> None:
        """Closes where records went."""
        self._target.close()
        super().close()


#: What every record gets, whether it comes from structlog or not.
_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
]


def _formatter(form: str, *, terminal: bool) -> logging.Formatter:
    console = form == "console" or (form == "auto" and terminal)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.TimeStamper(fmt="iso", utc=not console),
            _printable,
            *(_console(terminal) if console else _json()),
        ],
    )


def _console(colours: bool) -> list[Processor]:
    return [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)]


def _json() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        _event_first,
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    ]


def _printable(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Whatever a record quotes cannot move a terminal's cursor or begin another record; JSON lets C1 and U+202E pass.

    Tracebacks come later, or are the daemon's own text, and keep their lines.
    """
    return {
        key: printable(value) if isinstance(value, str) and key != "exception" else value
        for key, value in event.items()
    }


def _event_first(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Time, level and event lead each line, so that raw lines can be read by people too."""
    first = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    return {**first, **event}
