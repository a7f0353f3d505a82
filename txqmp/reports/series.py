"""
What a plot shows of a journal: marks for replies and events, and how many commands came when.

Of a long journal some marks are kept: evenly spread ones, and the slowest. So memory has a bound,
and a picture a size.
"""

from __future__ import annotations

import heapq
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from txqmp.journal.glance import Glance
from txqmp.journal.reader import Torn
from txqmp.journal.record import Kind
from txqmp.reports.tally import MOST_NAMES, OTHER, UNKNOWN

MOST_MARKS = 10_000
"""So many replies, or events, are all kept; of more, at most so many spread evenly."""

MOST_SLOW = 1000
"""So many of the slowest replies are kept whatever else is."""

MOST_BINS = 300
"""Bins of time that commands are counted in; wider ones are taken before there are more."""

_MICRO = timedelta(microseconds=1)
_WIDTHS = [
    *(unit * step for unit in (1_000, 10_000, 100_000, 1_000_000) for step in (1, 2)),
    *(seconds * 1_000_000 for seconds in (10, 20, 60, 120, 600, 1200, 3600, 7200, 43200, 86400)),
]
"""Microseconds that a bin may be wide: each a multiple of the one before."""


class Mark(NamedTuple):
    """
    A reply, or an event.

    :ivar micros: when it came, in microseconds since the epoch.
    :ivar name: the command's, or the event's.
    :ivar seconds: the latency; 0 of an event.
    """

    micros: int
    name: str
    seconds: float = 0.0


class Marks:
    """
    Some of very many marks.

    :ivar count: how many there were.
    :ivar stride: every so manieth is kept.
    """

    def __init__(self, most: int = MOST_MARKS, slow: int = MOST_SLOW) -> None:
        self.count = 0
        self.stride = 1
        self._most = most
        self._slow = slow
        self._spread: list[tuple[int, Mark]] = []
        self._slowest: list[tuple[float, int, Mark]] = []

    def add(self, mark: Mark) -> None:
        """Take the next one."""
        number, self.count = self.count, self.count + 1
        if not number % self.stride:
            self._spread.append((number, mark))
            if len(self._spread) > self._most:
                self._spread = self._spread[::2]
                self.stride *= 2
        if len(self._slowest) < self._slow:
            heapq.heappush(self._slowest, (mark.seconds, number, mark))
        elif self._slowest and mark.seconds > self._slowest[0][0]:
            heapq.heapreplace(self._slowest, (mark.seconds, number, mark))

    def kept(self) -> list[Mark]:
        """Give those that were kept, in their order."""
        slowest = {number: mark for _, number, mark in self._slowest}
        return [mark for _, mark in sorted({**dict(self._spread), **slowest}.items())]


class Bins:
    """
    How many of something came when.

    :ivar width: microseconds that a bin lasts.
    """

    def __init__(self) -> None:
        self._widths = iter(_WIDTHS)
        self.width = next(self._widths)
        self._counts: Counter[int] = Counter()
        self._least = self._most = 0

    def add(self, micros: int) -> None:
        """
        Count one.

        :param micros: when it came, in microseconds since the epoch.
        """
        place = micros // self.width
        if place not in self._counts:
            self._reach(place)
            place = micros // self.width
        self._counts[place] += 1

    def widen(self, width: int) -> None:
        """Take wider bins, as wide as others are."""
        while self.width < width:
            self._widen()

    def rates(self) -> list[tuple[int, float]]:
        """
        Tell how many came in a second, in each bin from the first to the last.

        :returns: when the bin begins, in microseconds since the epoch, and the rate.
        """
        if not self._counts:
            return []
        return [
            (place * self.width, self._counts[place] * 1e6 / self.width)
            for place in range(self._least, self._most + 1)
        ]

    def _reach(self, place: int) -> None:
        if not self._counts:
            self._least = self._most = place
        self._least, self._most = min(self._least, place), max(self._most, place)
        while self._most - self._least >= MOST_BINS:
            self._widen()

    def _widen(self) -> None:
        wider = next(self._widths, self.width * 2)
        factor, self.width = wider // self.width, wider
        counts: Counter[int] = Counter()
        for place, count in self._counts.items():
            counts[place // factor] += count
        self._counts = counts
        self._least //= factor
        self._most //= factor


class Series:
    """
    Collects what a plot shows.

    :ivar replies: a mark for each whose latency is known.
    :ivar events: a mark for each.
    :ivar commands: when they came.
    :ivar errors: when failures and rejections came.
    :ivar names: how many replies each command had, and how many events of each name there were.
    """

    def __init__(self) -> None:
        self.replies = Marks()
        self.events = Marks(slow=0)
        self.commands = Bins()
        self.errors = Bins()
        self.reply_names: Counter[str] = Counter()
        self.event_names: Counter[str] = Counter()

    def tear(self, torn: Torn) -> None:
        """Pass over a line that is no record."""

    def add(self, one: Glance, chosen: bool = True) -> None:
        """Take a record, if it is chosen."""
        if not chosen:
            return
        kind = one.kind
        if kind is Kind.COMMAND:
            self.commands.add(_micros(one.time))
        elif kind is Kind.EVENT:
            name = one.event or UNKNOWN
            _count(self.event_names, name)
            self.events.add(Mark(_micros(one.time), name))
        elif kind in (Kind.SUCCESS, Kind.FAILURE, Kind.REJECTION):
            if kind is not Kind.SUCCESS:
                self.errors.add(_micros(one.time))
            if one.latency is not None:
                name = one.command or UNKNOWN
                _count(self.reply_names, name)
                self.replies.add(Mark(_micros(one.time), name, one.latency))

    def end(self) -> None:
        """Give the bins one width."""
        width = max(self.commands.width, self.errors.width)
        self.commands.widen(width)
        self.errors.widen(width)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // _MICRO


def _count(names: Counter[str], name: str) -> None:
    names[name if name in names or len(names) < MOST_NAMES else OTHER] += 1
