"""Logs: structlog's rendering for every record of the process, those of uvicorn and asyncio included, in one place.

That place is chosen by the settings and can be changed while records come: `prepare_logs`, then `use`. Where stderr is
the journal's own stream, records go to the journal with their fields unless the settings say otherwise.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ndfd.config.settings import LoggingSettings
from ndfd.errors import ConfigError
from ndfd.model.printable import printable
from ndfd.platform import Journal
from ndfd.telemetry.journal import BLOCKS, JournalHandler
from ndfd.telemetry.log_file import LogFile
from ndfd.telemetry.stderr import Stderr

_log = logging.getLogger(__name__)

_NO_VARIABLES: Mapping[str, str] = MappingProxyType({})

_Target = Stderr | LogFile | JournalHandler


def prepare_logs(
    settings: LoggingSettings,
    stream: TextIO | None = None,
    *,
    environment: Mapping[str, str] = _NO_VARIABLES,
    journal: Journal | None = None,
) -> PreparedLogs:
    """Opens the log that the settings name, and changes nothing about where records go.

    `stream` stands for stderr, `journal` for the system's; `environment` is this process's. `ConfigError` when a file
    cannot be opened, or the system has no journal.
    """
    stream = sys.stderr if stream is None else stream
    journal = Journal() if journal is None else journal
    captured = _is_captured(stream, journal, environment)
    stderr = Stderr(stream, captured=captured)
    stderr.setFormatter(_formatter(settings.format, terminal=stream.isatty()))
    chosen = settings.output == "journal"
    if chosen and not journal.known:
        raise ConfigError("[logging] output: this system has no journal", hint="set it to stderr, or to a file")
    if chosen or (captured and (settings.output, settings.format) == ("stderr", "auto") and journal.is_there()):
        return PreparedLogs(JournalHandler(journal, _event_of, fallback=stderr), settings.level)
    if isinstance(settings.output, str):
        return PreparedLogs(stderr, settings.level)
    max_bytes = 0 if settings.rotate_size == "never" else settings.rotate_size
    file = LogFile(settings.output, max_bytes=max_bytes, keep=settings.rotate_keep, fallback=stderr)
    file.setFormatter(_formatter(settings.format, terminal=False))
    return PreparedLogs(file, settings.level)


class PreparedLogs:
    """A log that is open and not in use yet."""

    def __init__(self, handler: _Target, level: str) -> None:
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
        switch = _switch()
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


def reopen_logs() -> None:
    """Opens the log file anew at its path, for whoever has moved it away; the log says what came of it.

    No record is lost or written twice, whichever thread it comes from. One that cannot be opened changes nothing: the
    log goes on where it is.
    """
    switch = _switch()
    if switch is not None:
        switch.reopen()


def _switch() -> _Switch | None:
    return next((handler for handler in logging.getLogger().handlers if isinstance(handler, _Switch)), None)


def _is_captured(stream: TextIO, journal: Journal, environment: Mapping[str, str]) -> bool:
    try:
        return journal.is_behind(stream.fileno(), environment)
    except (OSError, ValueError):
        # No descriptor is behind it.
        return False


class _Switch(logging.Handler):
    """The only handler of the root logger: with it, where records go changes between two of them.

    A change of the root logger's list of handlers would reach a thread too late that walks through it.
    """

    def __init__(self, target: _Target) -> None:
        super().__init__()
        self._target = target

    def emit(self, record: logging.LogRecord) -> None:
        """Hands it on. Called with this handler's lock held."""
        self._target.handle(record)

    def turn_to(self, target: _Target) -> None:
        """`target` gets every record from now on; the former one is closed."""
        self.acquire()
        try:
            former, self._target = self._target, target
            if isinstance(former, LogFile) and isinstance(target, LogFile):
                target.take_over(former)
            former.close()
        finally:
            self.release()

    def reopen(self) -> None:
        """As `reopen_logs`."""
        self.acquire()
        try:
            if not isinstance(self._target, LogFile):
                _log.info("there is no log file to reopen")
            elif (error := self._target.reopen()) is not None:
                said = {"file": self._target.baseFilename, "reason": error.strerror}
                _log.error("the log file cannot be reopened: the log goes on in the one that is open", extra=said)
            else:
                _log.info("the log file was reopened", extra={"file": self._target.baseFilename})
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


def _event_of(record: logging.LogRecord) -> EventDict:
    """What the formatters make their text of."""
    if isinstance(record.msg, dict):
        event: EventDict = dict(record.msg)
    else:
        event = {"event": record.getMessage(), "_record": record}
        for step in _SHARED:
            event = cast("EventDict", step(None, record.levelname.lower(), event))
        del event["_record"]
        if record.exc_info:
            event["exc_info"] = record.exc_info
        if record.stack_info:
            event["stack"] = record.stack_info
    return _printable(None, "", structlog.processors.format_exc_info(None, "", event))


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

    Tracebacks and stacks come later, or are the daemon's own text, and keep their lines.
    """
    return {
        key: printable(value) if isinstance(value, str) and key not in BLOCKS else value for key, value in event.items()
    }


def _event_first(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Time, level and event lead each line, so that raw lines can be read by people too."""
    first = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    return {**first, **event}
