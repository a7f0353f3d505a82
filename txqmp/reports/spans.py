"""Commands with what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from txqmp.journal.record import Kind, Record

REPLIES = frozenset([Kind.SUCCESS, Kind.FAILURE, Kind.REJECTION])

_MOST = 10_000
"""Commands of a connection that may wait, and events that may wait with one of them."""

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
    :ivar verdicts: what a policy made of it; one at most.
    """

    command: Record | None
    reply: Record | None = None
    outputs: list[Record] = field(default_factory=list)
    events: list[Record] = field(default_factory=list)
    verdicts: list[Record] = field(default_factory=list)

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
        between = (*self.verdicts, *self.outputs, *self.events)
        return sorted([*ends, *between], key=lambda record: record.seq)


class Spans:
    """
    Finds the commands of a journal with their replies, as the records come.

    A span is given when it is whole: with its reply, when its connection closes, or at the end.
    A monitor answers in order, but for what is sent out of band: when it answers a later command
    first, the reply to the earlier one is missing in the journal, and its span is given as it is.
    So is one with which a great many events wait, or behind which a great many commands.

    Any other record, an event among them where no command waits, is given as it comes.
    """

    def __init__(self) -> None:
        self._waiting: dict[Place, dict[int, Span]] = {}

    def feed(self, record: Record) -> Iterator[Span | Record]:
        """Take the next record."""
        where = place(record)
        match record.kind:
            case Kind.COMMAND:
                waiting = self._waiting.setdefault(where, {})
                if len(waiting) >= _MOST:
                    yield waiting.pop(next(iter(waiting)))
                waiting[record.seq] = Span(record)
            case Kind.OUTPUT:
                span = self._waiting.get(where, {}).get(_answered(record))
                if span is None:
                    yield record
                else:
                    span.outputs.append(record)
            case Kind.SUCCESS | Kind.FAILURE | Kind.REJECTION:
                waiting = self._waiting.get(where, {})
                span = waiting.pop(_answered(record), None) or Span(None)
                span.reply = record
                yield from _overtaken(waiting, span)
                yield span
            case Kind.EVENT:
                waiting = self._waiting.get(where, {})
                oldest = next(iter(waiting), None)
                if oldest is None:
                    yield record
                else:
                    waiting[oldest].events.append(record)
                    if len(waiting[oldest].events) >= _MOST:
                        yield waiting.pop(oldest)
            case Kind.VERDICT:
                span = _judged(self._waiting.get(where, {}), record)
                if span is None:
                    yield record
                else:
                    span.verdicts.append(record)
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


def _answered(record: Record) -> int:
    number = record.fields.get("reply_to")
    return number if isinstance(number, int) else 0


def _judged(waiting: dict[int, Span], verdict: Record) -> Span | None:
    """The command that a verdict is about; where clients share a monitor it has but the link."""
    if "link" not in verdict.fields:
        return waiting.get(_answered(verdict))
    for span in waiting.values():
        if span.command is not None and span.command.fields.get("link") == verdict.fields["link"]:
            return span
    return None


def _overtaken(waiting: dict[int, Span], span: Span) -> Iterator[Span]:
    """Take those out that should have been answered before."""
    if span.command is None or _is_out_of_band(span):
        return
    late = [
        seq
        for seq, other in waiting.items()
        if seq < span.command.seq and not _is_out_of_band(other)
    ]
    yield from (waiting.pop(seq) for seq in late)


def _is_out_of_band(span: Span) -> bool:
    return span.command is not None and span.command.fields.get("oob") is True
