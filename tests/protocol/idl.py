"""Reads the Varlink interface definition language (https://varlink.org/Interface-Definition), strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r"\s+|#[^\n]*\n|(->|\[\]|\[string\]|[(),:?]|[A-Za-z][A-Za-z0-9_.]*)")
_FIELD = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*\Z")
_NAME = re.compile(r"[A-Z][A-Za-z0-9]*\Z")

#: A type as text ("?[]PageReport"), for a structure its fields, for an enum its values.
Fields = dict[str, str]


@dataclass
class Interface:
    """One interface description."""

    name: str
    structs: dict[str, Fields] = field(default_factory=dict)
    enums: dict[str, list[str]] = field(default_factory=dict)
    methods: dict[str, tuple[Fields, Fields]] = field(default_factory=dict)
    errors: dict[str, Fields] = field(default_factory=dict)


def parse(text: str) -> Interface:
    """ValueError for what the grammar does not allow; anonymous structures are not used here and not read."""
    return _Parser(text).interface()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise ValueError(f"unexpected {text[position : position + 20]!r}")
            position = match.end()
            if match[1]:
                self._tokens.append(match[1])

    def interface(self) -> Interface:
        self._expect("interface")
        interface = Interface(self._next())
        while self._tokens:
            keyword = self._next()
            name = self._matching(_NAME)
            if keyword == "method":
                parameters = self._struct()
                self._expect("->")
                interface.methods[name] = (parameters, self._struct())
            elif keyword == "error":
                interface.errors[name] = self._struct()
            elif keyword == "type":
                self._type(interface, name)
            else:
                raise ValueError(f"unexpected {keyword!r}")
        return interface

    def _type(self, interface: Interface, name: str) -> None:
        if self._tokens[2] == ":":
            interface.structs[name] = self._struct()
            return
        self._expect("(")
        interface.enums[name] = values = [self._matching(_FIELD)]
        while self._next_is(","):
            values.append(self._matching(_FIELD))
        self._expect(")")

    def _struct(self) -> Fields:
        fields: Fields = {}
        self._expect("(")
        while not self._next_is(")"):
            if fields:
                self._expect(",")
            name = self._matching(_FIELD)
            self._expect(":")
            fields[name] = self._field_type()
        return fields

    def _field_type(self) -> str:
        prefix = ""
        while self._tokens[0] in ("?", "[]", "[string]"):
            prefix += self._next()
        return prefix + self._matching(re.compile(r"[A-Za-z][A-Za-z0-9]*\Z"))

    def _next(self) -> str:
        return self._tokens.pop(0)

    def _next_is(self, token: str) -> bool:
        if self._tokens[0] == token:
            self._next()
            return True
        return False

    def _expect(self, token: str) -> None:
        if (found := self._next()) != token:
            raise ValueError(f"{token!r} expected, {found!r} found")

    def _matching(self, pattern: re.Pattern[str]) -> str:
        if not pattern.match(found := self._next()):
            raise ValueError(f"{found!r} is no name here")
        return found
