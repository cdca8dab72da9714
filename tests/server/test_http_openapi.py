"""The OpenAPI description is whole and true to the structure that the standard asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from ndfd.errors import error_classes
from ndfd.server.http_openapi import openapi_document

DESCRIPTION = openapi_document("1.2.3")
OPERATIONS = {
    (path, verb): operation for path, verbs in DESCRIPTION["paths"].items() for verb, operation in verbs.items()
}


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of the description."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def test_the_root_has_what_openapi_3_1_requires() -> None:
    assert re.fullmatch(r"3\.1\.\d+", DESCRIPTION["openapi"])
    assert set(DESCRIPTION) == {"openapi", "info", "paths", "components", "security"}
    assert {"title", "version"} <= set(DESCRIPTION["info"])
    assert all(path.startswith("/") for path in DESCRIPTION["paths"])


def test_each_reference_leads_somewhere() -> None:
    references = {node["$ref"] for node in nodes(DESCRIPTION) if "$ref" in node}
    assert references
    for reference in references:
        place: Any = DESCRIPTION
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation["operationId"])
def test_each_operation_has_described_responses_with_content_by_media_type(
    operation: dict[str, Any],
) -> None:
    assert operation["summary"]
    for status, response in operation["responses"].items():
        assert re.fullmatch(r"[1-5]\d\d", status)
        assert response["description"]
        for media_type, content in response["content"].items():
            assert re.match(r"[a-z]+/[a-z.+-]+", media_type)
            assert set(content) <= {"schema"}
    for parameter in operation.get("parameters", ()):
        assert {"name", "in", "description", "schema"} <= set(parameter)
        assert parameter["in"] in ("query", "header", "path")


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)


def test_each_error_that_a_conversion_can_end_in_stands_under_its_status() -> None:
    responses = OPERATIONS["/v1/convert", "post"]["responses"]
    for cls in error_classes():
        if cls.code.startswith(("document", "conversion", "worker")):
            assert f"`{cls.code}`" in responses[str(cls.http_status)]["description"]


def test_the_json_rendering_is_the_document_schema() -> None:
    content = OPERATIONS["/v1/convert", "post"]["responses"]["200"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Document"}
    assert "pages" in DESCRIPTION["components"]["schemas"]["Document"]["required"]


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation["operationId"])
def test_each_answer_is_described_with_the_generation_and_each_operation_with_what_a_stranger_gets(
    operation: dict[str, Any],
) -> None:
    assert all("Ndfd-Generation" in response["headers"] for response in operation["responses"].values())
    assert "not-authenticated" in operation["responses"]["401"]["description"]
