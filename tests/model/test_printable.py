"""Text that somebody else made cannot do more than be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndfd.model.printable import printable


@pytest.mark.parametrize("text", ["", "plain", "Ünïcode – €", "中文", "back\\slash"])
def test_text_that_can_be_shown_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_what_would_move_a_terminal_is_shown_as_its_escape_and_a_line_stays_one() -> None:
    assert printable("\x1b[2J\x9b31m\u202e\0\ud800") == r"\x1b[2J\x9b31m\u202e\x00\ud800"
    assert printable("one\r\ntwo\tthree\u2028four") == "one  two three four"


@given(st.text(st.characters(), max_size=60), st.integers(1, 50))
def test_the_result_is_printable_can_be_encoded_and_is_no_longer_than_asked(text: str, most: int) -> None:
    shown = printable(text, most)
    assert shown.isprintable()
    assert len(shown) <= most
    shown.encode()
