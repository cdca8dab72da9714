"""TOML with places: equal to tomllib for what is sound, and every mistake for what is not."""

from __future__ import annotations

import copy
import datetime
import json
import math
import random
import tomllib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ndfd.config.toml_file import MAX_BYTES, MAX_FAULTS, Entry, TomlFile, read_toml

# A document in random spellings


def scalars() -> st.SearchStrategy[Any]:
    texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
    dates = st.datetimes(min_value=datetime.datetime(1, 1, 1), max_value=datetime.datetime(9999, 1, 1))
    return st.one_of(
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        texts,
        dates.map(lambda date: date.replace(microsecond=0)),
        dates.map(lambda date: date.date()),
        st.lists(st.integers() | texts, max_size=3),
    )


KEYS = st.one_of(st.sampled_from("abcdefgh"), st.text("abz019_-", min_size=1, max_size=6), st.text(max_size=5))
TABLES = st.recursive(
    st.dictionaries(KEYS, scalars(), max_size=4),
    lambda inner: st.dictionaries(KEYS, scalars() | inner | st.lists(inner, min_size=1, max_size=3), max_size=4),
    max_leaves=12,
)


class Writer:
    """Writes a document with a coin thrown at each choice that TOML leaves."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.lines: list[str] = []

    def document(self, value: dict[str, Any]) -> str:
        self._table(value, "")
        return self._random.choice(["\n", "\r\n"]).join([*self.lines, ""])

    def _coin(self) -> bool:
        return self._random.random() < 0.5

    def _table(self, value: dict[str, Any], prefix: str) -> None:
        tables = {key: each for key, each in value.items() if self._as_table(each)}
        for key, each in value.items():
            if key not in tables:
                self._pair(self._key(key), each)
        for key, each in tables.items():
            path = f"{prefix}.{self._key(key)}" if prefix else self._key(key)
            for element in each if isinstance(each, list) else [each]:
                self._noise()
                self.lines.append(f"[[{path}]]" if isinstance(each, list) else f"[ {path} ]")
                self._table(element, path)

    def _pair(self, key: str, value: Any) -> None:
        if isinstance(value, dict) and value and self._coin():
            for inner, each in value.items():
                self._pair(f"{key}{self._random.choice(['.', ' . '])}{self._key(inner)}", each)
            return
        self._noise()
        indent = self._random.choice(["", "  ", "\t"])
        space = self._random.choice(["", " "])
        comment = self._random.choice(["", "  # é = [1"])
        self.lines.append(f"{indent}{key}{space}={space}{self._value(value)}{comment}")

    def _as_table(self, value: Any) -> bool:
        if isinstance(value, dict):
            return not value or self._coin()
        return isinstance(value, list) and bool(value) and isinstance(value[0], dict)

    def _noise(self) -> None:
        if self._random.random() < 0.3:
            self.lines.append(self._random.choice(["", "# a comment with = and [", "   "]))

    def _key(self, key: str) -> str:
        bare = key != "" and key.isascii() and all(c.isalnum() or c in "_-" for c in key)
        if bare and self._coin():
            return key
        return f"'{key}'" if "'" not in key and key.isprintable() and self._coin() else _string(key)

    def _value(self, value: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return self._random.choice([hex, oct, bin, str])(value) if value >= 0 else str(value)
        if isinstance(value, float):
            return {math.inf: "inf", -math.inf: "-inf"}.get(value, repr(value))
        if isinstance(value, str):
            literal = "'" not in value and value.isprintable()
            spellings = [_string(value), f'"""\n{_string(value)[1:-1]}"""']
            return self._random.choice([*spellings, f"'{value}'", f"'''\n{value}'''"] if literal else spellings)
        if isinstance(value, (datetime.datetime, datetime.date)):
            return value.isoformat()
        if isinstance(value, list):
            between = ",\n  # in between\n  " if self._coin() else ", "
            return f"[{between.join(map(self._value, value))}]"
        return "{" + ", ".join(f"{self._key(key)} = {self._value(each)}" for key, each in value.items()) + "}"


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def rebuilt(file: TomlFile) -> dict[str, Any]:
    """The document that the entries make up."""
    document: dict[str, Any] = {}
    for entry in file.entries:
        at: Any = document
        for key, following in zip(entry.path, [*entry.path[1:], None], strict=True):
            last = following is None
            fresh: Any = copy.copy(entry.value) if last else [] if isinstance(following, int) else {}
            if isinstance(key, int):
                if key == len(at):
                    at.append(fresh)
                at = at[key]
            else:
                at = at.setdefault(key, fresh)
    return document


@given(document=TABLES, seed=st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_a_sound_file_has_the_values_that_tomllib_reads_each_at_its_place(document: dict[str, Any], seed: int) -> None:
    text = Writer(seed).document(document)
    file = read_toml(text.encode())
    assert file.faults == ()
    # nan equals itself only as text.
    assert repr(rebuilt(file)) == repr(tomllib.loads(text))
    lines = text.replace("\r\n", "\n").split("\n")
    for entry in file.entries:
        if entry.value != {}:
            rest = "\n".join(lines[entry.position.line - 1 :])[entry.position.column - 1 :]
            assert begins_with(rest, entry), (rest, entry)
        key = lines[entry.key.line - 1][entry.key.column - 1 :]
        names = [name for name in entry.path if isinstance(name, str)]
        assert begins_with_key(key, names), (key, names)


def begins_with_key(text: str, names: list[str]) -> bool:
    """Whether the text begins with a key that TOML reads as the last of the names."""
    for length in range(1, len(text) + 1):
        try:
            document = tomllib.loads(f"{text[:length]} = 0")
        except tomllib.TOMLDecodeError:
            continue
        for number in range(len(names)):
            nested: Any = document
            for name in names[number:]:
                nested = nested.get(name) if isinstance(nested, dict) else None
            if nested == 0:
                return True
    return False


def begins_with(rest: str, entry: Entry) -> bool:
    """Whether the text begins with a value that TOML reads as the entry's."""
    for length in range(1, len(rest) + 1):
        try:
            if repr(tomllib.loads(f"v = {rest[:length]}")["v"]) == repr(entry.value):
                return True
        except tomllib.TOMLDecodeError:
            continue
    return False


SOUND = '''# é
[swarm]
workers = 3 # three
"worker_memory" = '4GB'
a.b.c = [ 1,
  2 ]
[[watch]]
path = """
two lines"""
x = { y = 1, z = { q = "ü" } }
[logging] # none
level = "info"
'''


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_a_file_has_faults_exactly_when_tomllib_refuses_it(data: st.DataObject) -> None:
    text = SOUND
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        new = data.draw(
            st.sampled_from(["", "\n", '"', "'", "[", "]", "{", "}", "=", "#", ",", "é", "\\", " ", "\t", "0", "x"])
        )
        text = text[:place] + new + text[place + data.draw(st.integers(0, 2)) :]
    judge(text.encode())


@given(st.binary(max_size=60) | st.text("[]{}=\"'.,#\n a1\\\r", max_size=40).map(str.encode))
@settings(max_examples=400, deadline=None)
@example(b"")
@example(b"\xef\xbb\xbfa = 1")
@example(b"a = 1\r")
@example(b"a = 1\r\r\n")
@example(b"a = 1\n" * 1200 + b'"\\ud800" = 1')
@example(b"\x00")
@example(b"a = '\xff'")
@example(b"x = 1\n[x]\ny = 1")
@example(b"[a]\nb.c = 1\n[a.b]\n")
@example(b"a = " + b"9" * 5000)
def test_no_bytes_are_too_strange(data: bytes) -> None:
    judge(data)


def judge(data: bytes) -> None:
    file = read_toml(data)
    try:
        tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        assert file.faults
    else:
        assert file.faults == ()
    lines = data.decode("utf-8", "replace").split("\n")
    for fault in file.faults:
        assert 1 <= fault.position.line <= len(lines)
        assert fault.position.column >= 1


@pytest.mark.parametrize(
    "data",
    [
        b"[" * MAX_BYTES,
        b"a = " + b"[" * 1_000_000,
        b"a." * 500_000 + b"a = 1",
        b'a = """\n' + b"a." * 500_000 + b"a = 1",
        b"a = {b = " * 100_000,
        b"]\n" * 500_000,
        b"a = 1\n" * 10_000,
        b"[a]\n" * 10_000,
        b"a = {}\n" * 10_000,
        b"a = [\n" + b"x y\n" * 200_000,
        b'a = """\n' + b"b = '\n" * 100_000,
        b"x" * (MAX_BYTES + 1),
    ],
    ids=[
        "brackets",
        "arrays",
        "keys",
        "keys behind a string",
        "tables",
        "lines",
        "twice",
        "tables twice",
        "empty twice",
        "elements",
        "strings",
        "size",
    ],
)
@pytest.mark.timeout(60)
def test_a_file_made_to_exhaust_its_reader_does_not(data: bytes) -> None:
    faults = read_toml(data).faults
    assert 1 <= len(faults) <= MAX_FAULTS


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a = 1\nlevel = debug\n", 2, 9, "not a value: text goes in quotes"),
        ("a = \n", 1, 5, "there is no value after ="),
        ("a 1\n", 1, 3, "expected = after the key"),
        ('"é" = "x\nb = 1\n', 1, 7, "the string is not closed"),
        ("a = 1 2\n", 1, 7, "more follows after the value, which must end its line"),
        ("a = 2020-13-45\n", 1, 5, "not a number, date or time as TOML writes them"),
        ("a = [1,\n2\nb = 3\n", 1, 5, "the array is not closed with ]"),
        ("a = [1,\n2,\n[b]\n", 1, 5, "the array is not closed with ]"),
        ("a = [\n1\n2\n]\n", 3, 1, "a comma or the closing ] is missing in the array"),
        ("x = {a = 1\nb = 1\n", 1, 11, "a comma or the closing } is missing in the inline table"),
        ("x = {a = ", 1, 5, "the inline table is not closed with }"),
        ('a = """\nb\nc = 1\n[d]\n', 1, 5, "the string is not closed"),
        ('a = """\nk = v\n""" junk\nb = 1\n', 3, 5, "more follows after the value, which must end its line"),
        ('"\\ud800" = 1\n', 1, 8, "a backslash begins an escape of no character"),
        ("# \x01\n", 1, 3, "a control character, which must be written as an escape"),
        ("b = 1\na = [" + "9" * 5000 + "]\n", 2, 6, "a number has more than 4300 digits"),
        ("a = 1\nb = " + "[" * 60 + "]" * 60, 2, 55, "nested more than 50 deep"),
        ("a = '" + "b." * 60 + "'\n" + "b." * 60 + "c = 1", 2, 1, "nested more than 50 deep"),
        ("[swarm\nb = 1\n", 1, 7, "the table header is not closed with ]"),
        ('a = "\\q"\n', 1, 8, "a backslash begins an escape that does not exist: write \\\\, or use '…'"),
        ("a = 1\na = 2\n", 2, 1, "is set twice, first in line 1"),
        ("[t]\nx = 1\n[t]\n", 3, 2, "is declared twice, first in line 1"),
        ("a = 1\na.b = 2\n", 2, 1, "is declared already, as a value, in line 1"),
        ("a = 1\n[a]\nb = 2\n", 2, 2, "is declared already, as a value, in line 1"),
        ("a.b = 1\na = 2\n", 2, 1, "is declared already, in line 1"),
        ("[a]\nx = 1\n[[a]]\nx = 1\n", 3, 3, "is declared already, in line 1"),
        (
            "a = '\xff'".encode("latin-1").decode("utf-8", "surrogateescape"),
            1,
            6,
            "the bytes from here on are not UTF-8",
        ),
        ("\ufeffa = 1", 1, 1, "the file begins with a byte order mark: save it as plain UTF-8"),
    ],
)
def test_a_mistake_is_said_in_plain_words_where_it_stands(text: str, line: int, column: int, message: str) -> None:
    (fault,) = read_toml(text.encode("utf-8", "surrogateescape")).faults
    assert (fault.position.line, fault.position.column, fault.message) == (line, column, message)


def test_every_mistake_of_a_file_is_found_and_all_that_is_sound_is_kept() -> None:
    text = 'a = \nb = 2\nc = "x\nd = 4\n[e\nf = 6\ng h\n[i]\nj = 07\nk = 11\nk = 12\n'
    file = read_toml(text.encode())
    assert [fault.position.line for fault in file.faults] == [1, 3, 5, 7, 9, 11]
    assert [(entry.path, entry.value) for entry in file.entries] == [
        (("b",), 2),
        (("d",), 4),
        (("e", "f"), 6),
        (("i", "k"), 11),
    ]


def test_no_message_holds_any_of_the_values() -> None:
    for text in ('a = "hunter2', "a = hunter2", "a = 'x' hunter2", "a = {b = hunter2", "a = [hunter2\n", "hunter2"):
        assert all("hunter2" not in fault.message for fault in read_toml(text.encode()).faults)


def test_an_array_with_a_mistake_in_it_gives_no_value_but_all_its_mistakes() -> None:
    file = read_toml(b"a = [\n x,\n 1,\n y z,\n 3]\nb = 1\n")
    assert [fault.position.line for fault in file.faults] == [2, 4]
    assert [entry.path for entry in file.entries] == [("b",)]


def test_what_stands_below_a_header_without_a_name_is_given_to_no_other_table() -> None:
    file = read_toml(b"[a]\nx = 1\n[]\ny = 2\n[b]\nz = 3\n")
    assert [fault.position.line for fault in file.faults] == [3]
    assert [entry.path for entry in file.entries] == [("a", "x"), ("b", "z")]


def test_a_header_with_a_mistake_still_heads_what_follows() -> None:
    file = read_toml(b"[[a]\nx = 1\n[b]]\ny = 1\n")
    assert [fault.position.line for fault in file.faults] == [1, 3]
    assert [entry.path for entry in file.entries] == [("a", 0, "x"), ("b", "y")]


def test_each_table_header_has_its_place_and_an_empty_table_is_an_entry() -> None:
    file = read_toml("[ 'é'.b ]\n[[c]]\nd = {}\n[[c]]\n".encode())
    assert [(path, place.line, place.column) for path, place in file.headers] == [
        (("é", "b"), 1, 3),
        (("c", 0), 2, 3),
        (("c", 1), 4, 3),
    ]
    assert [(entry.path, entry.value) for entry in file.entries] == [
        (("é", "b"), {}),
        (("c", 0, "d"), {}),
        (("c", 1), {}),
    ]


def test_a_sound_file_that_the_grammar_of_the_tree_does_not_know_has_its_values_each_at_its_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ndfd.config.toml_file.parse", lambda text: None)
    file = read_toml(SOUND.encode())
    assert file.faults == ()
    assert repr(rebuilt(file)) == repr(tomllib.loads(SOUND))
    lines = {entry.path: entry.position.line for entry in file.entries}
    assert lines[("swarm", "workers")] == 3
    assert lines[("watch", 0, "path")] == 8
    assert lines[("logging", "level")] == 12
