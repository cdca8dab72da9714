"""The store's SQL by name, from queries.sql: a name stands on a line `-- name: NAME`, its statement below it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

_HEAD = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)


def parse(text: str) -> Mapping[str, str]:
    """The statements of such a file; ValueError for two of one name, or what stands before the first."""
    before, *rest = _HEAD.split(text)
    if _COMMENT.sub("", before).strip():
        raise ValueError(f"this stands before the first name: {before.strip()[:60]}")
    named: dict[str, str] = {}
    for name, body in zip(rest[::2], rest[1::2], strict=True):
        if name in named:
            raise ValueError(f"two queries are called {name}")
        named[name] = _COMMENT.sub("", body).strip().rstrip(";")
    return MappingProxyType(named)


QUERIES = parse(resources.files("ndfd.store").joinpath("queries.sql").read_text(encoding="utf-8"))
