"""The kinds of values that only completion hooks and watch folders have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ndfd.config.kind import Kind, WrongWord, array, items, literal, shown

#: Goes into keys, variables, targets of deliveries and labels of jobs as it is.
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_URL_MAX_CHARACTERS = 2048
_PATTERN_MAX_CHARACTERS = 255


@dataclass(frozen=True)
class TableName(Kind):
    """The name of a table, which the operator chooses."""

    #: Of what it is the name: "a hook".
    of: str

    def parse(self, raw: Any) -> str:
        """From a string of the form that all names have."""
        if isinstance(raw, str) and _NAME.fullmatch(raw):
            return raw
        folded = raw.strip().lower().replace("_", "-") if isinstance(raw, str) else ""
        message = f"{shown(raw)} is not the name of {self.of}: write {self.accepts()}"
        raise WrongWord(message, folded if _NAME.fullmatch(folded) else None)

    def range(self) -> str:
        """In words."""
        return "a letter from a to z, then at most 31 of a to z, 0 to 9 and -"


class Url(Kind):
    """Where a webhook is posted to."""

    def parse(self, raw: Any) -> str:
        """From an http or https URL. No user and password in it: URLs are shown, and stand in logs."""
        if not isinstance(raw, str) or not raw.isascii() or not raw.isprintable() or " " in raw:
            raise ValueError(f"{shown(raw)} is not a URL: write {self.accepts()}")
        if len(raw) > _URL_MAX_CHARACTERS:
            raise ValueError(f"the URL is longer than {_URL_MAX_CHARACTERS} characters")
        try:
            parts = urlsplit(raw)
            good = parts.port != 0 and parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            parts, good = urlsplit(""), False
        if not good:
            raise ValueError(f"{shown(raw)} is not a URL of a web server: write {self.accepts()}")
        if "@" in parts.netloc:
            raise ValueError("a user or a password in a URL would be shown with it: deliveries are signed instead")
        if parts.fragment:
            raise ValueError(f"{shown(raw)} ends in a fragment (#), which no server is told")
        return raw

    def range(self) -> str:
        """An example."""
        return 'an http or https URL, as in "https://example.org/ndfd"'


class Pattern(Kind):
    """What the names of files have to be like."""

    def parse(self, raw: Any) -> str:
        """From a pattern with *, ? and [ ], as shells have them."""
        if not isinstance(raw, str) or not raw or "\0" in raw or len(raw) > _PATTERN_MAX_CHARACTERS:
            raise ValueError(f"{shown(raw)} is not a pattern of names: write {self.accepts()}")
        if "/" in raw:
            raise ValueError(f"{shown(raw)} holds a /: the pattern is for names, `recursive` looks into folders")
        return raw

    def range(self) -> str:
        """An example."""
        return 'a pattern of names with *, ? and [ ], in either case, as in "*.pdf"'


class HookNames(Kind):
    """Some hooks, by their names, or all of them."""

    words: tuple[str, ...] = ("all",)
    _NAME = TableName("a hook")

    def parse(self, raw: Any) -> tuple[str, ...]:
        """From an array, or from a variable, where they are separated by commas."""
        names = (item.strip() if isinstance(item, str) else item for item in items(raw, ",", "names of hooks"))
        return tuple(self._NAME.parse(name) for name in names)

    def format(self, value: Any) -> str:
        """An array."""
        return array(value)

    def range(self) -> str:
        """In words."""
        return "an array of names of hooks (in a variable, separated by commas)"


class Labels(Kind):
    """Labels that a job must have."""

    def parse(self, raw: Any) -> tuple[tuple[str, str], ...]:
        """From an array of "name=value", or from a variable, where they are separated by commas."""
        return tuple(self._label(item) for item in items(raw, ",", "labels"))

    def _label(self, raw: Any) -> tuple[str, str]:
        name, equals, value = raw.partition("=") if isinstance(raw, str) else ("", "", "")
        if not equals or not name.strip():
            raise ValueError(f'{shown(raw)} is not a label: write it as in "project=apollo"')
        return name.strip(), value.strip()

    def format(self, value: Any) -> str:
        """An array."""
        return array(f"{name}={label}" for name, label in value)

    def range(self) -> str:
        """An example."""
        return f"an array of labels, as in [{literal('project=apollo')}] (in a variable, separated by commas)"
