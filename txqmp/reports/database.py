"""A journal as an SQLite database, for SQL, DuckDB and datasette."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from os import PathLike

from txqmp.errors import JournalError
from txqmp.journal.record import Record
from txqmp.reports.rows import RECORD, SPAN, Chosen, Column, chosen_spans, record_row, span_row
from txqmp.reports.spans import Span

_BATCH = 1000
_INDICES = {
    "records": [
        "run, monitor, connection, seq",
        "time",
        "kind, event",
        "command",
    ],
    "spans": ["run, monitor, connection, seq", "time", "command, outcome", "latency"],
}
_EVENTS = """
CREATE VIEW events AS
SELECT time, run, monitor, connection, seq, event, json_extract(fields, '$.data') AS data
FROM records
WHERE kind = 'event'
"""


def write_database(
    records: Iterable[Record], chosen: Chosen | None, path: str | PathLike[str]
) -> None:
    """
    Write the tables ``records`` and ``spans``, and the view ``events``.

    :param path: of an empty file, or of none.
    :raises JournalError: it cannot be written.
    """
    try:
        _write(records, chosen, path)
    except sqlite3.Error as error:
        raise JournalError(f"the database cannot be written: {error}") from error


def _write(records: Iterable[Record], chosen: Chosen | None, path: str | PathLike[str]) -> None:
    # It becomes a journal's export when it is whole: until then nobody minds if it is lost.
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        _make(database, "records", RECORD)
        _make(database, "spans", SPAN)
        database.execute("BEGIN")
        kept = _keeping(database, records, chosen)
        spans = (part for part in chosen_spans(kept, chosen) if isinstance(part, Span))
        while batch := list(islice(spans, _BATCH)):
            _insert(database, "spans", SPAN, map(span_row, batch))
        for table, indices in _INDICES.items():
            for number, columns in enumerate(indices, 1):
                database.execute(f"CREATE INDEX {table}_{number} ON {table} ({columns})")
        database.execute(_EVENTS)
        database.execute("COMMIT")


def _keeping(
    database: sqlite3.Connection, records: Iterable[Record], chosen: Chosen | None
) -> Iterator[Record]:
    """Write the records that go by."""
    stream = iter(records)
    while batch := list(islice(stream, _BATCH)):
        wanted = batch if chosen is None else filter(chosen, batch)
        _insert(database, "records", RECORD, map(record_row, wanted))
        yield from batch


def _make(database: sqlite3.Connection, table: str, columns: list[Column]) -> None:
    described = ", ".join(f"{column.name} {column.type}" for column in columns)
    database.execute(f"CREATE TABLE {table} ({described})")


def _insert(
    database: sqlite3.Connection,
    table: str,
    columns: list[Column],
    rows: Iterable[tuple[object, ...]],
) -> None:
    places = ", ".join("?" * len(columns))
    database.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
