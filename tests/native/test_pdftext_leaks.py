"""No entry point of the compiled kernel keeps memory."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from ndfd import errors
from ndfd.native._c import pdftext
from tests.documents import (
    annotated,
    broken_page,
    encrypted_rc4,
    form,
    garbage_after_header,
    tagged,
    with_links,
    with_outline,
)

ROUNDS = 300
#: What a leak of one document of a few kilobytes a round would far exceed; the allocator's own growth stays below.
GROWTH_MAX_BYTES = 1_500_000


def read_everything(make: Callable[[], bytes]) -> Callable[[], None]:
    data = make()

    def read() -> None:
        with pdftext.Document(data) as document:
            document.metadata()
            document.outline()
            for i in range(document.page_count):
                touch(document.page(i))
            assert document.fonts is not None

    return read


def touch(page: Any) -> None:
    for name in dir(page):
        if not name.startswith("_"):
            getattr(page, name)


def refused(make: Callable[[], bytes], password: str | None = None) -> Callable[[], None]:
    data = make()

    def read() -> None:
        with pytest.raises(errors.DocumentError):
            pdftext.Document(data, password)

    return read


def never_closed() -> None:
    pdftext.Document(form()).page(0)


def broken() -> None:
    with pdftext.Document(broken_page(number=1, count=1)) as document, pytest.raises(errors.DamagedDocument):
        document.page(0)


@pytest.mark.parametrize(
    "work",
    [
        read_everything(form),
        read_everything(annotated),
        read_everything(tagged),
        read_everything(with_links),
        read_everything(with_outline),
        refused(garbage_after_header),
        refused(encrypted_rc4, "wrong"),
        never_closed,
        broken,
    ],
    ids=["form", "annotations", "tags", "links", "outline", "damaged", "password", "never closed", "broken page"],
)
def test_memory_does_not_grow_with(work: Callable[[], None]) -> None:
    process = psutil.Process()
    for _ in range(ROUNDS // 3):
        work()
    gc.collect()
    before = process.memory_info().rss
    for _ in range(ROUNDS):
        work()
    gc.collect()
    assert process.memory_info().rss - before < GROWTH_MAX_BYTES
