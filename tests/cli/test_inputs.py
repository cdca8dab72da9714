"""What arguments stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ndfd.cli.inputs import BadInput, Input, find_inputs
from ndfd.cli.outputs import output_names


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("in/b.pdf", "in/a.PDF", "in/sub/c.pdf", "in/sub/readme.txt", "other/b.pdf", "odd.bin"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def shown(arguments: list[str]) -> list[str]:
    return [each.shown for each in find_inputs(arguments)]


@pytest.mark.usefixtures("folder")
def test_a_folder_stands_for_its_documents_sorted_at_any_depth() -> None:
    assert shown(["in"]) == ["in/a.PDF", "in/b.pdf", "in/sub/c.pdf"]


@pytest.mark.usefixtures("folder")
def test_the_order_of_the_arguments_is_kept_and_a_file_may_be_called_anything() -> None:
    assert shown(["odd.bin", "in/sub", "-"]) == ["odd.bin", "in/sub/c.pdf", "stdin"]


def test_a_loop_of_links_ends(folder: Path) -> None:
    (folder / "in/sub/up").symlink_to(folder / "in")
    assert shown(["in"]) == ["in/a.PDF", "in/b.pdf", "in/sub/c.pdf"]


def test_an_empty_folder_is_a_bad_input_beside_good_ones(folder: Path) -> None:
    (folder / "empty").mkdir()
    bad, good = find_inputs(["empty", "odd.bin"])
    assert isinstance(bad, BadInput)
    assert bad.error.code == "input-no-documents"
    assert isinstance(good, Input)


def names(*relative: str) -> list[str]:
    inputs = [Input(Path("/x", str(n), each), each, Path(each)) for n, each in enumerate(relative)]
    return [str(path) for path in output_names(inputs, ".md").values()]


def test_an_output_has_the_name_of_its_input_and_keeps_its_folder() -> None:
    assert names("a.pdf", "sub/a.pdf", "b.tar.pdf", "noext") == ["a.md", "sub/a.md", "b.tar.md", "noext.md"]


def test_the_later_of_two_equal_names_keeps_its_suffix_and_then_gets_a_number() -> None:
    assert names("a.pdf", "a.PDF", "a.pdf", "a.pdf") == ["a.md", "a.PDF.md", "a.pdf-2.md", "a.pdf-3.md"]


def test_names_that_differ_in_case_only_are_equal_names() -> None:
    assert names("A.pdf", "a.pdf") == ["A.md", "a.pdf.md"]
