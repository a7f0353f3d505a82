"""A session as it is compared: what was asked, what was answered, what happened meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from txqmp.journal.reader import Torn
from txqmp.journal.record import Kind, Record
from txqmp.reports.spans import Place, Span, Spans, place
from txqmp.reports.volatile import Ignored

_encoder = json.JSONEncoder(separators=(",", ":"), sort_keys=True)
_ASKED = ("arguments", "oob", "descriptors")
_ANSWERED = ("return", "completed", "reason", "class")


class Outcome(StrEnum):
    """How a command ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    REJECTION = "rejection"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Exchange:
    """
    A command and its answer, without what is not compared.

    :ivar monitor: its name.
    :ivar connection: its number.
    :ivar seq: that of the record it begins with.
    :ivar command: its name; empty where it is not known.
    :ivar asked: JSON: an object with ``arguments``, and whatever else came with the command.
    :ivar answer: JSON: an object with ``return``, ``reason`` and so on, and ``output``, the lines.
    """

    monitor: str
    connection: int
    seq: int
    command: str
    asked: str
    outcome: Outcome
    answer: str

    @property
    def question(self) -> tuple[str, str]:
        """What was asked."""
        return self.command, self.asked

    @property
    def whole(self) -> tuple[str, str, str, str]:
        """What was asked, and what was answered."""
        return self.command, self.asked, str(self.outcome), self.answer


Happening = tuple[str, str]
"""The name of an event, and JSON: an object with ``data``."""


@dataclass(slots=True)
class Session:
    """
    What is compared of a journal.

    :ivar exchanges: one connection after the other, each in the order of its commands.
    :ivar connections: how many had something to compare.
    :ivar events: in their order.
    :ivar greetings: JSON, each once.
    :ivar torn: the lines that are no records.
    :ivar gaps: how many times the journal says that it lacks records.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    connections: int = 0
    events: list[Happening] = field(default_factory=list)
    greetings: list[str] = field(default_factory=list)
    torn: list[Torn] = field(default_factory=list)
    gaps: int = 0


class SessionReader:
    """
    Makes a session of a journal.

    :param ignored: is not compared.
    :param chosen: tells whether a record is of interest: a command is, with its answer, if one of
        its records is.
    :param monitor: the name of the only one to compare.
    :param connection: the number of the only one to compare.
    """

    def __init__(
        self,
        ignored: Ignored,
        *,
        chosen: Callable[[Record], bool] | None = None,
        monitor: str | None = None,
        connection: int | None = None,
    ) -> None:
        self._ignored = ignored
        self._chosen = chosen
        self._monitor = monitor
        self._connection = connection
        self._texts: dict[str, str] = {}

    def read(self, entries: Iterable[Record | Torn]) -> Session:
        """Read a journal to its end."""
        session = Session()
        # The order of commands is that of a clock: their numbers begin again with a connection.
        found: dict[Place, list[tuple[float, int, Exchange]]] = {}
        for item in self._items(entries, session):
            if isinstance(item, Span):
                exchange = self._exchange(item)
                if exchange is not None:
                    first = item.first
                    asked = (first.mono, first.seq, exchange)
                    found.setdefault(place(first), []).append(asked)
                for event in item.events:
                    self._event(event, session)
            elif item.kind is Kind.EVENT:
                self._event(item, session)
            elif item.kind is Kind.GREETING:
                self._greeting(item, session)
        for exchanges in found.values():
            exchanges.sort(key=lambda one: one[:2])
            session.exchanges += [exchange for *_, exchange in exchanges]
        session.connections = len(found)
        return session

    def _items(self, entries: Iterable[Record | Torn], session: Session) -> Iterator[Span | Record]:
        spans = Spans()
        for entry in entries:
            if isinstance(entry, Torn):
                session.torn.append(entry)
            elif entry.kind is Kind.GAP:
                session.gaps += 1
            elif self._monitor in (None, entry.monitor) and self._connection in (
                None,
                entry.connection,
            ):
                yield from spans.feed(entry)
        yield from spans.end()

    def _wanted(self, *records: Record) -> bool:
        return self._chosen is None or any(map(self._chosen, records))

    def _exchange(self, span: Span) -> Exchange | None:
        name = span.name
        if self._ignored.covers(name) or not self._wanted(*span.records()):
            return None
        asked: dict[str, Any] = {}
        answer: dict[str, Any] = {}
        for record in (span.command, span.reply):
            if record is None:
                continue
            into, keys = (asked, _ASKED) if record is span.command else (answer, _ANSWERED)
            for key in keys:
                # No arguments are as good as none.
                if key in record.fields and not (key == "arguments" and not record.fields[key]):
                    into[key] = record.fields[key]
            if "id" in record.fields:
                into["message-id"] = record.fields["id"]
        if span.outputs:
            answer["output"] = "".join(f"{line.fields.get('text', '')}\n" for line in span.outputs)
        first = span.first
        return Exchange(
            monitor=first.monitor,
            connection=first.connection,
            seq=first.seq,
            command=self._kept(name),
            asked=self._compared(name, asked, span.command),
            outcome=Outcome.UNANSWERED if span.reply is None else Outcome(span.reply.kind),
            answer=self._compared(name, answer, span.reply),
        )

    def _greeting(self, record: Record, session: Session) -> None:
        if self._ignored.covers("greeting") or not self._wanted(record):
            return
        greeting = self._compared("greeting", record.fields, record)
        if greeting not in session.greetings:
            session.greetings.append(greeting)

    def _event(self, record: Record, session: Session) -> None:
        name = str(record.fields.get("event", ""))
        if self._ignored.covers(name) or not self._wanted(record):
            return
        told: dict[str, Any] = {
            key: record.fields[key] for key in ("data", "timestamp") if key in record.fields
        }
        session.events.append((self._kept(name), self._compared(name, told, record)))

    def _compared(self, name: str, value: dict[str, Any], record: Record | None) -> str:
        try:
            return self._text(self._ignored.without(name, value))
        except RecursionError:
            raw = b"" if record is None or record.raw is None else record.raw
            return self._text({"message": raw.decode("latin-1")})

    def _text(self, value: Any) -> str:
        return self._kept(_encoder.encode(value))

    def _kept(self, text: str) -> str:
        """Keep what is said again and again once."""
        return self._texts.setdefault(text, text)
