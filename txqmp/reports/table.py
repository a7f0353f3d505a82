"""A journal as CSV, for spreadsheets and programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any, BinaryIO

from txqmp.journal.record import Record
from txqmp.reports.rows import (
    RECORD,
    SPAN,
    Chosen,
    Column,
    as_json,
    chosen_spans,
    record_row,
    span_row,
)
from txqmp.reports.spans import Span

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_spans(records: Iterable[Record], chosen: Chosen | None, out: BinaryIO) -> None:
    """Write a row for each command, with what became of it."""
    rows = (span_row(part) for part in chosen_spans(records, chosen) if isinstance(part, Span))
    _write(SPAN, rows, out)


def write_records(records: Iterable[Record], chosen: Chosen | None, out: BinaryIO) -> None:
    """Write a row for each record."""
    rows = (record_row(record) for record in records if chosen is None or chosen(record))
    _write(RECORD, rows, out)


def _write(columns: list[Column], rows: Iterable[tuple[Any, ...]], out: BinaryIO) -> None:
    text = io.TextIOWrapper(out, "utf-8", newline="")
    try:
        writer = csv.writer(text)
        writer.writerow([column.name for column in columns])
        writer.writerows(map(_cell, columns, row) for row in rows)
        text.flush()
    finally:
        text.detach()


def _cell(column: Column, value: Any) -> Any:
    if isinstance(value, bytes):
        return as_json(value.decode("latin-1"))
    if isinstance(value, str) and not column.json and value.startswith(_FORMULA):
        # Peers wrote it, and a spreadsheet would run it.
        return f"'{value}"
    return value
