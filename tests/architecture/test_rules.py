"""The rules of ARCHITECTURE.md that an import contract cannot say, read off the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import ndfd

PACKAGE = Path(ndfd.__file__).parent
DRAWERS = {"utils", "util", "common", "helpers", "helper", "misc"}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE), ast.parse(path.read_text(encoding="utf-8"), str(path))


def attribute_uses(tree: ast.Module, module: str, names: set[str]) -> Iterator[ast.AST]:
    """Uses of `module.name` and of `from module import name`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == module and node.attr in names:
                yield node
        elif (
            isinstance(node, ast.ImportFrom)
            and node.module == module
            and any(alias.name in names for alias in node.names)
        ):
            yield node


def breaches(module: str, names: set[str], allowed: set[str]) -> list[str]:
    return [
        f"{path}:{node.lineno}"  # type: ignore[attr-defined]
        for path, tree in modules()
        if path.parts[0] not in allowed
        for node in attribute_uses(tree, module, names)
    ]


def test_only_the_platform_package_asks_which_system_it_runs_on() -> None:
    assert breaches("sys", {"platform"}, {"platform"}) == []
    assert breaches("os", {"name"}, {"platform"}) == []


def test_only_config_and_native_read_the_environment() -> None:
    assert breaches("os", {"environ", "getenv", "environb"}, {"config", "native"}) == []


def test_no_module_is_a_drawer() -> None:
    names = {part.removesuffix(".py") for path, _ in modules() for part in path.parts}
    assert names & DRAWERS == set()


def test_every_package_says_its_one_job_in_its_docstring() -> None:
    silent = [str(path) for path, tree in modules() if not ast.get_docstring(tree)]
    assert silent == []


def test_no_module_has_grown_past_four_hundred_lines() -> None:
    long = {str(path): n for path, _ in modules() if (n := len((PACKAGE / path).read_text().splitlines())) > 400}
    assert long == {}


def test_the_rules_see_a_breach() -> None:
    tree = ast.parse("import os, sys\nfrom os import environ\nx = sys.platform\n")
    assert len(list(attribute_uses(tree, "sys", {"platform"}))) == 1
    assert len(list(attribute_uses(tree, "os", {"environ"}))) == 1
