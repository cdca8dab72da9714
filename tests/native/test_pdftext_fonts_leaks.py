"""Fonts served from memory: no document that uses them keeps memory, and they are not copied where they are held."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.documents.font_files import collection, for_chinese, vera

ROOT = Path(__file__).parents[2]
#: Rounds, and what a leak of one font a round (65 kB) would far exceed; the allocator's own growth stays below.
ROUNDS, GROWTH_MAX_BYTES = 300, 1_500_000

#: In a process of its own: which fonts there are is settled once in a process.
PROGRAM = f"""
import gc, sys, psutil
from ndfd.native._c import pdftext
from tests.documents.fonts import vera_not_embedded

held = pdftext.hold_fonts(sys.argv[1:], 1 << 26)
assert held.files == 2, held
data = vera_not_embedded()

def read():
    with pdftext.Document(data) as document:
        for i in range(document.page_count):
            document.page(i).tight

process = psutil.Process()
for _ in range({ROUNDS // 3}):
    read()
gc.collect()
before = process.memory_info().rss
for _ in range({ROUNDS}):
    read()
gc.collect()
print(process.memory_info().rss - before)
mapped = [m.path for m in process.memory_maps() if m.path.startswith(sys.argv[1])]
opened = [f.path for f in process.open_files() if f.path.startswith(sys.argv[1])]
print(len(mapped), len(opened))
"""


def test_documents_whose_fonts_are_held_keep_no_memory(tmp_path: Path) -> None:
    (tmp_path / "plain.ttf").write_bytes(vera())
    (tmp_path / "chinese.ttc").write_bytes(collection(for_chinese(vera("VeraBd")), for_chinese(vera("VeraIt"))))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    growth, counts = done.stdout.splitlines()
    assert int(growth) < GROWTH_MAX_BYTES
    assert counts == "2 0", "mapped once each, and no descriptor is kept"
