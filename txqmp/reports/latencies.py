"""How long things took: the least, the most, and percentiles, in little memory."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable

from hdrh.histogram import HdrHistogram

EXACT = 10_000
"""So many times are kept one by one: percentiles of them are exact, to the microsecond."""

DIGITS = 3
"""The digits of a time that a histogram of more than those tells apart."""

PRECISION = 10.0**-DIGITS
"""By which part a percentile out of a histogram may be too great; it is never too small."""

LONGEST = 2.0**40 / 1e6
"""Seconds, some twelve days: what took longer counts as that long, in a percentile."""

_MICRO = 1_000_000


class Latencies:
    """
    Some times, of which there may be very many.

    :ivar count: how many there are.
    :ivar total: seconds in all.
    :ivar least: seconds; 0 where there are none.
    :ivar most: seconds; 0 where there are none.
    """

    __slots__ = ("_fresh", "_histogram", "_known", "count", "least", "most", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = self.least = self.most = 0.0
        self._fresh = array("d")
        self._known = array("d")
        self._histogram: HdrHistogram | None = None

    def add(self, seconds: float) -> None:
        """Take one time. What is less than nothing, or no number, is nothing."""
        self._fresh.append(seconds)
        if len(self._fresh) >= EXACT:
            self.settle()

    def merge(self, other: Latencies) -> None:
        """Take all the times of another."""
        self.settle()
        other.settle()
        if not other.count:
            return
        self._note(other.count, other.total, other.least, other.most)
        if other._histogram is not None:
            self._make_histogram().add(other._histogram)
        else:
            self._keep(other._known)

    def percentile(self, percent: float) -> float:
        """
        Tell the time that so many of them do not exceed: that of rank ``percent * count / 100``,
        rounded, from 1.

        :param percent: from 0 to 100.
        :returns: seconds; 0 where there are none.
        """
        self.settle()
        if not self.count:
            return 0.0
        if self._histogram is None:
            rank = max(1, math.floor(percent * self.count / 100 + 0.5))
            return sorted(self._known)[rank - 1]
        found: float = self._histogram.get_value_at_percentile(percent) / _MICRO
        return min(max(found, self.least), self.most)

    @property
    def mean(self) -> float:
        """Seconds; 0 where there are none."""
        return self.total / self.count if self.count else 0.0

    def settle(self) -> None:
        """Sort in what came since; the attributes are right from then on."""
        fresh, self._fresh = self._fresh, array("d")
        if not fresh:
            return
        if not all(map(math.isfinite, fresh)) or min(fresh) < 0:
            fresh = array("d", (max(0.0, t) if math.isfinite(t) else 0.0 for t in fresh))
        self._note(len(fresh), math.fsum(fresh), min(fresh), max(fresh))
        self._keep(fresh)

    def _note(self, count: int, total: float, least: float, most: float) -> None:
        self.least = min(self.least, least) if self.count else least
        self.most = max(self.most, most)
        self.count += count
        self.total += total

    def _keep(self, times: array[float]) -> None:
        if self._histogram is None and self.count <= EXACT:
            self._known.extend(times)
        else:
            _sort_in(self._make_histogram(), times)

    def _make_histogram(self) -> HdrHistogram:
        if self._histogram is None:
            self._histogram = HdrHistogram(1, round(LONGEST * _MICRO), DIGITS)
            _sort_in(self._histogram, self._known)
            self._known = array("d")
        return self._histogram


def _sort_in(histogram: HdrHistogram, times: Iterable[float]) -> None:
    # Taken together: most times of a busy monitor are like many others.
    together = Counter([round(min(time, LONGEST) * _MICRO) for time in times])
    for micros, count in together.items():
        histogram.record_value(micros, count)
