"""Records for systemd's journal: the fields of an entry, its bytes, and the handler that sends them.

Which field is made of what:

    MESSAGE                         the event with its fields, for people; below it the traceback or stack, if any
    PRIORITY                        the level, by syslog(3): debug 7, info 6, warning 4, error 3, critical 2
    SYSLOG_IDENTIFIER               "ndfd"
    LOGGER                          the logger's name
    CODE_FILE, CODE_LINE, CODE_FUNC where it was logged
    NDFD_EVENT                      the event alone
    NDFD_…                          each other field of the record, upper case: job is NDFD_JOB

A list is one field for each item, true and false are written so, what has parts of its own is JSON, and None is left
out. Names are those of systemd.journal-fields(7).
"""

from __future__ import annotations

import functools
import json
import logging
import re
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from structlog.typing import EventDict

from ndfd.model.printable import printable
from ndfd.platform import Journal
from ndfd.telemetry.notice import notice

Field = tuple[str, str]

#: By the least level of the logging module that has it.
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7

#: Characters of one field in MESSAGE, and of its first line as a whole; the fields themselves are whole.
_SHOWN_MAX = 200
_LINE_MAX = 1000
#: The journal takes no longer name (journal_field_valid in its sources), and no entry of more than 1024 fields.
_NAME_MAX = 64
_ITEMS_MAX = 256
_NOT_IN_NAMES = re.compile(r"[^A-Z0-9_]")
#: What would have to be quoted to be told from the next field.
_BARE = re.compile(r"[^\s\"=]+")
_SIZE = struct.Struct("<Q")
#: Fields that are text of several lines, which follows the first line of MESSAGE.
BLOCKS = ("exception", "stack")
#: What has a field of its own, or is the journal's own to say.
_NOT_FIELDS = frozenset({"event", "level", "logger", "timestamp"})

#: Seconds in which one record at most waits for a journal that has no room: the others do not wait.
_WAIT_AGAIN_S = 1.0


def priority(level: int) -> int:
    """Of syslog(3), 0 to 7, for a level of the logging module."""
    return next((number for least, number in _PRIORITIES if level >= least), _DEBUG)


def encoded(fields: Iterable[Field]) -> bytes:
    """The fields as one entry: NAME=value and a line feed; a value of several lines with its size before it."""
    entry = bytearray()
    for name, value in fields:
        data = value.encode("utf-8", "backslashreplace")
        if b"\n" in data:
            entry += name.encode() + b"\n" + _SIZE.pack(len(data)) + data + b"\n"
        else:
            entry += name.encode() + b"=" + data + b"\n"
    return bytes(entry)


def entry_fields(record: logging.LogRecord, event: EventDict) -> Iterator[Field]:
    """The fields of a record whose structured form is `event`."""
    yield "MESSAGE", message(event)
    yield "PRIORITY", str(priority(record.levelno))
    yield "SYSLOG_IDENTIFIER", "ndfd"
    yield "LOGGER", record.name
    yield "CODE_FILE", record.pathname
    yield "CODE_LINE", str(record.lineno)
    yield "CODE_FUNC", record.funcName or ""
    yield "NDFD_EVENT", str(event.get("event", ""))
    for key, value in event.items():
        if key not in _NOT_FIELDS:
            name = _field_name(key)
            for item in list(_items(value))[:_ITEMS_MAX]:
                yield name, item


def message(event: EventDict) -> str:
    """The event as people read it: `a worker crashed: worker=3 reason="it was killed by SIGSEGV"`."""
    shown = [
        f"{key}={_shown(value)}"
        for key, value in event.items()
        if key not in _NOT_FIELDS and key not in BLOCKS and value is not None
    ]
    line = str(event.get("event", ""))
    if shown:
        line = f"{line}: {' '.join(shown)}"
    return "\n".join((printable(line, _LINE_MAX), *(str(event[key]) for key in BLOCKS if event.get(key))))


@functools.lru_cache(maxsize=512)
def _field_name(key: str) -> str:
    return f"NDFD_{_NOT_IN_NAMES.sub('_', key.upper())}"[:_NAME_MAX]


def _items(value: Any) -> Iterator[str]:
    if isinstance(value, (list, tuple, set, frozenset)) and not hasattr(value, "_fields"):
        for item in value:
            yield from (_text(item),) if item is not None else ()
    elif value is not None:
        yield _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _shown(value: Any) -> str:
    text = printable(",".join(_items(value)), _SHOWN_MAX)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class JournalHandler(logging.Handler):
    """Sends each record to the journal.

    What that does not take goes to `fallback`, after one line that says why. Each further record is tried in the
    journal first, so that the log is back there as soon as there is one again.
    """

    def __init__(
        self, journal: Journal, to_event: Callable[[logging.LogRecord], EventDict], fallback: logging.Handler
    ) -> None:
        """`to_event` gives the structured form of a record. `journal` is closed with this handler."""
        super().__init__()
        self._journal = journal
        self._to_event = to_event
        self._fallback = fallback
        #: Records that went to `fallback` since the last one that could be sent.
        self._missed = 0
        self._wait_from = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Waits for 50 ms at most while the journal has no room, and not more than once in a second."""
        try:
            entry = encoded(entry_fields(record, self._to_event(record)))
        except Exception:  # noqa: BLE001 - no record may end whoever logs it
            self.handleError(record)
            return
        try:
            self._journal.send(entry, wait=time.monotonic() >= self._wait_from)
        except OSError as error:
            self._miss(record, error)
            return
        if self._missed:
            missed, self._missed = self._missed, 0
            self.emit(notice(f"{missed} records before the last could not be written here: they went to stderr"))

    def close(self) -> None:
        """Closes the journal's socket."""
        self._journal.close()
        super().close()

    def _miss(self, record: logging.LogRecord, error: OSError) -> None:
        if isinstance(error, BlockingIOError):
            self._wait_from = time.monotonic() + _WAIT_AGAIN_S
        if not self._missed:
            why = "it has no room" if isinstance(error, BlockingIOError) else error.strerror
            self._fallback.handle(notice(f"the journal cannot be written: {why}"))
        self._missed += 1
        self._fallback.handle(record)
