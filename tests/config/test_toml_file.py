"""TOML with places: equal to tomllib for what is sound, and every mistake for what is not."""

from __future__ import annotations

import copy
import datetime
import json
import math
import random
import tomllib
from pathlib import Path
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
        st.floats(allow_nan=False),
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
                self._noise()
                indent = self._random.choice(["", "  ", "\t"])
                space = self._random.choice(["", " "])
                comment = self._random.choice(["", "  # é = [1"])
                self.lines.append(f"{indent}{self._key(key)}{space}={space}{self._value(each)}{comment}")
        for key, each in tables.items():
            path = f"{prefix}.{self._key(key)}" if prefix else self._key(key)
            for element in each if isinstance(each, list) else [each]:
                self._noise()
                self.lines.append(f"[[{path}]]" if isinstance(each, list) else f"[ {path} ]")
                self._table(element, path)

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
            return hex(value) if value >= 0 and self._coin() else str(value)
        if isinstance(value, float):
            return {math.inf: "inf", -math.inf: "-inf"}.get(value, repr(value))
        if isinstance(value, str):
            return f"'{value}'" if "'" not in value and value.isprintable() and self._coin() else _string(value)
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
    assert rebuilt(file) == tomllib.loads(text)
    lines = text.replace("\r\n", "\n").split("\n")
    for entry in file.entries:
        if entry.value != {}:
            rest = "\n".join(lines[entry.position.line - 1 :])[entry.position.column - 1 :]
            assert begins_with(rest, entry), (rest, entry)
        key = lines[entry.key.line - 1][entry.key.column - 1 :]
        assert key.startswith(('"', "'")) or key[0].isalnum() or key[0] in "_-"


def begins_with(rest: str, entry: Entry) -> bool:
    """Whether the text begins with a value that TOML reads as the entry's."""
    for length in range(1, len(rest) + 1):
        try:
            if tomllib.loads(f"v = {rest[:length]}")["v"] == entry.value:
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
        assert file.faults == () or data.startswith(b"\xef\xbb\xbf")
    lines = data.decode("utf-8", "replace").split("\n")
    for fault in file.faults:
        assert 1 <= fault.position.line <= len(lines)
        assert fault.position.column >= 1


@pytest.mark.parametrize(
    "data",
    [
        b"[" * MAX_BYTES,
        b"a = " + b"[" * 60_000,
        b"a." * 30_000,
        b"a = {b = " * 7_000,
        b"]\n" * 30_000,
        b"x" * (MAX_BYTES + 1),
    ],
    ids=["brackets", "arrays", "keys", "tables", "lines", "size"],
)
@pytest.mark.timeout(60)
def test_a_file_made_to_exhaust_its_reader_does_not(data: bytes) -> None:
    faults = read_toml(data).faults
    assert 1 <= len(faults) <= MAX_FAULTS


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a = 1\nlevel = debug\n", 2, 9, "not a value: text goes in quotes"),
        ("a = \n", 1, 1, "there is no value after ="),
        ("a 1\n", 1, 3, "expected = after the key"),
        ('"é" = "x\nb = 1\n', 1, 5, "the string is not closed"),
        ("a = 1 2\n", 1, 7, "more follows after the value, which must end its line"),
        ("a = 2020-13-45\n", 1, 9, "not a number, date or time as TOML writes them"),
        ("a = [1,\n2\nb = 3\n", 1, 3, "the array is not closed with ]"),
        ("x = {a = 1\nb = 1\n", 1, 1, "the inline table is not closed with }"),
        ("[swarm\nb = 1\n", 1, 1, "the table header is not closed with ]"),
        ('a = "\\q"\n', 1, 8, "a backslash begins an escape that does not exist: write \\\\, or use '…'"),
        ("a = 1\na = 2\n", 2, 1, "is set twice, first in line 1"),
        ("[t]\nx = 1\n[t]\n", 3, 2, "the table [t] is declared twice, first in line 1"),
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


def test_every_mistake_of_a_file_is_found_and_all_that_is_sound_is_kept(tmp_path: Path) -> None:
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
