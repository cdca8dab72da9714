"""Why `tomllib` refuses a text, in plain words, and what stands open where it does.

No message holds any of the text, which may be a secret: an unknown message of tomllib becomes a general one.
"""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import dataclass
from typing import Any

from ndfd.config.toml_tree import Position

#: Of brackets in brackets, and of the parts of one key; tomllib's work grows with its square.
MAX_DEPTH = 50

TOO_DEEP = f"nested more than {MAX_DEPTH} deep"
NO_VALUE = "not a value: text goes in quotes"
MORE_FOLLOWS = "more follows after the value, which must end its line"
STRING_OPEN = "the string is not closed"
HEADER_OPEN = "the table header is not closed with ]"
#: What each opening character leaves open.
OPEN = {
    '"': STRING_OPEN,
    "'": STRING_OPEN,
    "[": "the array is not closed with ]",
    "{": "the inline table is not closed with }",
}

_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
#: What tomllib's message begins with, and what an operator can do with.
_PLAIN = (
    ("Expected '=' after a key", "expected = after the key"),
    ("Expected ']", HEADER_OPEN),
    ("Expected newline or end of document", MORE_FOLLOWS),
    ("Invalid statement", "neither a key with a value nor a table header"),
    ("Invalid initial character for a key", "expected a key"),
    ("Unescaped '\\'", "a backslash begins an escape that does not exist: write \\\\, or use '…'"),
    ("Invalid hex value", "a backslash begins an escape that is not finished"),
    ("Escaped character is not", "a backslash begins an escape of no character"),
    ("Unterminated string", STRING_OPEN),
    ("Expected \"'", STRING_OPEN),
    ("Illegal character '\\n'", STRING_OPEN),
    ("Found invalid character '\\n'", STRING_OPEN),
    ("Illegal character", "a control character, which must be written as an escape"),
    ("Found invalid character", "a control character, which must be written as an escape"),
    ("Unclosed array", "a comma or the closing ] is missing in the array"),
    ("Unclosed inline table", "a comma or the closing } is missing in the inline table"),
    ("Invalid value", NO_VALUE),
    ("Invalid date or datetime", "there is no such date or time"),
    ("Duplicate inline table key", "a key is set twice in the inline table"),
)
#: Of statements that are sound alone, but not together.
_TOGETHER = "a key or a table is declared twice"
_SAID_TOGETHER = ("Cannot overwrite", "Cannot declare", "Cannot mutate", "Cannot redefine")

_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_DOTTED = rf"{_PART}(?:[ \t]*+\.[ \t]*+{_PART})"
#: A line that begins with a key and =, or is a header; an array of values in an array can look like a header, too.
STATEMENT = re.compile(
    rf"[ \t]*+(?:{_DOTTED}*+[ \t]*+=|\[\[?[ \t]*+(?=[A-Za-z_]){_DOTTED}*+[ \t]*+\]\]?[ \t]*+(?:#.*)?$)"
)
_TOKEN = re.compile(
    rf"""
    (?P<dotted> {_DOTTED}{{{MAX_DEPTH}}} )
    | (?P<string>
        \"\"\" (?: [^"\\] | \\. | "(?!"") )*+ (?P<closed_1> "{{3,5}} )?+
        | ''' (?: [^'] | '(?!'') )*+ (?P<closed_2> '{{3,5}} )?+
        | " (?: [^"\\\n] | \\. )*+ (?P<closed_3> " )?+
        | ' [^'\n]*+ (?P<closed_4> ' )?+
      )
    | \#[^\n]*+
    | (?P<line> \n )
    | (?P<bracket> [\[\]{{}}] )
    | (?P<bare> [A-Za-z0-9_-]++ )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The first thing that tomllib does not take."""

    position: Position
    message: str
    #: Whether it is the text's end, before which something is missing.
    at_end: bool = False
    #: Whether the statement is sound, but not after the others.
    together: bool = False


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The statement that a text ends in."""

    #: Its first character.
    begin: int
    #: What is open at the end of the text: where the first of it was opened.
    opened: int | None
    #: The first thing that is nested too deeply, wherever in the text.
    too_deep: int | None


def parsed(text: str) -> dict[str, Any] | Refusal:
    """The document; or why it is none."""
    # Few texts have so many points, and need to be looked through for a key of too many parts.
    many = text.count(".") >= MAX_DEPTH and any(line.count(".") >= MAX_DEPTH for line in text.split("\n"))
    if many and (deep := unfinished(text).too_deep) is not None:
        return Refusal(position_of(text, deep), TOO_DEEP)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        at = _AT.search(said)
        together = said.startswith(_SAID_TOGETHER)
        fallback = _TOGETHER if together else "not TOML"
        plain = next((plain for begin, plain in _PLAIN if said.startswith(begin)), fallback)
        if at is not None and at[1] is not None:
            return Refusal(Position(int(at[1]), int(at[2])), plain, together=together)
        return Refusal(position_of(text, len(text)), plain, at_end=True, together=together)
    except RecursionError:
        return Refusal(position_of(text, unfinished(text).too_deep or 0), TOO_DEEP)
    except ValueError:
        # The one thing that tomllib leaves to Python.
        most = sys.get_int_max_str_digits()
        bare = (token.start() for token in _TOKEN.finditer(text) if token.lastgroup == "bare" and len(token[0]) > most)
        return Refusal(position_of(text, next(bare, 0)), f"a number has more than {most} digits")


def unfinished(text: str) -> Unfinished:
    """Looks through the strings, comments and brackets of a text that is sound up to its end."""
    begin, stack = 0, list[int]()
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "dotted":
                return Unfinished(begin, None, token.start())
            case "line" if not stack:
                begin = token.end()
            case "bracket" if token[0] in "[{":
                stack.append(token.start())
                if len(stack) > MAX_DEPTH:
                    return Unfinished(begin, None, token.start())
            case "bracket" if stack:
                stack.pop()
            case "string" if token.end() == len(text) and not any(token[f"closed_{n}"] for n in range(1, 5)):
                stack.append(token.start())
            case _:
                pass
    return Unfinished(begin, stack[0] if stack else None, None)


def position_of(text: str, offset: int) -> Position:
    """The line and the column of a character."""
    return Position(text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1)
