"""The documents in examples/ are what their README says."""

from __future__ import annotations

from pathlib import Path

import pypdfium2.raw as pdfium_c
import pytest

from tests.documents.engine import opened, texts

_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
_PAGES = {"paper": 2, "report": 2, "handbook": 4, "leaflet-tagged": 1, "form": 1, "scan": 1}


def test_every_example_is_described_and_all_are_small() -> None:
    files = sorted(_EXAMPLES.glob("*.pdf"))
    described = (_EXAMPLES / "README.md").read_text()
    assert {file.stem for file in files} == set(_PAGES)
    assert all(f"`{file.name}` | {_PAGES[file.stem]} |" in described for file in files)
    assert sum(file.stat().st_size for file in files) < 600_000


@pytest.mark.parametrize(("name", "pages"), _PAGES.items())
def test_an_example_has_its_pages_and_only_the_scan_has_no_text(name: str, pages: int) -> None:
    read = texts((_EXAMPLES / f"{name}.pdf").read_bytes())
    assert len(read) == pages
    assert all(bool(text) != (name == "scan") for text in read)


def test_only_the_leaflet_is_tagged() -> None:
    for name in _PAGES:
        with opened((_EXAMPLES / f"{name}.pdf").read_bytes()) as document:
            assert bool(pdfium_c.FPDFCatalog_IsTagged(document)) == (name == "leaflet-tagged")
