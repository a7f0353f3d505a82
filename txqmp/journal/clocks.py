"""Ways to show when something was."""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from time import gmtime, localtime, struct_time

Clock = Callable[[float], str]
"""Shows a time, which is in seconds since the epoch."""


def utc(time: float) -> str:
    """Show the time of day in UTC, to the millisecond."""
    return _of_day(time, gmtime)


def local(time: float) -> str:
    """Show the time of day where the reader is, to the millisecond."""
    return _of_day(time, localtime)


def _of_day(time: float, zone: Callable[[float], struct_time]) -> str:
    milliseconds = floor(time * 1000 + 1e-6)
    at = zone(milliseconds // 1000)
    return f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}.{milliseconds % 1000:03d}"


class Relative:
    """Shows how many seconds after the first time, to the microsecond."""

    def __init__(self) -> None:
        self._first: float | None = None

    def __call__(self, time: float) -> str:
        """Show a time; the first one is the start."""
        if self._first is None:
            self._first = time
        return f"{time - self._first:+12.6f}"
