"""Which documents a benchmark takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.selection import samples


def test_a_folder_without_a_manifest_gives_every_pdf_below_it(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.pdf", "deep/a.pdf", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [sample.id for sample in samples(tmp_path)] == ["b.pdf", "deep/a.pdf"]


def test_a_limit_takes_documents_spread_evenly(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.pdf").write_bytes(b"")
    assert [sample.id for sample in samples(tmp_path, 5)] == ["0.pdf", "2.pdf", "4.pdf", "6.pdf", "8.pdf"]


def test_a_manifest_gives_ids_kinds_and_passwords_and_only_pdfs(tmp_path: Path) -> None:
    (tmp_path / "locked.json").write_text(json.dumps({"password": "secret"}))
    items = [
        {"id": "locked", "path": "x.pdf", "kind": ["robust"], "truth": {"expect": "locked.json"}},
        {"id": "paper", "path": "y.pdf", "kind": ["text"], "truth": {}},
        {"id": "letter", "path": "z.docx", "kind": ["office"], "truth": {}},
    ]
    (tmp_path / "manifest.json").write_text(json.dumps({"items": items}))
    assert [(sample.id, sample.password) for sample in samples(tmp_path)] == [("locked", "secret"), ("paper", None)]
    assert [sample.id for sample in samples(tmp_path, without=frozenset({"robust"}))] == ["paper"]


def test_a_folder_without_documents_ends_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds no PDF"):
        samples(tmp_path)
