"""Marks and bins: bounded, and what they leave out is no accident."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reports.glimpses import command, glimpse, reply
from txqmp.journal.record import Kind
from txqmp.reports import series as module
from txqmp.reports.series import MOST_BINS, MOST_MARKS, MOST_SLOW, Bins, Mark, Marks, Series
from txqmp.reports.tally import MOST_NAMES, OTHER, UNKNOWN

SECOND = 1_000_000
BEGIN = 1795341600 * SECOND  # when the glimpses begin


def marked(marks: Marks, *latencies: float) -> Marks:
    for number, latency in enumerate(latencies):
        marks.add(Mark(number, "x", latency))
    return marks


def test_as_many_as_there_may_be_are_all_kept() -> None:
    marks = marked(Marks(), *[1.0] * MOST_MARKS)
    assert [mark.micros for mark in marks.kept()] == list(range(MOST_MARKS))
    assert (marks.count, marks.stride) == (MOST_MARKS, 1)


def test_of_one_more_every_second_is() -> None:
    marks = marked(Marks(most=10, slow=0), *[1.0] * 11)
    assert [mark.micros for mark in marks.kept()] == [0, 2, 4, 6, 8, 10]
    assert (marks.count, marks.stride) == (11, 2)


@given(count=st.integers(0, 500), most=st.integers(1, 20), slow=st.integers(0, 5))
def test_they_are_spread_evenly_and_the_slowest_are_among_them(
    count: int, most: int, slow: int
) -> None:
    latencies = [n * 7919 % 1009 / 1000 for n in range(count)]
    marks = marked(Marks(most, slow), *latencies)
    kept = marks.kept()
    assert len(kept) <= most + slow
    places = [mark.micros for mark in kept]
    assert places == sorted(set(places))
    slowest = sorted(range(count), key=lambda n: -latencies[n])[:slow]
    assert set(places) == {*range(0, count, marks.stride), *slowest}


def test_a_million_take_no_more_room_than_their_bound() -> None:
    marks = marked(Marks(), *(n % 1000 / 1e3 for n in range(200_000)))
    assert MOST_MARKS / 2 < len(marks.kept()) <= MOST_MARKS + MOST_SLOW


def test_bins_tell_how_many_came_in_a_second() -> None:
    bins = Bins()
    for micros in (0, 500, 999, 1000, 3999):
        bins.add(micros)
    assert bins.width == 1000
    assert bins.rates() == [(0, 3000.0), (1000, 1000.0), (2000, 0.0), (3000, 1000.0)]


def test_they_get_wider_before_there_are_too_many() -> None:
    bins = Bins()
    bins.add(0)
    bins.add(MOST_BINS * 1000 - 1)
    assert bins.width == 1000
    bins.add(MOST_BINS * 1000)
    assert bins.width == 2000


@given(st.lists(st.integers(-(10**16), 10**17), min_size=1, max_size=40))
def test_no_bin_loses_what_is_in_it(times: list[int]) -> None:
    bins = Bins()
    for micros in times:
        bins.add(micros)
    rates = bins.rates()
    assert len(rates) <= MOST_BINS
    assert sum(rate for _, rate in rates) * bins.width / SECOND == pytest.approx(len(times))
    assert rates[0][0] <= min(times)
    assert max(times) < rates[-1][0] + bins.width
    for begin, rate in rates:
        there = sum(begin <= micros < begin + bins.width for micros in times)
        assert rate == pytest.approx(there * SECOND / bins.width)


def test_each_width_is_a_multiple_of_the_one_before() -> None:
    widths = module._WIDTHS
    assert all(wide % narrow == 0 for narrow, wide in pairwise(widths))
    assert all(narrow < wide for narrow, wide in pairwise(widths))


def test_of_nothing_there_are_no_rates() -> None:
    assert Bins().rates() == []


def test_a_session_as_series() -> None:
    series = Series()
    for one in (
        command(1, "stop", 0.5),
        reply(1, "stop", 1, 0.5),
        glimpse(Kind.EVENT, 3, 2, event="STOP"),
        glimpse(Kind.EVENT, 3, 2, event=None),
        command(4, "cont", 700),
        reply(4, "cont", 701, 0.25, Kind.FAILURE),
        reply(9, "", 702, 0.125, Kind.REJECTION),
        reply(9, "lost", 702, None),
        glimpse(Kind.CLOSED, 10, 703),
    ):
        series.add(one)
    series.add(command(11, "other", 9e9), chosen=False)
    series.end()
    assert series.replies.kept() == [
        Mark(BEGIN + SECOND, "stop", 0.5),
        Mark(BEGIN + 701 * SECOND, "cont", 0.25),
        Mark(BEGIN + 702 * SECOND, UNKNOWN, 0.125),
    ]
    assert series.events.kept() == [
        Mark(BEGIN + 2 * SECOND, "STOP"),
        Mark(BEGIN + 2 * SECOND, UNKNOWN),
    ]
    assert series.reply_names == {"stop": 1, "cont": 1, UNKNOWN: 1}
    assert series.event_names == {"STOP": 1, UNKNOWN: 1}
    # Commands came within ten minutes and more, errors in two seconds: one width for both.
    assert series.commands.width == series.errors.width == 10 * SECOND
    assert [rate for _, rate in series.commands.rates() if rate] == [0.1, 0.1]
    assert [rate for _, rate in series.errors.rates() if rate] == [0.2]


def test_commands_in_a_short_time_and_errors_in_a_long_one_have_one_width() -> None:
    series = Series()
    series.add(command(1))
    for at in (0, 3000):
        series.add(reply(1, "stop", at, kind=Kind.FAILURE))
    series.end()
    assert series.commands.width == series.errors.width == 20 * SECOND


def test_its_names_have_a_bound() -> None:
    series = Series()
    for n in range(MOST_NAMES + 5):
        series.add(glimpse(Kind.EVENT, event=f"E{n}"))
    assert len(series.event_names) == MOST_NAMES + 1
    assert series.event_names[OTHER] == 5


def test_other_kinds_are_nothing_to_it() -> None:
    series = Series()
    series.add(glimpse(Kind.FAULT, fault="drop"))
    series.end()
    assert series.replies.count == series.events.count == 0
