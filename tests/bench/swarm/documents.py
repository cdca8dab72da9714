"""The documents of the swarm's benchmark: many small ones of the corpus, and its long ones as one."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import pypdfium2

from tests.bench.selection import NOT_FOR_SPEED, Sample, samples

#: What counts as a document of about 50 KB.
_SMALL_BYTES = range(35_000, 65_000)
#: A scan's page is an image: with fewer blocks of text than this a document says little about converting.
_KINDS = frozenset({"text", "headings", "tables", "entities"})


def small(corpus: Path, count: int) -> list[Path]:
    """Documents of about 50 KB with text, evenly chosen; SystemExit when the corpus has none."""
    found = [sample.path for sample in _usable(corpus) if sample.path.stat().st_size in _SMALL_BYTES]
    if not found:
        raise SystemExit(f"scripts/bench: {corpus} has no PDF of {_SMALL_BYTES.start} to {_SMALL_BYTES.stop} bytes")
    return [found[index * len(found) // count] for index in range(min(count, len(found)))] or found


def long(corpus: Path, pages: int, target: Path) -> Path:
    """At `target`, one document of at least so many pages: those of the corpus with the most, one behind the other."""
    with contextlib.ExitStack() as stack, pypdfium2.PdfDocument.new() as whole:
        opened = [stack.enter_context(pypdfium2.PdfDocument(sample.path)) for sample in _usable(corpus)]
        for document in itertools.cycle(sorted(opened, key=len, reverse=True)):
            whole.import_pages(document)
            if len(whole) >= pages:
                break
        whole.save(target)
    return target


def _usable(corpus: Path) -> list[Sample]:
    return [sample for sample in samples(corpus, without=NOT_FOR_SPEED) if sample.kinds <= _KINDS | {"long"}]
