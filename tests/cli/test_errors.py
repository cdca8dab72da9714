"""`ndfd errors`."""

from __future__ import annotations

import json

from ndfd.errors import error_classes
from tests.cli.conftest import Ndfd


def test_every_error_is_listed_with_status_and_hint(ndfd: Ndfd) -> None:
    text = ndfd("errors").stdout
    for cls in error_classes():
        assert f"\n{cls.code}  (exit {cls.exit_status}" in f"\n{text}"
        assert cls.default_hint in text


def test_for_programs_the_tree_is_an_array_whose_parents_are_codes(ndfd: Ndfd) -> None:
    rows = json.loads(ndfd("errors", "--json").stdout)
    codes = {row["code"] for row in rows}
    assert len(rows) == len(codes) == len(list(error_classes()))
    assert {row["parent"] for row in rows} - {None} <= codes
    assert [row["code"] for row in rows if row["parent"] is None] == ["internal"]
