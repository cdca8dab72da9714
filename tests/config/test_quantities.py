"""Sizes and durations as people write them."""

from __future__ import annotations

import pytest

from ndfd.config.quantities import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("65536", 65536),
        ("4GB", 4_000_000_000),
        ("4gb", 4_000_000_000),
        ("1.5 GiB", 1_610_612_736),
        (" 512MiB ", 536_870_912),
        ("10kB", 10_000),
        ("7B", 7),
        ("1TB", 10**12),
    ],
)
def test_a_size_is_a_number_with_a_decimal_or_binary_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "4G", "4 GB extra", "four GB", "1e9", "４GB", "4GB4MB"])
def test_what_is_no_size_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size: write a number and B, kB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("0.5", 0.5),
        ("90s", 90.0),
        ("2m30s", 150.0),
        ("1.5h", 5400.0),
        ("500ms", 0.5),
        ("1d2h", 93600.0),
        (" 3M ", 180.0),
    ],
)
def test_a_duration_is_numbers_with_units_or_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "m", "-5s", "2m 30s", "2 minutes", "2m30", "1e3", "nan", "inf"])
def test_what_is_no_duration_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write numbers with ms"):
        parse_duration(text)
