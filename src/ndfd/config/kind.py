"""What a kind of value is: it reads what TOML or a variable gives, and writes it as people would.

A kind stands in a field's annotation, where pydantic asks it to read. What it raises is a ValueError whose message
names the value and says what would do; where the value was written is known elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_N = TypeVar("_N", int, float)


class WrongWord(ValueError):
    """A word that is none of those there are."""

    def __init__(self, message: str, suggestion: str | None) -> None:
        super().__init__(message)
        #: The word that was probably meant.
        self.suggestion = suggestion


class Kind:
    """Reads and writes the values of a key."""

    #: Words that stand for themselves, such as "auto".
    words: tuple[str, ...] = ()
    #: What the number counts; empty for what has no unit.
    unit = ""
    #: Whether the value must never be shown.
    secret = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def read(self, raw: Any) -> Any:
        """The value that `raw` writes; ValueError says what would do."""
        if raw is None or (isinstance(raw, str) and raw in self.words):
            return raw
        return self.parse(raw)

    def write(self, value: Any) -> str | None:
        """The value as a TOML literal, which `read` reads back; None for one that is not set."""
        if value is None:
            return None
        if isinstance(value, str) and value in self.words:
            return literal(value)
        return self.format(value)

    def parse(self, raw: Any) -> Any:
        """As `read`, for what is none of `words`."""
        raise NotImplementedError

    def format(self, value: Any) -> str:
        """As `write`, for what is none of `words`."""
        return literal(value)

    def accepts(self) -> str:
        """What may be written, in words."""
        return " or ".join([*map(literal, self.words), self.range()])

    def range(self) -> str:
        """As `accepts`, without the words."""
        raise NotImplementedError


def one_of(raw: Any, words: Sequence[str]) -> str:
    """The word; `WrongWord` for what is none of them."""
    if isinstance(raw, str) and raw in words:
        return raw
    # Imported here: only who has made a slip pays for it.
    from ndfd.config.likeness import nearest

    suggestion = nearest(raw.strip().lower(), words) if isinstance(raw, str) else None
    raise WrongWord(f"{shown(raw)} is none of {', '.join(words)}", None if suggestion is None else literal(suggestion))


def literal(value: str | int | bool) -> str:
    """A string, an integer or a boolean as a TOML literal."""
    # A TOML basic string is a JSON string as `json` writes one, but for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def array(items: Iterable[str | int]) -> str:
    """An array as a TOML literal."""
    return f"[{', '.join(map(literal, items))}]"


def items(raw: Any, separator: str, what: str) -> Sequence[Any]:
    """The elements of an array, or of a variable that holds several; ValueError for anything else."""
    if isinstance(raw, str):
        return [part for part in raw.split(separator) if part]
    if not isinstance(raw, (list, tuple)):
        raise ValueError(f"{shown(raw)} is not an array of {what}")
    return raw


def within(value: _N, minimum: _N, maximum: _N, shown: Callable[[_N], str]) -> _N:
    """The value; ValueError for one beyond the ends, which are allowed."""
    if abs(value) > _READABLE_MAX:
        raise ValueError(f"the number is far beyond the maximum, {shown(maximum)}")
    if value < minimum:
        raise ValueError(f"{shown(value)} is below the minimum, {shown(minimum)}")
    if not value <= maximum:
        raise ValueError(f"{shown(value)} is above the maximum, {shown(maximum)}")
    return value


#: A number beyond is not shown: it may have as many digits as a file holds.
_READABLE_MAX = 2**64
#: So much of a wrong value is shown.
_SHOWN_CHARACTERS = 60


def shown(raw: Any) -> str:
    """A wrong value as a message names it."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, dict):
        return "a table"
    if isinstance(raw, (list, tuple)):
        return "an array"
    text = repr(raw) if isinstance(raw, (str, int, float)) else str(raw)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
