"""What all tests share: where the corpus is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of the development corpus: $NDFD_CORPUS, or shared/corpus beside the repository."""
    named = os.environ.get("NDFD_CORPUS")
    folder = Path(named) if named else _ROOT.parent / "shared" / "corpus"
    if not (folder / "manifest.json").is_file():
        pytest.skip(f"no corpus: {folder}/manifest.json does not exist; name its folder with NDFD_CORPUS")
    return folder
