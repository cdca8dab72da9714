"""The interface descriptions say the same as the structures that are sent."""

from __future__ import annotations

import collections.abc
import enum
import shutil
import subprocess
import types
import typing
from typing import Any

import msgspec
import pytest

from ndfd.protocol.varlink_interfaces import (
    INTERFACES,
    METHODS,
    Failed,
    interface_description,
)
from tests.protocol.idl import Fields, Interface, parse

_PRIMITIVES = {bool: "bool", int: "int", float: "float", str: "string", bytes: "string"}

DESCRIPTIONS = {name: parse(interface_description(name)) for name in INTERFACES}


def idl_type(annotation: Any, found: dict[str, type]) -> str:
    """The description of a Python type; named types on the way are put into `found`."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return idl_type(typing.get_args(annotation)[0], found)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (arg for arg in typing.get_args(annotation) if arg is not type(None))
        return "?" + idl_type(inner, found)
    if origin is tuple:
        return "[]" + idl_type(typing.get_args(annotation)[0], found)
    if origin in (dict, collections.abc.Mapping):
        return "[string]" + idl_type(typing.get_args(annotation)[1], found)
    if annotation in _PRIMITIVES:
        return _PRIMITIVES[annotation]
    name = "Format" if annotation.__name__ == "OutputFormat" else str(annotation.__name__)
    found[name] = annotation
    return name


def idl_fields(struct: type[msgspec.Struct], found: dict[str, type]) -> Fields:
    """The fields of a structure; one that may be left out is nullable."""
    hints = typing.get_type_hints(struct, include_extras=True)
    fields: Fields = {}
    for field in msgspec.structs.fields(struct):
        text = idl_type(hints[field.name], found)
        fields[field.encode_name] = text if field.required or text.startswith("?") else "?" + text
    return fields


def check_types(interface: Interface, found: dict[str, type]) -> None:
    pending, seen = list(found.items()), set(found)
    while pending:
        name, python = pending.pop()
        if issubclass(python, enum.Enum):
            assert interface.enums[name] == [member.value for member in python]
            continue
        inner: dict[str, type] = {}
        assert interface.structs[name] == idl_fields(python, inner)
        pending += [item for item in inner.items() if item[0] not in seen]
        seen |= set(inner)
    assert seen == {*interface.enums, *interface.structs}


@pytest.mark.parametrize("name", INTERFACES)
def test_a_description_holds_the_methods_and_types_that_are_sent_and_no_others(
    name: str,
) -> None:
    interface = DESCRIPTIONS[name]
    assert interface.name == name
    found: dict[str, type] = {}
    described = {
        method.removeprefix(f"{name}."): (
            idl_fields(of.parameters, found),
            idl_fields(of.reply, found),
        )
        for method, of in METHODS.items()
        if method.rpartition(".")[0] == name
    }
    assert interface.methods == described
    check_types(interface, found)


@pytest.mark.parametrize("name", [name for name in INTERFACES if name.startswith("io.ndfd.")])
def test_each_interface_of_ours_has_the_one_error_with_the_fields_that_are_sent(
    name: str,
) -> None:
    assert DESCRIPTIONS[name].errors == {"Failed": idl_fields(Failed, {})}


def test_the_service_interface_has_the_standard_errors() -> None:
    assert DESCRIPTIONS["org.varlink.service"].errors == {
        "InterfaceNotFound": {"interface": "string"},
        "MethodNotFound": {"method": "string"},
        "MethodNotImplemented": {"method": "string"},
        "InvalidParameter": {"parameter": "string"},
        "PermissionDenied": {},
        "ExpectedMore": {},
    }


@pytest.mark.parametrize("name", INTERFACES)
def test_systemd_finds_a_description_valid(name: str) -> None:
    varlinkctl = shutil.which("varlinkctl")
    if varlinkctl is None:
        pytest.skip("no varlinkctl here: it comes with systemd 255 and newer")
    checked = subprocess.run(
        [varlinkctl, "validate-idl"],
        input=interface_description(name).encode(),
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr.decode()
