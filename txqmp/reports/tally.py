"""Records counted as they come, in memory that does not grow with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from txqmp.journal.glance import Glance
from txqmp.journal.reader import Torn
from txqmp.journal.record import Direction, Kind
from txqmp.reports.latencies import Latencies
from txqmp.reports.queue import Queue

MOST_NAMES = 10_000
"""Rows of a table of names that peers chose; what comes after them is counted as :data:`OTHER`."""

MOST_PLACES = 100_000
"""Rows of the tables of connections and of hours, likewise."""

MOST_TORN = 10
"""Torn lines that are told one by one."""

OTHER = "(other)"
UNKNOWN = "(unknown)"
"""The command of a reply that names none."""

Place = tuple[str, str, int]
"""The run, the monitor and the number of a connection."""

OTHERS: Place = ("", OTHER, 0)
_Key = TypeVar("_Key")

_AN_HOUR = timedelta(hours=1)
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 22, tzinfo=UTC)


@dataclass(slots=True)
class Command:
    """
    What is counted of the commands of one name.

    :ivar errors: replies that said it failed; rejections are not among them.
    :ivar unanswered: commands whose connection, or the journal, ended without a reply.
    :ivar waiting: the part of each latency in which the monitor was busy with others.
    :ivar executing: the rest of it.
    """

    count: int = 0
    replies: int = 0
    errors: int = 0
    rejections: int = 0
    unanswered: int = 0
    latency: Latencies = field(default_factory=Latencies)
    waiting: Latencies = field(default_factory=Latencies)
    executing: Latencies = field(default_factory=Latencies)


@dataclass(slots=True)
class Traffic:
    """
    What is counted of an hour, or of a connection.

    :ivar errors: failures and rejections.
    """

    records: int = 0
    commands: int = 0
    errors: int = 0
    events: int = 0
    bytes_to_monitor: int = 0
    bytes_to_client: int = 0


@dataclass(slots=True)
class Connection(Traffic):
    """
    What is counted of a connection.

    :ivar peer: JSON: who the client was; empty if that is not known.
    :ivar since: the time of the first record.
    :ivar first: when that was, in seconds of the monotonic clock.
    :ivar last: when the last one was.
    :ivar unanswered: commands without a reply.
    """

    peer: bytes = b""
    since: datetime = _NEVER
    first: float = 0.0
    last: float = 0.0
    unanswered: int = 0


@dataclass(slots=True)
class _Live:
    """A connection that goes on; its row is in the table once something of it was counted."""

    queue: Queue
    row: Connection


class Tally:
    """
    Counts records.

    All records of a journal are to be given, in its order, for what a command waited for shows
    only in those before it; those that are not chosen are not counted.

    :ivar kinds: records of each kind.
    :ivar first: the earliest time; later than :attr:`last` where nothing was counted.
    :ivar lost: records that gaps say are missing.
    :ivar torn: the first lines that were no records.
    """

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.commands: dict[str, Command] = {}
        self.events: dict[str, int] = {}
        self.errors: dict[tuple[str, str, str], int] = {}
        self.faults: dict[str, int] = {}
        self.verdicts: dict[tuple[str, str], int] = {}
        self.connections: dict[Place, Connection] = {}
        self.hours: dict[datetime | None, Traffic] = {}
        self.lost = 0
        self.torn: list[Torn] = []
        self.torn_count = 0
        self.first, self.last = _LAST, _NEVER
        self._live: dict[Place, _Live] = {}
        self._hour = Traffic()
        self._hour_begins = self._hour_ends = _NEVER
        self._by_kind: dict[str, Callable[[Glance], None]] = {
            Kind.EVENT: self._event,
            Kind.GAP: self._gap,
            Kind.FAULT: self._fault,
            Kind.VERDICT: self._verdict,
        }

    def tear(self, torn: Torn) -> None:
        """Count a line that is no record."""
        self.torn_count += 1
        if len(self.torn) < MOST_TORN:
            self.torn.append(torn)

    def add(self, one: Glance, chosen: bool = True) -> None:
        """
        Count a record.

        :param chosen: False if it is only to be known of.
        """
        place = (one.run, one.monitor, one.connection)
        live = self._live.get(place) or self._meet(place)
        if chosen:
            self._count(place, live, one)
        kind = one.kind
        if kind is Kind.COMMAND:
            self._command(one, live, chosen)
        elif kind is Kind.SUCCESS or kind is Kind.FAILURE or kind is Kind.REJECTION:
            self._reply(one, live, chosen)
        elif kind is Kind.CLOSED:
            self._part(self._live.pop(place))
        elif chosen and kind in self._by_kind:
            self._by_kind[kind](one)

    def end(self) -> None:
        """Count what has no reply at the end of the journal."""
        while self._live:
            self._part(self._live.popitem()[1])

    def _count(self, place: Place, live: _Live, one: Glance) -> None:
        row = live.row
        if not row.records:
            row = live.row = self._list(place, row, one)
        time = one.time
        if not self._hour_begins <= time < self._hour_ends:
            self._begin_hour(time)
        if time < self.first:
            self.first = time
        if time > self.last:
            self.last = time
        hour = self._hour
        hour.records += 1
        row.records += 1
        row.last = one.mono
        self.kinds[one.kind] += 1
        if one.direction is Direction.TO_MONITOR:
            size = len(one.raw)
            hour.bytes_to_monitor += size
            row.bytes_to_monitor += size
        elif one.direction is not None:
            size = len(one.raw)
            hour.bytes_to_client += size
            row.bytes_to_client += size
        if one.kind is Kind.EVENT:
            hour.events += 1
            row.events += 1

    def _command(self, one: Glance, live: _Live, chosen: bool) -> None:
        name = None
        if chosen:
            name, command = self._named(one.command)
            command.count += 1
            self._hour.commands += 1
            live.row.commands += 1
        for given_up in live.queue.asked(one.seq, name, one.oob):
            self._give_up(given_up, live.row)

    def _reply(self, one: Glance, live: _Live, chosen: bool) -> None:
        latency = one.latency
        waiting = live.queue.answered(one.reply_to, one.mono, latency)
        if not chosen:
            return
        _, command = self._named(one.command)
        command.replies += 1
        if latency is not None:
            command.latency.add(latency)
            command.waiting.add(waiting)
            command.executing.add(latency - waiting)
        if one.kind is not Kind.SUCCESS:
            if one.kind is Kind.FAILURE:
                command.errors += 1
            else:
                command.rejections += 1
            self._hour.errors += 1
            live.row.errors += 1
            error = (one.kind.value, one.reason_class or "", one.reason or "")
            _bump(self.errors, error, (OTHER, "", ""))

    def _event(self, one: Glance) -> None:
        _bump(self.events, one.event or UNKNOWN, OTHER)

    def _gap(self, one: Glance) -> None:
        self.lost += one.lost or 0

    def _fault(self, one: Glance) -> None:
        _bump(self.faults, one.fault or UNKNOWN, OTHER)

    def _verdict(self, one: Glance) -> None:
        _bump(self.verdicts, (one.verdict or UNKNOWN, one.rule or UNKNOWN), (OTHER, ""))

    def _named(self, name: str | None) -> tuple[str, Command]:
        name = name or UNKNOWN
        found = self.commands.get(name)
        if found is None:
            if len(self.commands) >= MOST_NAMES:
                name = OTHER
            found = self.commands.setdefault(name, Command())
        return name, found

    def _meet(self, place: Place) -> _Live:
        if len(self._live) >= MOST_PLACES:
            self._part(self._live.pop(next(iter(self._live))))
        self._live[place] = _Live(Queue(), self.connections.get(place) or Connection())
        return self._live[place]

    def _list(self, place: Place, row: Connection, one: Glance) -> Connection:
        """Give a connection its row in the table, when the first of its records is counted."""
        if not place[2]:
            return row  # of a gap that the journal itself made
        if len(self.connections) >= MOST_PLACES:
            place, row = OTHERS, self.connections.get(OTHERS, row)
        if place not in self.connections:
            self.connections[place] = row
            row.peer, row.since, row.first = bytes(one.peer), one.time, one.mono
        return row

    def _part(self, live: _Live) -> None:
        for name in live.queue.end():
            self._give_up(name, live.row)

    def _give_up(self, name: str | None, row: Connection) -> None:
        if name is not None:
            self.commands[name].unanswered += 1
            row.unanswered += 1

    def _begin_hour(self, time: datetime) -> None:
        begins = _utc(time).replace(minute=0, second=0, microsecond=0)
        self._hour_begins, self._hour_ends = begins, begins + _AN_HOUR
        found = self.hours.get(begins)
        if found is None:
            key = begins if len(self.hours) < MOST_PLACES else None
            found = self.hours.setdefault(key, Traffic())
        self._hour = found


def _bump(table: dict[_Key, int], key: _Key, other: _Key) -> None:
    if key not in table and len(table) >= MOST_NAMES:
        key = other
    table[key] = table.get(key, 0) + 1


def _utc(time: datetime) -> datetime:
    try:
        # One hour from the last there is, the end of an hour could not be told.
        return min(time.astimezone(UTC), _LAST)
    except OverflowError:
        return _NEVER
