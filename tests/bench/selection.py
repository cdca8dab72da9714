"""Which documents a benchmark reads."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

#: Scans have no text to extract and hostile files no pages to count: speed is measured on what is left.
NOT_FOR_SPEED = frozenset({"ocr", "robust"})


@dataclass(frozen=True)
class Sample:
    """One document of the corpus."""

    id: str
    path: Path
    kinds: frozenset[str] = frozenset()
    #: Opens it, where the corpus knows one.
    password: str | None = None


def default_corpus() -> Path:
    """$NDFD_CORPUS, or shared/corpus beside the repository."""
    named = os.environ.get("NDFD_CORPUS")
    return Path(named) if named else ROOT.parent / "shared" / "corpus"


def samples(folder: Path, limit: int | None = None, without: frozenset[str] = frozenset()) -> list[Sample]:
    """The PDFs of a corpus with a manifest, or every *.pdf below a folder that has none, in the order of their ids.

    Those of a kind in `without` are left out; `limit` takes that many, spread evenly over all. SystemExit when the
    folder holds none.
    """
    manifest = folder / "manifest.json"
    if manifest.is_file():
        found = [_sample(folder, item) for item in json.loads(manifest.read_bytes())["items"]]
    else:
        found = [Sample(str(path.relative_to(folder)), path) for path in folder.rglob("*.pdf")]
    chosen = sorted(
        (sample for sample in found if sample.path.suffix == ".pdf" and not sample.kinds & without),
        key=lambda sample: sample.id,
    )
    if not chosen:
        raise SystemExit(f"scripts/bench: {folder} holds no PDF: name a folder that does with --corpus DIR")
    if limit is None or limit >= len(chosen):
        return chosen
    return [chosen[index * len(chosen) // limit] for index in range(limit)]


def _sample(folder: Path, item: dict[str, Any]) -> Sample:
    expected = item["truth"].get("expect")
    password = json.loads((folder / expected).read_bytes()).get("password") if expected else None
    return Sample(item["id"], folder / item["path"], frozenset(item["kind"]), password)
