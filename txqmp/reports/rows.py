"""Records and spans as the rows of tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

from txqmp.journal.record import Record, iso_time
from txqmp.reports.spans import Span, Spans

Chosen = Callable[[Record], bool]
"""Whether somebody wants to see a record."""

Type = Literal["TEXT", "INTEGER", "REAL", "BLOB"]


class Column(NamedTuple):
    """A column of a table; the types are those of SQLite."""

    name: str
    type: Type
    json: bool = False


RECORD = [
    Column("time", "TEXT"),
    Column("mono", "REAL"),
    Column("run", "TEXT"),
    Column("monitor", "TEXT"),
    Column("connection", "INTEGER"),
    Column("seq", "INTEGER"),
    Column("direction", "TEXT"),
    Column("dialect", "TEXT"),
    Column("kind", "TEXT"),
    Column("command", "TEXT"),
    Column("event", "TEXT"),
    Column("reply_to", "INTEGER"),
    Column("latency", "REAL"),
    Column("error", "TEXT"),
    Column("fields", "TEXT", json=True),
    Column("peer", "TEXT", json=True),
    Column("raw", "BLOB"),
]
SPAN = [
    Column("time", "TEXT"),
    Column("run", "TEXT"),
    Column("monitor", "TEXT"),
    Column("connection", "INTEGER"),
    Column("seq", "INTEGER"),
    Column("dialect", "TEXT"),
    Column("command", "TEXT"),
    Column("arguments", "TEXT", json=True),
    Column("outcome", "TEXT"),
    Column("latency", "REAL"),
    Column("answer", "TEXT", json=True),
    Column("error", "TEXT"),
    Column("class", "TEXT"),
    Column("events", "TEXT", json=True),
    Column("link", "INTEGER"),
]
UNANSWERED = "unanswered"
"""The outcome of a command whose reply the journal does not have."""

_LARGEST = (1 << 63) - 1
_encoder = json.JSONEncoder(separators=(",", ":"))


def record_row(record: Record) -> tuple[Any, ...]:
    """Make a record's row; its bytes are the last."""
    get = record.fields.get
    return (
        stamp(record.time),
        record.mono,
        _text(record.run),
        _text(record.monitor),
        _integer(record.connection),
        _integer(record.seq),
        record.direction,
        record.dialect,
        record.kind,
        _text(get("command")),
        _text(get("event")),
        _integer(get("reply_to")),
        _real(get("latency")),
        _text(get("reason", get("problem"))),
        as_json(record.fields),
        None if record.peer is None else as_json(record.peer),
        record.raw,
    )


def span_row(span: Span) -> tuple[Any, ...]:
    """Make the row of a command and what became of it."""
    first, reply, command = span.first, span.reply, span.command
    answer: Any = None
    if span.outputs:
        answer = [output.fields.get("text") for output in span.outputs]
    elif reply is not None and "return" in reply.fields:
        answer = reply.fields["return"]
    told = {} if reply is None else reply.fields
    asked = {} if command is None else command.fields
    return (
        stamp(first.time),
        _text(first.run),
        _text(first.monitor),
        _integer(first.connection),
        _integer(first.seq),
        first.dialect,
        _text(span.name),
        as_json(asked["arguments"]) if "arguments" in asked else None,
        UNANSWERED if reply is None else reply.kind.value,
        _real(span.latency),
        None if answer is None else as_json(answer),
        _text(told.get("reason")),
        _text(told.get("class")),
        as_json([event.fields.get("event") for event in span.events]),
        _integer(first.fields.get("link")),
    )


def chosen_spans(records: Iterable[Record], chosen: Chosen | None) -> Iterator[Span | Record]:
    """
    Pair commands with their replies.

    :param chosen: only the spans of which it wants a record, and of other records those it wants.
    """
    spans = Spans()
    for record in records:
        yield from (part for part in spans.feed(record) if _wanted(part, chosen))
    yield from (part for part in spans.end() if _wanted(part, chosen))


def _wanted(part: Span | Record, chosen: Chosen | None) -> bool:
    if chosen is None:
        return True
    return any(map(chosen, part.records() if isinstance(part, Span) else [part]))


def stamp(time: float) -> str:
    """Write a time; nothing, where no journal was yet written."""
    try:
        return iso_time(time)
    except ValueError:
        return ""


def as_json(value: Any) -> str:
    """Write JSON, in ASCII."""
    return _encoder.encode(value)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else as_json(value)
    # Halves of surrogate pairs, which JSON may have and UTF-8 may not.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and abs(value) <= _LARGEST else None


def _real(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, (int, float)) else None
    except OverflowError:
        return None
