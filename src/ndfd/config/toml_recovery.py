"""The mistakes of each statement of a TOML text by itself: the lines that hold one are emptied, and reading goes on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ndfd.config.toml_refusal import (
    MORE_FOLLOWS,
    NO_VALUE,
    OPEN,
    STATEMENT,
    STRING_OPEN,
    Refusal,
    parsed,
    position_of,
    unfinished,
)
from ndfd.config.toml_tree import Path, Position

#: Nobody reads further.
MAX_FAULTS = 100
#: What is left is read again behind each mistake, those that are of two statements together included.
_MAX_READINGS = 5 * MAX_FAULTS

_PAIR = re.compile(r"""(?:[^=#'"]|"(?:[^"\\]|\\.)*+"|'[^']*+')*+=[ \t]*+(?P<value>.*)""")
_NUMBER = re.compile(r"[+-]?[0-9][0-9A-Za-z_:.+-]*(?: [0-9]{2}:[0-9:.Z+-]*)?\s*(?:#.*)?")
_HEADER = re.compile(r"""\s*(\[\[?)\s*((?:[A-Za-z0-9_-]+|"[^"\\]*"|'[^']*')(?:\s*\.\s*[A-Za-z0-9_-]+)*)""")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not TOML; the message holds none of the file's values."""

    position: Position
    message: str
    #: Of the value that it is about, where that is known.
    path: Path | None = None


class Recovery:
    """Takes the statements with mistakes out of a text; what is left has the same line numbers."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.faults: list[Fault] = []
        #: The lines, from 1, that are missing in the middle of a value.
        self.mended: set[int] = set()
        self._start = 0
        rest = text
        for _ in range(_MAX_READINGS):
            refusal = parsed(rest)
            if not isinstance(refusal, Refusal) or len(self.faults) == MAX_FAULTS:
                break
            if refusal.together:
                read = refusal.position.line
                self._start += read
                rest = "".join(rest.split("\n", read)[read:])
            else:
                self._mend(rest, refusal)
                rest = "\n".join(self.lines[self._start :])

    @property
    def text(self) -> str:
        """What is left."""
        return "\n".join(self.lines)

    def _mend(self, rest: str, refusal: Refusal) -> None:
        last = self._start + refusal.position.line - 1
        before = "\n".join([*self.lines[self._start : last], self.lines[last][: refusal.position.column - 1]])
        statement = unfinished(before)
        first = self._start + before.count("\n", 0, statement.begin)
        opened = None if statement.opened is None else rest[statement.opened]
        if self._is_header(first):
            self._note(last, refusal.position.column, refusal.message)
            self._mend_header(first)
        elif opened is not None and self._is_left_open(opened, refusal, first, last):
            where = position_of(rest, statement.opened or 0)
            self._note(self._start + where.line - 1, where.column, OPEN[opened])
            self._clear(first, self._following(first) if last > first else last + 1)
        else:
            self._note(last, *self._pointed(refusal, first, last))
            self._mend_value(opened, first, last)

    def _is_left_open(self, opened: str, refusal: Refusal, first: int, last: int) -> bool:
        """Whether the mistake is that something is not closed, and not what was found in it."""
        if refusal.at_end or refusal.message == STRING_OPEN:
            return True
        return last > first and STATEMENT.match(self.lines[last]) is not None

    def _pointed(self, refusal: Refusal, first: int, last: int) -> tuple[int, str]:
        """The column and the message, which is about the value as a whole where that is plainer."""
        pair = _PAIR.match(self.lines[last]) if first == last else None
        if pair is not None and refusal.message in (NO_VALUE, MORE_FOLLOWS):
            if pair["value"] == "" or pair["value"].startswith("#"):
                return pair.start("value") + 1, "there is no value after ="
            if _NUMBER.fullmatch(pair["value"]):
                return pair.start("value") + 1, "not a number, date or time as TOML writes them"
        return refusal.position.column, refusal.message

    def _mend_value(self, opened: str | None, first: int, last: int) -> None:
        if first == last or opened is None:
            self._clear(first, last + 1)
        elif opened in "\"'" or "]" in self.lines[last] or "}" in self.lines[last]:
            # Without this line, what it is in would not be closed.
            self._clear(first, self._following(last))
        else:
            self.lines[last] = ""
            self.mended.add(last + 1)
            self._start = first

    def _is_header(self, first: int) -> bool:
        return self.lines[first].lstrip(" \t").startswith("[")

    def _mend_header(self, first: int) -> None:
        """A header with a mistake still heads what follows; without its name, nobody knows where that belongs."""
        header = _HEADER.match(self.lines[first])
        mended = "" if header is None else f"{header[1]}{header[2]}{']' * len(header[1])}"
        if mended not in ("", self.lines[first]) and not isinstance(parsed(mended), Refusal):
            self.lines[first] = mended
            self._start = first + 1
        else:
            headers = (n for n in range(first + 1, len(self.lines)) if self._is_header(n))
            self._clear(first, next(headers, len(self.lines)))

    def _following(self, line: int) -> int:
        """The next line that looks like a statement."""
        statements = (n for n in range(line + 1, len(self.lines)) if STATEMENT.match(self.lines[n]))
        return next(statements, len(self.lines))

    def _clear(self, first: int, end: int) -> None:
        self.lines[first:end] = [""] * (end - first)
        self._start = end

    def _note(self, line: int, column: int, message: str) -> None:
        self.faults.append(Fault(Position(line + 1, column), message))
