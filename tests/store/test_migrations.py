"""The schema goes forwards and back, with what it holds."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from ndfd.errors import StoreError
from ndfd.store.migrations import migrate, migrations, statements, version
from ndfd.store.queries import QUERIES, parse
from ndfd.store.rows import JobRow

SOURCES = Path(__file__).parents[2] / "src" / "ndfd" / "store"


def schema(connection: sqlite3.Connection) -> dict[str, str]:
    """The SQL of each table and index; columns that were added later are compared by `columns`."""
    return dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall())


def parameters(statement: str) -> int:
    """How many values it binds, numbered or not."""
    return max(map(int, re.findall(r"\?(\d)", statement)), default=statement.count("?"))


@pytest.fixture
def connection() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def insert(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO jobs (id, uid, state, version, attempts, interruptions, accepted_at, rank, priority, format,"
        " fingerprint, answers, document, size_bytes)"
        " VALUES ('a', 1, 'queued', 1, 0, 0, 1.5, 1.5, 0, 'markdown', x'00', 1, zeroblob(32), 5)"
    )
    connection.execute("INSERT INTO blobs VALUES (zeroblob(32), 5, 1)")
    connection.execute("INSERT INTO history VALUES (1, 1, 1.5, 'accepted', 'queued', 0, NULL)")


def test_steps_count_from_one_and_each_has_a_way_back() -> None:
    assert [step.number for step in migrations()] == list(range(1, len(migrations()) + 1))
    assert all(list(statements(step.up)) and list(statements(step.down)) for step in migrations())


def test_each_step_back_undoes_its_step_and_keeps_the_data(connection: sqlite3.Connection) -> None:
    seen = [schema(connection)]
    for number in range(1, len(migrations()) + 1):
        assert migrate(connection, number) == number - 1
        seen.append(schema(connection))
        if number == 1:
            insert(connection)
    for number in range(len(migrations()) - 1, 0, -1):
        migrate(connection, number)
        assert version(connection) == number
        assert schema(connection) == seen[number]
        assert connection.execute("SELECT id, size_bytes FROM jobs").fetchall() == [("a", 5)]
    migrate(connection)
    assert schema(connection) == seen[-1]
    row = JobRow._make(connection.execute("SELECT * FROM jobs").fetchone())
    assert (row.id, row.deliveries_due, row.deliveries_failed) == ("a", 0, 0)
    assert connection.execute("SELECT event FROM history").fetchall() == [("accepted",)]
    migrate(connection, 0)
    assert schema(connection) == {}


def test_a_step_that_fails_leaves_everything_as_it_was(connection: sqlite3.Connection) -> None:
    migrate(connection, 1)
    insert(connection)
    connection.execute("CREATE TABLE taken_files (in_the_way)")
    before = schema(connection)
    with pytest.raises(sqlite3.OperationalError, match="taken_files"):
        migrate(connection)
    assert version(connection) == 1
    assert schema(connection) == before


def test_a_step_that_is_not_known_is_refused(connection: sqlite3.Connection) -> None:
    with pytest.raises(StoreError, match="cannot be taken to version 99"):
        migrate(connection, 99)
    connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="has version 99"):
        migrate(connection, 1)


def test_rows_have_the_columns_of_the_table_in_its_order(connection: sqlite3.Connection) -> None:
    migrate(connection)
    assert tuple(row[1] for row in connection.execute("PRAGMA table_info(jobs)")) == JobRow._fields


def test_every_query_is_one_that_the_schema_takes_and_somebody_asks(connection: sqlite3.Connection) -> None:
    migrate(connection)
    source = "".join(path.read_text() for path in SOURCES.glob("*.py"))
    for name, statement in QUERIES.items():
        connection.execute(f"EXPLAIN {statement}", (None,) * parameters(statement))
        assert f'"{name}"' in source or f"'{name}'" in source, f"nobody uses the query {name}"


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("ready", "jobs_ready"),
        ("due", "jobs_postponed"),
        ("next_line_ready", "jobs_ready"),
        ("next_line_postponed", "jobs_postponed"),
        ("next_due", "jobs_postponed"),
        ("running", "jobs_running"),
        ("oldest_finished", "jobs_finished"),
        ("job_of_work", "jobs_by_work"),
        ("deliveries_due", "deliveries_due"),
        ("jobs_of_prefix", "sqlite_autoindex_jobs_1"),
    ],
)
def test_what_is_asked_often_is_answered_from_an_index_without_sorting(
    connection: sqlite3.Connection, query: str, index: str
) -> None:
    migrate(connection)
    statement = QUERIES[query]
    values = (1,) * parameters(statement)
    plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))
    assert index in plan
    assert "TEMP B-TREE" not in plan


def test_a_file_of_queries_is_read_by_name() -> None:
    named = parse("-- About it.\n\n-- name: a\n-- Why.\nSELECT 1;\n\n-- name: b\nSELECT\n    2;\n")
    assert named == {"a": "SELECT 1", "b": "SELECT\n    2"}
    with pytest.raises(ValueError, match="two queries are called a"):
        parse("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;\n")
    with pytest.raises(ValueError, match="before the first"):
        parse("SELECT 0;\n-- name: a\nSELECT 1;\n")
