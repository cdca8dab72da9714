"""Where things stand in a TOML text: the syntax tree of tree-sitter, flattened to table headers and values."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_toml
from tree_sitter import Language, Node, Parser
from tree_sitter import Tree as SyntaxTree

_PARSER = Parser(Language(tree_sitter_toml.language()))

#: The keys that lead to a value; an integer counts the elements of an array of tables from 0.
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text; lines, and characters within a line, are counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Header:
    """`[a.b]` or `[[a.b]]`."""

    path: Path
    #: Of its name.
    position: Position


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value as it is written; an empty table is the text "{}"."""

    path: Path
    text: str
    key: Position
    position: Position


@dataclass(frozen=True, slots=True)
class Damage:
    """The first place that the grammar does not know."""

    position: Position
    #: The array or inline table around it: where it begins, and which of the two it is.
    inside: Position | None = None
    inside_of: str = ""


@dataclass(frozen=True, slots=True)
class Tree:
    """What stands in a text, in its order; with `damage`, nothing."""

    items: tuple[Header | Leaf, ...]
    damage: Damage | None


def parse(text: str) -> Tree:
    """The tree of a text with \\n at the ends of lines."""
    data = text.encode()
    tree = _PARSER.parse(data)
    flattener = _Flattener(data)
    if tree.root_node.has_error:
        return Tree((), flattener.damage(tree))
    return Tree(tuple(flattener.document(tree.root_node)), None)


class _Flattener:
    def __init__(self, data: bytes) -> None:
        self._lines = data.split(b"\n")
        self._elements: dict[Path, int] = {}

    def damage(self, tree: SyntaxTree) -> Damage:
        """Walks down to the first node that is missing or wrong; a tree can be deeper than Python's stack."""
        cursor = tree.walk()
        inside: Node | None = None
        while True:
            node = cursor.node
            assert node is not None
            if node.is_error or node.is_missing:
                break
            if node.type in ("array", "inline_table"):
                inside = node
            if not cursor.goto_first_child():
                break
            while cursor.node is not None and not (cursor.node.has_error or cursor.node.is_missing):
                if not cursor.goto_next_sibling():
                    break
        return Damage(
            self._position(node),
            None if inside is None else self._position(inside),
            "" if inside is None else inside.type.replace("_", " "),
        )

    def document(self, root: Node) -> Iterator[Header | Leaf]:
        """All of it."""
        for node in root.named_children:
            if node.type == "pair":
                yield from self._pair(node, ())
            elif node.type in ("table", "table_array_element"):
                yield from self._table(node)

    def _table(self, node: Node) -> Iterator[Header | Leaf]:
        name, *rest = [child for child in node.named_children if child.type != "comment"]
        path = self._resolved(_keys(name), element=node.type == "table_array_element")
        yield Header(path, self._position(name))
        if not rest:
            yield Leaf(path, "{}", self._position(name), self._position(name))
        for pair in rest:
            yield from self._pair(pair, path)

    def _resolved(self, keys: list[str], *, element: bool) -> Path:
        """The path of a header: through an array of tables it goes by the array's last element."""
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, key)
            if path in self._elements:
                path = (*path, self._elements[path])
        path = (*path, keys[-1])
        if element:
            self._elements[path] = self._elements.get(path, -1) + 1
            return (*path, self._elements[path])
        return path

    def _pair(self, pair: Node, table: Path) -> Iterator[Leaf]:
        pending = [(pair, table)]
        while pending:
            node, path = pending.pop()
            key, value = [child for child in node.named_children if child.type != "comment"]
            path = (*path, *_keys(key))
            inner = [child for child in value.named_children if child.type == "pair"]
            if value.type == "inline_table" and inner:
                pending += [(child, path) for child in reversed(inner)]
            else:
                text = "{}" if value.type == "inline_table" else _text(value)
                yield Leaf(path, text, self._position(key), self._position(value))

    def _position(self, node: Node) -> Position:
        row, column = node.start_point
        return Position(row + 1, len(self._lines[row][:column].decode("utf-8", "replace")) + 1)


def _keys(node: Node) -> list[str]:
    keys = []
    while node.type == "dotted_key":
        # a.b.c is the pair of a.b and c.
        node, last = node.named_children
        keys.append(_key(last))
    keys.append(_key(node))
    return keys[::-1]


def _key(node: Node) -> str:
    text = _text(node)
    return next(iter(tomllib.loads(f"{text} = 0"))) if node.type == "quoted_key" else text


def _text(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()
