"""Fonts that are held in memory serve a process that may open no file, and give what their files give."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.documents.font_files import collection, for_chinese, vera
from tests.documents.fonts import vera_not_embedded

PLENTY = 64 * 1024**2
ROOT = Path(__file__).parents[2]

both = pytest.mark.parametrize("engine", ["_c", "_py"], ids=["c", "python"])


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "document.pdf"
    path.write_bytes(vera_not_embedded())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Plain Vera, and a collection of two cuts that claim to cover Chinese, in a folder below."""
    folder = tmp_path / "fonts"
    (folder / "below").mkdir(parents=True)
    (folder / "plain.ttf").write_bytes(vera())
    (folder / "below" / "Chinese.TTC").write_bytes(collection(for_chinese(vera("VeraBd")), for_chinese(vera("VeraIt"))))
    return folder


def read(engine: str, folder: Path, document: Path, bytes_max: object) -> Any:
    """What `tests.native.read_with_fonts` prints; the folder is back in its place."""
    command = [sys.executable, "-m", "tests.native.read_with_fonts", engine, str(folder), str(document), str(bytes_max)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    away = folder.with_name(f"{folder.name} away")
    if away.exists():
        away.rename(folder)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return json.loads(done.stdout)


@both
def test_held_fonts_give_what_the_files_give_and_open_none(engine: str, folder: Path, document: Path) -> None:
    from_files = read(engine, folder, document, "-")
    from_memory = read(engine, folder, document, PLENTY)
    assert from_memory["pages"] == from_files["pages"]
    assert from_memory["held"] == {
        "files": 2,
        "size_bytes": sum(path.stat().st_size for path in folder.rglob("*.*")),
        "left_out": [],
    }


@both
def test_without_them_the_same_process_reads_something_else(engine: str, folder: Path, document: Path) -> None:
    assert read(engine, folder, document, "closed")["pages"] != read(engine, folder, document, "-")["pages"]


def test_both_implementations_hold_the_same_fonts(folder: Path, document: Path) -> None:
    assert read("_c", folder, document, PLENTY) == read("_py", folder, document, PLENTY)


@both
def test_fonts_that_stand_in_for_others_are_held_before_smaller_ones(engine: str, folder: Path, document: Path) -> None:
    chinese, plain = folder / "below" / "Chinese.TTC", folder / "plain.ttf"
    held = read(engine, folder, document, chinese.stat().st_size)["held"]
    assert held == {"files": 1, "size_bytes": chinese.stat().st_size, "left_out": [str(plain)]}


@both
def test_a_font_that_is_left_out_is_as_if_it_were_not_installed(engine: str, folder: Path, document: Path) -> None:
    left_out = read(engine, folder, document, (folder / "below" / "Chinese.TTC").stat().st_size)["pages"]
    (folder / "plain.ttf").unlink()
    assert left_out == read(engine, folder, document, "-")["pages"]


@both
def test_a_plain_cut_stands_in_for_the_bold_one_that_is_left_out(engine: str, folder: Path, document: Path) -> None:
    (folder / "plain.ttf").unlink()
    (folder / "below" / "Chinese.TTC").unlink()
    (folder / "regular.ttf").write_bytes(for_chinese(vera("Vera")))
    # The one that the engine meets first is what it falls back to, held or not.
    bold = folder / "first" / "bold.ttf"
    bold.parent.mkdir()
    bold.write_bytes(for_chinese(vera("VeraBd")))
    found = read(engine, folder, document, (folder / "regular.ttf").stat().st_size)
    assert found["held"]["left_out"] == [str(bold)]
    bold.unlink()
    alone = read(engine, folder, document, "-")
    assert found["pages"] == alone["pages"]


@both
def test_files_that_are_no_fonts_are_passed_over(engine: str, folder: Path, document: Path) -> None:
    expected = read(engine, folder, document, PLENTY)
    (folder / "text.ttf").write_text("no font, but longer than a font's header")
    (folder / "empty.ttf").touch()
    (folder / "short.ttc").write_bytes(b"ttcf\0\1\0\0" + b"\0\0\0\2" + b"\xff\xff\xff\xff" * 2)
    (folder / "cut.otf").write_bytes(vera()[:3000])
    (folder / "loop").symlink_to(folder)
    assert read(engine, folder, document, PLENTY) == expected


@both
def test_of_two_files_of_one_name_the_one_that_the_engine_knows_is_held(
    engine: str, folder: Path, document: Path
) -> None:
    """That is the first which its scan meets, in an order that nobody promises."""
    (folder / "longer.ttf").write_bytes(vera() + b"\0" * 512)
    from_memory = read(engine, folder, document, PLENTY)
    assert from_memory["pages"] == read(engine, folder, document, "-")["pages"]
    assert from_memory["held"]["files"] == 2


@both
def test_holding_again_gives_the_first_answer(engine: str, folder: Path) -> None:
    program = (
        f"from ndfd.native.{engine} import pdftext as p; import sys; first = p.hold_fonts(sys.argv[1:], {PLENTY}); "
        "sys.exit(p.hold_fonts([], 0) != first or first.files != 2)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(folder)], check=False).returncode == 0
