"""A sentence that a page's end cuts is made whole where pages are not shown."""

from __future__ import annotations

import pytest

from ndfd.document.joins import flowing
from ndfd.model.document import BlockKind
from tests.document.drafts import block, spans


def texts(*blocks: object) -> list[str]:
    return [each.text for each in flowing(blocks)]  # type: ignore[arg-type]


def test_a_sentence_goes_on_over_furniture() -> None:
    assert texts(
        block("It goes"), block("Page 3", BlockKind.FOOTER), block("Journal", BlockKind.HEADER), block("on here.")
    ) == ["It goes on here."]


def test_what_stood_between_comes_after() -> None:
    assert texts(block("It goes"), block("1 Note", BlockKind.FOOTNOTE), block("on.")) == ["It goes on.", "1 Note"]


def test_a_hyphenated_word_is_made_whole() -> None:
    assert texts(block("It is inter-"), block("national.")) == ["It is international."]


@pytest.mark.parametrize(("first", "second"), [("It ends.", "and so"), ("It goes", "On here"), ("It goes", "3 apples")])
def test_what_is_not_clearly_one_sentence_stays_apart(first: str, second: str) -> None:
    assert texts(block(first), block(second)) == [first, second]


def test_headings_end_a_paragraph() -> None:
    assert texts(block("It goes"), block("on", BlockKind.HEADING), block("here")) == ["It goes", "on", "here"]


def test_styles_are_kept_over_the_join() -> None:
    (whole,) = flowing([block("It is in", spans=spans(("It is ", ""), ("in", "b"))), block("between.")])
    assert "".join(span.text for span in whole.spans) == whole.text == "It is in between."
