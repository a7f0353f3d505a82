"""A journal as an SQLite database."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.test_record import records
from tests.reports.sessions import hostile, session
from txqmp.errors import JournalError
from txqmp.journal.record import Kind, Record
from txqmp.reports.database import write_database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "j.sqlite"


def ask(path: Path, question: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(question).fetchall()


def test_every_record_is_a_row(path: Path) -> None:
    said = session("secrets")
    write_database(said, None, path)
    kept = ask(path, "SELECT seq, kind, fields, raw FROM records ORDER BY seq")
    assert [(seq, kind, json.loads(fields), raw) for seq, kind, fields, raw in kept] == [
        (one.seq, one.kind, one.fields, one.raw) for one in said
    ]


def test_commands_can_be_counted(path: Path) -> None:
    write_database(session("text"), None, path)
    question = "SELECT command, count(*), max(outcome) FROM spans GROUP BY 1 ORDER BY 2 DESC, 1"
    assert ask(path, question)[:3] == [
        ("info", 2, "success"),
        ("change", 1, "failure"),
        ("cont", 1, "success"),
    ]


def test_events_are_a_view(path: Path) -> None:
    write_database(session("secrets"), None, path)
    assert ask(path, "SELECT event, data FROM events ORDER BY seq") == [
        ("STOP", None),
        ("SHUTDOWN", '{"guest":false,"reason":"host-qmp-quit"}'),
    ]


def test_types_are_as_declared_for_those_who_are_strict(path: Path) -> None:
    write_database([*session("text"), *hostile()], None, path)
    declared = {"TEXT": {"text"}, "INTEGER": {"integer"}, "REAL": {"real"}, "BLOB": {"blob"}}
    for table in ("records", "spans"):
        for _, name, kind, *_ in ask(path, f"PRAGMA table_info({table})"):
            found = ask(path, f"SELECT DISTINCT typeof({name}) FROM {table}")
            assert {kind for (kind,) in found} - {"null"} <= declared[kind], name


def test_a_filter_keeps_a_command_whole(path: Path) -> None:
    write_database(session("text"), lambda one: one.kind is Kind.FAILURE, path)
    assert ask(path, "SELECT command, arguments FROM spans") == [
        ("set_link", '["foo","down"]'),
        ("change", '["vnc","password"]'),
    ]
    assert ask(path, "SELECT DISTINCT kind FROM records") == [("failure",)]


def test_there_are_indices(path: Path) -> None:
    write_database(session("text"), None, path)
    (plan,) = ask(path, "EXPLAIN QUERY PLAN SELECT * FROM spans WHERE command = 'stop'")
    assert "spans_3" in plan[-1]


def test_more_than_goes_in_at_once(path: Path) -> None:
    write_database((one for _ in range(60) for one in session("text")), None, path)
    assert ask(path, "SELECT count(*) FROM records") == [(60 * 26,)]
    assert ask(path, "SELECT count(*) FROM spans") == [(60 * 8,)]


def test_a_disk_that_is_full_is_told_of(path: Path) -> None:
    path.mkdir()
    with pytest.raises(JournalError, match="the database cannot be written: unable to open"):
        write_database([], None, path)


def test_what_reading_raises_is_raised(path: Path) -> None:
    def broken() -> Iterator[Record]:
        yield from session("text")
        raise JournalError("it is gone")

    with pytest.raises(JournalError, match="it is gone"):
        write_database(broken(), None, path)


@given(said=st.lists(records, max_size=4))
def test_whatever_was_recorded_can_be_written(said: list[Record]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_database(said, None, Path(folder) / "j.db")
