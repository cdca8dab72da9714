"""Which implementation `ndfd.native` gives, and what it says when there is none."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from ndfd import errors, native
from ndfd.native._c import pdftext as compiled
from ndfd.native._py import pdftext as reference

PUBLIC = set(reference.__all__)


def test_an_unknown_implementation_is_a_configuration_error() -> None:
    with pytest.raises(errors.ConfigError, match="'fortran'"):
        native._module("fortran", "pdftext")


def test_a_missing_module_is_named() -> None:
    with pytest.raises(errors.NativeMissing, match=r"ndfd\.native\._c\.nothing"):
        native._module("c", "nothing")


@pytest.mark.parametrize(("implementation", "module"), [("c", compiled), ("python", reference)])
def test_each_implementation_has_its_module(implementation: str, module: Any) -> None:
    assert native._module(implementation, "pdftext") is module


def test_both_have_the_same_names_and_numbers() -> None:
    assert set(dir(compiled)) >= PUBLIC
    numbers = {name for name in PUBLIC if isinstance(getattr(reference, name), int)}
    assert {name: getattr(compiled, name) for name in numbers} == {name: getattr(reference, name) for name in numbers}


@pytest.mark.parametrize("name", ["Font", "FormText", "Link", "Tag", "Outline"])
def test_small_values_have_the_same_fields(name: str) -> None:
    assert getattr(compiled, name)._fields == getattr(reference, name)._fields


def test_pages_have_the_same_members() -> None:
    def members(cls: type) -> set[str]:
        return {name for name, _ in inspect.getmembers(cls) if not name.startswith("_")}

    assert members(compiled.PageArrays) == members(reference.PageArrays)
