"""Which files are held, and which font of PDFium's each stands for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ndfd.native import host_fonts
from tests.documents.font_files import collection, vera

ROMAN, BOLD = 7, 8
NAMES = {b"Bitstream Vera Sans Roman": ROMAN, b"Bitstream Vera Sans Bold": BOLD}


class Engine:
    """Knows these fonts from files of these sizes, whose head table is the one of `heads`."""

    def __init__(self, sizes: dict[int, int], heads: dict[int, bytes]) -> None:
        self.sizes, self.heads = sizes, heads
        self.opened: list[str] = []
        self.served: list[host_fonts.HeldFont] = []

    def open(self, path: str) -> memoryview | None:
        self.opened.append(path)
        return memoryview(Path(path).read_bytes())

    def named(self, name: bytes) -> int:
        return NAMES.get(name, 0)

    def chosen(self, weight: int, italic: bool, charset: int, pitch: int, name: bytes) -> int:
        return 0

    def file_size(self, font: int) -> int:
        return self.sizes[font]

    def table(self, font: int, tag: int) -> bytes:
        return self.heads[font]

    def serve(self, fonts: Sequence[host_fonts.HeldFont]) -> None:
        self.served = list(fonts)


def head(font: bytes) -> bytes:
    return host_fonts._tables(memoryview(font), 0)[b"head"]


def test_each_font_of_a_collection_has_the_whole_file(tmp_path: Path) -> None:
    data = collection(vera(), vera("VeraBd"))
    (tmp_path / "both.ttc").write_bytes(data)
    engine = Engine({ROMAN: len(data), BOLD: len(data)}, {ROMAN: head(vera()), BOLD: head(vera("VeraBd"))})
    assert host_fonts.hold(engine, [str(tmp_path)], len(data)) == (1, len(data), ())
    assert [(font.font, font.data, font.in_collection) for font in engine.served] == [
        (ROMAN, data, True),
        (BOLD, data, True),
    ]


@pytest.mark.parametrize(
    ("longer", "table"), [(1, head(vera())), (0, head(vera("VeraBd")))], ids=["another size", "another head table"]
)
def test_a_file_that_only_bears_the_name_of_a_known_font_is_not_held(tmp_path: Path, longer: int, table: bytes) -> None:
    (tmp_path / "roman.ttf").write_bytes(vera())
    engine = Engine({ROMAN: len(vera()) + longer}, {ROMAN: table})
    assert host_fonts.hold(engine, [str(tmp_path)], 1 << 20) == (0, 0, ())


def test_a_folder_is_looked_into_once_however_many_links_lead_there(tmp_path: Path) -> None:
    (tmp_path / "roman.TTF").write_bytes(vera())
    (tmp_path / "loop").symlink_to(tmp_path)
    engine = Engine({ROMAN: len(vera())}, {ROMAN: head(vera())})
    host_fonts.hold(engine, [str(tmp_path), f"{tmp_path}/loop", f"{tmp_path}/missing"], 1 << 20)
    assert engine.opened == [f"{tmp_path}/roman.TTF"]


def test_no_more_files_are_held_than_a_fork_should_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_fonts, "FILES_MAX", 1)
    (tmp_path / "roman.ttf").write_bytes(vera())
    (tmp_path / "bold.ttf").write_bytes(vera("VeraBd"))
    sizes = {ROMAN: len(vera()), BOLD: len(vera("VeraBd"))}
    engine = Engine(sizes, {ROMAN: head(vera()), BOLD: head(vera("VeraBd"))})
    held = host_fonts.hold(engine, [str(tmp_path)], 1 << 20)
    assert held == (1, sizes[BOLD], (f"{tmp_path}/roman.ttf",)), "the smaller one first"
