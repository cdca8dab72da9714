"""The figures of a comparison, from readings: pure functions of values."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Reading:
    """One document read by one engine."""

    #: CPU seconds; None when it could not be read.
    cpu_s: float | None = None
    pages: int = 0
    characters: int = 0
    #: Peak resident memory of the engine's process so far.
    rss_bytes: int = 0
    #: Why there is no `cpu_s`.
    reason: str = ""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """From a child's answer."""
        if "cpu_s" not in answer:
            limited = f"took more than {answer['limited']:g} s" if "limited" in answer else ""
            return cls(reason=limited or str(answer["error"]), rss_bytes=answer.get("rss_bytes", 0))
        return cls(answer["cpu_s"], answer["pages"], answer["characters"], answer["rss_bytes"])

    def faster(self, other: Self | None) -> Self:
        """The faster of the two; one that failed wins, since such a document does not count."""
        if other is None or self.cpu_s is None or (other.cpu_s is not None and self.cpu_s < other.cpu_s):
            return self
        return other

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class EngineFigures:
    """One engine on the documents that count."""

    name: str
    cpu_ms_per_page: float
    pages_per_s: float
    #: Its CPU time by that of the first engine: all documents together, and the quartiles over the documents.
    ratio: float
    ratio_quartiles: tuple[float, float, float]
    rss_max_bytes: int
    characters: int


@dataclass(frozen=True)
class Summary:
    """A whole comparison."""

    engines: tuple[EngineFigures, ...]
    documents: int
    pages: int
    #: Documents that do not count: (id, engine, reason).
    left_out: tuple[tuple[str, str, str], ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def summarise(names: Sequence[str], readings: Mapping[str, Mapping[str, Reading]]) -> Summary:
    """Compares the engines on the documents that all of them read; the first one is the measure."""
    everything = sorted({document for name in names for document in readings[name]})
    left_out = tuple(
        (document, name, reading.reason)
        for document in everything
        for name in names
        if (reading := readings[name].get(document, Reading(reason="not read"))).cpu_s is None
    )
    bad = {document for document, _, _ in left_out}
    counted = [document for document in everything if document not in bad]
    measure = readings[names[0]]
    # PyMuPDF and PDFium may differ in the pages of a damaged file: each is divided by those of the first engine.
    pages = sum(measure[document].pages for document in counted)
    engines = tuple(_figures(name, readings[name], measure, counted, pages) for name in names) if counted else ()
    return Summary(engines, len(counted), pages, left_out)


def _figures(
    name: str, own: Mapping[str, Reading], measure: Mapping[str, Reading], counted: Sequence[str], pages: int
) -> EngineFigures:
    cpu_s = sum(own[document].cpu_s or 0.0 for document in counted)
    ratios = [(own[document].cpu_s or 0.0) / (measure[document].cpu_s or 1e-9) for document in counted]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return EngineFigures(
        name=name,
        cpu_ms_per_page=1000 * cpu_s / max(1, pages),
        pages_per_s=pages / cpu_s if cpu_s else 0.0,
        ratio=cpu_s / sum(measure[document].cpu_s or 0.0 for document in counted),
        ratio_quartiles=(low, middle, high),
        rss_max_bytes=max(reading.rss_bytes for reading in own.values()),
        characters=sum(own[document].characters for document in counted),
    )
