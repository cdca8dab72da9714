"""Sizes, durations and CPU lists as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndfd.config.quantities import format_cpus, format_duration, format_size, parse_cpus, parse_duration, parse_size


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


@given(st.integers(0, 2**60))
def test_a_size_is_read_back_as_it_was_written(size: int) -> None:
    assert parse_size(format_size(size)) == (size if size < 2**53 else int(float(size)))


@given(st.integers(0, 10**12))
def test_a_duration_is_read_back_as_it_was_written(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=1e-9)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0"), (0.25, "250ms"), (90, "1m30s"), (300, "5m"), (93600, "1d2h"), (0.0001, "0.0001")]
)
def test_a_duration_is_written_in_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0"), (65536, "64KiB"), (4 * 10**9, "4GB"), (1001, "1001"), (2**30, "1GiB")]
)
def test_a_size_is_written_in_its_largest_whole_unit(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.frozensets(st.integers(0, 1023), min_size=1))
def test_a_list_of_cpus_is_read_back_as_it_was_written(cpus: frozenset[int]) -> None:
    assert parse_cpus(format_cpus(cpus)) == cpus


@pytest.mark.parametrize(("text", "cpus"), [("0-3,8", {0, 1, 2, 3, 8}), ("5", {5}), (" 1 , 0 ", {0, 1})])
def test_a_list_of_cpus_has_numbers_and_ranges(text: str, cpus: set[int]) -> None:
    assert parse_cpus(text) == cpus


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,,2", "-1", "0-99999", "1;2"])
def test_what_is_no_list_of_cpus_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(ValueError, match="is not a list of CPUs: write numbers and ranges"):
        parse_cpus(text)
