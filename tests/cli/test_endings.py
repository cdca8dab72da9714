"""An error is one harmless line, whoever wrote its parts."""

from __future__ import annotations

from ndfd.cli.endings import lines_of, one_line
from ndfd.errors import ConfigError, DamagedDocument


def test_neither_a_message_nor_a_file_name_reaches_the_terminal_as_more_than_text() -> None:
    line = one_line(DamagedDocument("\x1b]0;owned\x07 and\nmore", hint="\x9b31m"), "\x1b[2J.pdf")
    assert line == r"\x1b[2J.pdf: \x1b]0;owned\x07 and more (document-damaged); \x9b31m"


def test_nor_does_a_cause() -> None:
    error = ConfigError("2 mistakes", hint="", details=("\x1b[1A one", "two"))
    assert lines_of(error).splitlines() == ["2 mistakes (configuration)", r"\x1b[1A one", "two"]
