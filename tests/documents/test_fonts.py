"""What PDFium makes of fonts that do not say which characters their glyphs are."""

from __future__ import annotations

from tests import documents
from tests.documents.engine import texts


def test_a_type_3_font_without_encoding_gives_its_codes_as_control_characters() -> None:
    # U+0002 stands in PDFium's text for a hyphen at a line's end and is left out of the plain text.
    assert texts(documents.type3_without_encoding()) == ["\x01\x01"]


def test_a_map_to_private_use_is_believed() -> None:
    assert texts(documents.private_use()) == ["\ue000\ue001\ue001\ue000"]


def test_a_map_to_control_characters_is_believed() -> None:
    assert texts(documents.control_characters()) == ["\x01\x01"]


def test_chinese_with_a_predefined_encoding_is_read_without_its_font() -> None:
    assert texts(documents.chinese_not_embedded()) == ["中文文件"]


def test_glyph_numbers_of_an_unknown_font_come_out_as_numbers() -> None:
    assert texts(documents.glyph_numbers_not_embedded()) == ["\x12\x13\x14\x15"]
