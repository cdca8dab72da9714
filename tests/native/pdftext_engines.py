"""Both implementations of the page-array seam, and how to tell whether two pages are the same."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from ndfd.native._c import pdftext as compiled
from ndfd.native._py import pdftext as reference

#: Runs a test on each implementation.
both = pytest.mark.parametrize("engine", [compiled, reference], ids=["c", "python"])

ARRAYS = {
    "codepoint": "I",
    "loose": "f",
    "tight": "f",
    "origin": "f",
    "font": "H",
    "size": "f",
    "weight": "H",
    "flags": "H",
    "colour": "I",
    "direction": "B",
    "mcid": "i",
    "rule_box": "f",
    "rule_kind": "B",
    "rule_width": "f",
    "rule_colour": "I",
    "image_box": "f",
    "image_pixels": "I",
}
VALUES = (
    "width",
    "height",
    "rotation",
    "label",
    "count",
    "rule_count",
    "image_count",
    "links",
    "form_texts",
    "tags",
    "paths_skipped",
)


def first_page(engine: ModuleType, data: bytes) -> Any:
    """The first page's arrays, which outlive their document."""
    with engine.Document(data) as document:
        return document.page(0)


def text(page: Any) -> str:
    return "".join(map(chr, page.codepoint))


def differences(one: Any, other: Any) -> list[str]:
    """The names of the values and arrays in which two pages differ, bit for bit."""
    values = [name for name in VALUES if getattr(one, name) != getattr(other, name)]
    return values + [name for name in ARRAYS if getattr(one, name).tobytes() != getattr(other, name).tobytes()]
