"""Names, moments and choices that are functions of values."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndfd.dispatch.file_names import OutputName, is_wanted, safe_stem, shown_name, stored_path, taken_path
from ndfd.dispatch.hooks import Hook, ResultFolder, hooks_for
from ndfd.dispatch.retries import FIRST_S, JITTER, LAST_S, retry_delay_s
from ndfd.dispatch.settling import Settling
from ndfd.model.job_states import FINAL


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.pdf", "a"),
        ("a.b.pdf", "a.b"),
        ("report", "report"),
        ("/etc/passwd.pdf", "passwd"),
        ("../../x.pdf", "x"),
        ("..\\..\\x.pdf", "x"),
        ("..", "ID"),
        ("...pdf", "ID"),
        (".hidden.pdf", "hidden"),
        ("", "ID"),
        (None, "ID"),
        ("a/", "ID"),
        ("nul.pdf", "ID"),
        ("COM1.x.pdf", "ID"),
        ("a\0b\x1b[2J.pdf", "a_x00b_x1b[2J"),
        ('a<>:"|?*.pdf', "a_______"),
        ("x\u202efdp.pdf", "x_u202efdp"),
        ("x .pdf", "x"),
        ("Ünï 文書.pdf", "Ünï 文書"),
        ("x\udcff.pdf", "x_udcff"),
    ],
)
def test_a_name_of_anybody_becomes_a_plain_name(name: str | None, stem: str) -> None:
    assert safe_stem(name, "ID") == stem


@given(st.text())
def test_no_name_leads_out_of_a_folder(name: str) -> None:
    stem = safe_stem(name, "ID")
    plain = OutputName(stem, ".md").plain()
    assert Path(plain).name == plain
    assert not plain.startswith(".")
    assert len(os.fsencode(plain)) <= 255
    assert plain.isprintable()


@given(st.text(alphabet="aß文\U0001f600", max_size=300), st.sampled_from([".md", ".error.txt"]))
def test_a_long_name_is_cut_between_characters(stem: str, suffix: str) -> None:
    name = OutputName(stem, suffix)
    for made in (name.plain(), name.numbered("0" * 26)):
        assert len(made.encode()) <= 255
        assert made.endswith(suffix)
    assert stem.startswith(name.plain().removesuffix(suffix))


@given(st.binary(min_size=1).filter(lambda data: b"\0" not in data))
def test_every_path_comes_back_from_the_store_and_is_text_there(data: bytes) -> None:
    path = os.fsdecode(data)
    stored = stored_path(path)
    assert taken_path(stored) == path
    stored.encode("utf-8")
    shown_name(path).encode("utf-8")


def test_paths_of_letters_are_stored_as_they_are() -> None:
    assert stored_path("Rechnungen/März 文.pdf") == "Rechnungen/März 文.pdf"
    assert stored_path("100%.pdf") == "100%25.pdf"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.pdf", True),
        ("A.PDF", True),
        ("a.md", False),
        (".a.pdf", False),
        ("~$a.pdf", False),
        ("a.pdf~", False),
        ("a.pdf.part", False),
        ("a.pdf.crdownload", False),
    ],
)
def test_hidden_and_temporary_names_are_left_alone(name: str, wanted: bool) -> None:
    assert is_wanted(name, "*.pdf") == wanted
    assert is_wanted(name, "*") == (wanted or name == "a.md")


def test_hooks_are_chosen_by_user_label_and_name() -> None:
    to, ends = ResultFolder(Path("/r")), FINAL
    hooks = {
        "all": Hook(to, ends),
        "ann": Hook(to, ends, uids=frozenset({1})),
        "apollo": Hook(to, ends, labels=(("project", "apollo"), ("stage", "a"))),
    }
    assert hooks_for(hooks, 1, {}) == ("all", "ann")
    assert hooks_for(hooks, 2, {"project": "apollo", "stage": "a", "x": "y"}) == ("all", "apollo")
    assert hooks_for(hooks, 2, {"project": "apollo"}) == ("all",)
    assert hooks_for(hooks, 1, {}, only=("ann", "apollo")) == ("ann",)
    assert hooks_for(hooks, 1, {}, only=()) == ()


def test_retries_double_from_ten_seconds_and_fourteen_attempts_take_about_a_day() -> None:
    assert retry_delay_s(1, 0.5) == FIRST_S
    assert retry_delay_s(4, 0.5) == 8 * FIRST_S
    assert retry_delay_s(1000, 0.5) == LAST_S
    assert (retry_delay_s(2, 0.0), retry_delay_s(2, 1.0)) == (20 * (1 - JITTER), 20 * (1 + JITTER))
    assert 20 * 3600 < sum(retry_delay_s(n, 0.5) for n in range(1, 14)) < 28 * 3600


def test_what_the_receiver_asks_for_holds_within_a_day() -> None:
    assert [retry_delay_s(5, 0.3, asked) for asked in (-5.0, 0.0, 90.0, 1e12)] == [1.0, 1.0, 90.0, LAST_S]


def test_a_file_is_settled_when_it_has_stayed_as_it_is() -> None:
    settling = Settling(2.0)
    assert settling.look({"a": "1"}, 10.0) == ((), 12.0)
    assert settling.look({"a": "1", "b": "1"}, 11.0) == ((), 12.0)
    assert settling.look({"a": "2", "b": "1"}, 12.0) == ((), 13.0)
    assert settling.look({"a": "2", "b": "1"}, 13.0) == (("b",), 14.0)
    settling.restart("b", 13.5)
    assert settling.look({"a": "2", "b": "1"}, 14.0) == (("a",), 15.5)
    assert settling.look({"b": "1"}, 15.5) == (("b",), None)
    # One that was gone begins anew.
    assert settling.look({}, 16.0) == ((), None)
    assert settling.look({"b": "1"}, 17.0) == ((), 19.0)
