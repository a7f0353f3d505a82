"""Commands with what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from txqmp.journal.record import Kind, Record

REPLIES = frozenset([Kind.SUCCESS, Kind.FAILURE, Kind.REJECTION])

Place = tuple[str, str, int]
"""The run, the monitor and the number of a connection."""


def place(record: Record) -> Place:
    """Tell which connection a record belongs to."""
    return record.run, record.monitor, record.connection


@dataclass(slots=True)
class Span:
    """
    A command, and what came until its reply.

    :ivar command: None where the journal has only the reply.
    :ivar reply: None where the journal has none.
    :ivar outputs: the lines of data, of the text dialect.
    :ivar events: those that came while this was the oldest command that waited.
    """

    command: Record | None
    reply: Record | None = None
    outputs: list[Record] = field(default_factory=list)
    events: list[Record] = field(default_factory=list)

    @property
    def first(self) -> Record:
        """The record that the span begins with."""
        return self.records()[0]

    @property
    def name(self) -> str:
        """The command's; empty where it is not known."""
        for record in (self.command, self.reply):
            if record is not None and isinstance(record.fields.get("command"), str):
                return str(record.fields["command"])
        return ""

    @property
    def latency(self) -> float | None:
        """Seconds from the command to its reply, as far as they are known."""
        found = self.reply.fields.get("latency") if self.reply is not None else None
        try:
            return float(found) if isinstance(found, (int, float)) else None
        except OverflowError:
            return None

    def records(self) -> list[Record]:
        """All of it, in the order of the journal; never empty."""
        ends = [record for record in (self.command, self.reply) if record is not None]
        return sorted([*ends, *self.outputs, *self.events], key=lambda record: record.seq)


class Spans:
    """
    Finds the commands of a journal with their replies, as the records come.

    A span is given when it is whole: with its reply, when its connection closes, or at the end.
    Any other record, an event among them where no command waits, is given as it comes.
    """

    def __init__(self) -> None:
        self._waiting: dict[Place, dict[int, Span]] = {}

    def feed(self, record: Record) -> Iterator[Span | Record]:
        """Take the next record."""
        where = place(record)
        match record.kind:
            case Kind.COMMAND:
                self._waiting.setdefault(where, {})[record.seq] = Span(record)
            case Kind.OUTPUT:
                span = self._waiting.get(where, {}).get(record.fields.get("reply_to", 0))
                if span is None:
                    yield record
                else:
                    span.outputs.append(record)
            case Kind.SUCCESS | Kind.FAILURE | Kind.REJECTION:
                waiting = self._waiting.get(where, {})
                span = waiting.pop(record.fields.get("reply_to", 0), None) or Span(None)
                span.reply = record
                yield span
            case Kind.EVENT:
                waiting = self._waiting.get(where, {})
                if waiting:
                    next(iter(waiting.values())).events.append(record)
                else:
                    yield record
            case Kind.OPENED | Kind.CLOSED:
                # A number is a connection's for as long as it lives.
                yield from self._waiting.pop(where, {}).values()
                yield record
            case _:
                yield record

    def end(self) -> Iterator[Span]:
        """Give the spans that wait for their replies still."""
        waiting, self._waiting = self._waiting, {}
        for spans in waiting.values():
            yield from spans.values()
