"""Percentiles: exact for some times, close for many."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txqmp.reports import latencies
from txqmp.reports.latencies import EXACT, LONGEST, PRECISION, Latencies

MICRO = 1e-6
TIMES = st.lists(st.integers(0, 10**10).map(lambda micros: micros / 1e6), min_size=1, max_size=300)
PERCENT = st.sampled_from([0, 1, 25, 50, 90, 99, 99.9, 100])


def taken(times: list[float]) -> Latencies:
    made = Latencies()
    for time in times:
        made.add(time)
    made.settle()
    return made


def ranked(times: list[float], percent: float) -> float:
    return sorted(times)[max(1, math.floor(percent * len(times) / 100 + 0.5)) - 1]


@given(times=TIMES, percent=PERCENT)
def test_few_times_are_told_exactly(times: list[float], percent: float) -> None:
    assert taken(times).percentile(percent) == ranked(times, percent)


@given(times=TIMES, percent=PERCENT)
def test_many_are_told_to_the_precision(times: list[float], percent: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latencies, "EXACT", 1)
        found = taken([*times, *times])
        told = found.percentile(percent)
    true = ranked([*times, *times], percent)
    assert true - MICRO <= told <= true * (1 + PRECISION) + MICRO
    assert found.least <= told <= found.most


def test_a_great_many_are_told_to_the_precision() -> None:
    times = [(n * 7919 % 100_003) / 1e4 for n in range(3 * EXACT)]
    found = taken(times)
    for percent in (50, 90, 99):
        true = ranked(times, percent)
        assert true <= found.percentile(percent) <= true * (1 + PRECISION)
    assert (found.least, found.most, found.count) == (min(times), max(times), len(times))
    assert PRECISION == 0.001


@given(one=TIMES, other=TIMES, exact=st.sampled_from([1, 100, EXACT]), percent=PERCENT)
def test_two_merged_are_as_all_together(
    one: list[float], other: list[float], exact: int, percent: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latencies, "EXACT", exact)
        merged, whole = taken(one), taken([*one, *other])
        merged.merge(taken(other))
        told, expected = merged.percentile(percent), whole.percentile(percent)
    assert told == pytest.approx(expected, rel=2 * PRECISION, abs=2 * MICRO)
    assert (merged.count, merged.least, merged.most) == (whole.count, whole.least, whole.most)
    assert merged.total == pytest.approx(math.fsum([*one, *other]))


def test_what_was_just_added_is_merged_too() -> None:
    one, other = Latencies(), Latencies()
    one.add(1.0)
    other.add(3.0)
    one.merge(other)
    assert (one.count, one.least, one.most, one.percentile(100)) == (2, 1.0, 3.0, 3.0)


def test_of_none_there_is_nothing_to_tell() -> None:
    none = Latencies()
    none.merge(Latencies())
    assert (none.count, none.percentile(50), none.mean, none.least, none.most) == (0, 0, 0, 0, 0)


def test_the_mean() -> None:
    assert taken([1.0, 2.0, 6.0]).mean == 3.0


@pytest.mark.parametrize("strange", [-1.0, math.inf, -math.inf, math.nan])
def test_what_is_no_length_of_time_is_none(strange: float) -> None:
    found = taken([strange, 2.0])
    assert (found.least, found.most, found.total, found.count) == (0.0, 2.0, 2.0, 2)


def test_what_took_longer_than_can_be_told_is_counted_all_the_same() -> None:
    found = taken([*[1.0] * EXACT, *[LONGEST * 5] * EXACT])
    assert (found.count, found.most) == (2 * EXACT, LONGEST * 5)
    assert found.percentile(25) == pytest.approx(1.0, rel=PRECISION)
    assert found.percentile(75) == pytest.approx(LONGEST, rel=2 * PRECISION)
