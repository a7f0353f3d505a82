"""Times as a person writes them, each of which is a while: ``12:00`` is a minute."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_NEVER = 10_000 * 366 * _DAY
_OF_DAY = re.compile(
    r"([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(\.[0-9]{1,6})?)?Z?", re.ASCII
)
_DATED = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:T[0-9]{2}:[0-9]{2}(?P<second>:[0-9]{2}(?P<fraction>\.[0-9]{1,6})?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?",
    re.ASCII,
)
_HOW = "write 12:00, 12:00:30.5, 2026-11-22 or 2026-11-22T12:00"

TimeTest = Callable[[float], bool]
_While = tuple[int, int, bool]
"""From when, until before when, and whether they are times of day; in microseconds, exactly."""


def time_test(text: str) -> TimeTest:
    """
    Read a time, or two of them with ``..`` between, for the start and the end.

    The end is no part of it. Times of day go past midnight where the end is the earlier one.

    :returns: whether a time, in seconds since the epoch, is within.
    :raises ValueError: it is neither: why.
    """
    first, dots, last = text.partition("..")
    if not dots:
        since, until, daily = _while(text)
    elif not (first or last):
        raise ValueError("there is neither a start nor an end")
    else:
        since, until, daily = _range(first, last)
    if not daily:
        return lambda time: since <= round(time * _SECOND) < until
    if since <= until:
        return lambda time: since <= round(time * _SECOND) % _DAY < until
    return lambda time: not until <= round(time * _SECOND) % _DAY < since


def _range(first: str, last: str) -> _While:
    start = _while(first) if first else None
    end = _while(last) if last else None
    if start is None:
        assert end is not None
        return (0, end[0], end[2])
    if end is None:
        return (start[0], _DAY if start[2] else _NEVER, start[2])
    if start[2] is not end[2]:
        raise ValueError("of start and end, one has a date and the other has none")
    if not start[2] and end[0] < start[0]:
        raise ValueError("the end is before the start")
    return (start[0], end[0], start[2])


def _while(text: str) -> _While:
    found = _OF_DAY.fullmatch(text)
    if found:
        hours, minutes, seconds, fraction = found.groups()
        since = (int(hours) * 3600 + int(minutes) * 60 + int(seconds or 0)) * _SECOND
        since += int((fraction or ".")[1:].ljust(6, "0"))
        return since, since + _length(seconds, fraction), True
    dated = _DATED.fullmatch(text)
    if dated is None:
        raise ValueError(f"this is no time: {_HOW}")
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"this is no time: {error}") from None
    since = ((when if when.tzinfo else when.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    day = "T" not in text
    return since, since + (_DAY if day else _length(dated["second"], dated["fraction"])), False


def _length(seconds: str | None, fraction: str | None) -> int:
    if fraction:
        return int(10 ** (7 - len(fraction)))
    return _SECOND if seconds else 60 * _SECOND
