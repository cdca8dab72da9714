"""Where things stand in a TOML text: the syntax tree of tree-sitter, flattened to table headers and values."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

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
    key: Position
    #: Whether no pair follows.
    empty: bool

    @property
    def first(self) -> int:
        """The line it is in."""
        return self.key.line

    @property
    def last(self) -> int:
        """The line it is in."""
        return self.key.line


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value as it is written; an empty inline table is the text "{}"."""

    path: Path
    key: Position
    #: The lines that its statement begins and ends in.
    first: int
    last: int
    text: str
    position: Position


def parse(text: str) -> tuple[Header | Leaf, ...] | None:
    """What stands in a text with \n at the ends of lines, in its order; None for one that the grammar does not know."""
    data = text.encode()
    tree = _PARSER.parse(data)
    return None if tree.root_node.has_error else tuple(_Flattener(data).document(tree.root_node))


class _Flattener:
    def __init__(self, data: bytes) -> None:
        self._lines = data.split(b"\n")
        #: The last place in the line that was asked for: its row, its bytes and its characters before it.
        self._place = (0, 0, 0)
        self._elements: dict[Path, int] = {}

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
        key = self._position(name)
        yield Header(path, key, not rest)
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
        first, last = pair.start_point.row + 1, pair.named_children[-1].end_point.row + 1
        pending = [(pair, table)]
        while pending:
            node, path = pending.pop()
            key, value = [child for child in node.named_children if child.type != "comment"]
            path = (*path, *_keys(key))
            inner: list[Node] = []
            if value.type == "inline_table":
                inner = [child for child in value.named_children if child.type == "pair"]
            if inner:
                pending += [(child, path) for child in reversed(inner)]
            else:
                text = "{}" if value.type == "inline_table" else _text(value)
                yield Leaf(path, self._position(key), first, last, text, self._position(value))

    def _position(self, node: Node) -> Position:
        row, column = node.start_point
        line, begin, characters = self._lines[row], 0, 0
        if row == self._place[0] and self._place[1] <= column:
            # A line can be long, and hold many values.
            begin, characters = self._place[1:]
        characters += len(line[begin:column].decode())
        self._place = row, column, characters
        return Position(row + 1, characters + 1)


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
    if node.type != "quoted_key":
        return text
    try:
        return next(iter(tomllib.loads(f"{text} = 0")))
    except tomllib.TOMLDecodeError:
        # An escape of no character, which the grammar lets pass; the file is refused for it.
        return text


def _text(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()
