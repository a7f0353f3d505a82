"""Times in a filter: whiles with a start and an end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from txqmp.reports.moments import time_test


def within(text: str, moment: str) -> bool:
    """Whether a time is in a while; it is of 22 November 2026 unless it has a date."""
    whole = moment if "T" in moment else f"2026-11-22T{moment}"
    return time_test(text)(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("12:00", "12:00:00", "12:00:59.999999"),
        ("12:00Z", "12:00:00", "12:00:59.999999"),
        ("12:00:30", "12:00:30", "12:00:30.999999"),
        ("12:00:30.1", "12:00:30.100000", "12:00:30.199999"),
        ("12:00:30.123456", "12:00:30.123456", "12:00:30.123456"),
        ("12:00..12:05", "12:00:00", "12:04:59.999999"),
        ("12:00..", "12:00:00", "23:59:59.999999"),
        ("..12:05", "00:00:00", "12:04:59.999999"),
        ("23:50..00:10", "23:50:00", "2026-11-23T00:09:59.999999"),
        ("2026-11-22", "00:00:00", "23:59:59.999999"),
        ("2026-11-22T12:00", "12:00:00", "12:00:59.999999"),
        ("2026-11-22T12:00:30.1Z", "12:00:30.100000", "12:00:30.199999"),
        ("2026-11-22T12:00+02:00", "10:00:00", "10:00:59.999999"),
        ("2026-11-22..2026-11-23", "00:00:00", "23:59:59.999999"),
        ("2026-11-22T12:00..2026-11-23T01:00", "12:00:00", "2026-11-23T00:59:59.999999"),
    ],
)
def test_it_begins_and_ends_to_the_microsecond(text: str, first: str, last: str) -> None:
    assert within(text, first)
    assert within(text, last)
    before = -1e-6
    for moment, step in ((first, before), (last, 1e-6)):
        whole = moment if "T" in moment else f"2026-11-22T{moment}"
        time = datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
        assert not time_test(text)(time + step), moment


def test_a_time_of_day_is_of_every_day() -> None:
    assert within("12:00", "1999-01-01T12:00:10")


def test_it_may_have_no_end_or_no_start() -> None:
    assert within("2026-11-22..", "9998-01-01T00:00:00")
    assert not within("2026-11-22..", "2026-11-21T23:59:59.999999")
    assert within("..2026-11-22", "1970-01-01T00:00:00")
    assert not within("..2026-11-22", "00:00:00")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *((text, "this is no time") for text in ("", "noon", "1:00", "24:00", "12:60", "12:00:60")),
        *((text, "this is no time") for text in ("12:00:00.", "12:00:00.1234567", "2026", "٠٢:00")),
        *((text, "this is no time") for text in ("2026-13-01", "2026-11-22T", "2026-11-22T25:00")),
        *((text, "this is no time") for text in ("2026-11-22 12:00", "20261122", "12:00...12:05")),
        *((text, "this is no time") for text in ("12:00..13:00..14:00", "2026-11-22T12:00+99:00")),
        ("..", "neither a start nor an end"),
        ("12:00..2026-11-22", "one has a date and the other has none"),
        ("2026-11-23..2026-11-22", "the end is before the start"),
    ],
)
def test_what_is_no_time(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        time_test(text)
