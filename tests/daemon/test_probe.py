"""The built-in document."""

from __future__ import annotations

import re

from ndfd.daemon.probe import probe_document


def test_each_entry_of_its_table_points_at_its_object() -> None:
    data = probe_document()
    offsets = [int(offset) for offset in re.findall(rb"(\d{10}) 00000 n", data)]
    assert offsets
    for number, offset in enumerate(offsets, 1):
        assert data[offset:].startswith(b"%d 0 obj\n" % number)


def test_it_says_where_its_table_is() -> None:
    data = probe_document()
    start = re.search(rb"startxref\n(\d+)\n%%EOF\n\Z", data)
    assert start is not None
    assert data[int(start[1]) :].startswith(b"xref\n0 6\n")
