"""A longest common subsequence."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txqmp.reports.alignment import common

SEQUENCES = st.lists(st.sampled_from("abcd"), max_size=20)


def longest(first: Sequence[str], second: Sequence[str]) -> int:
    """The length, by the table of the textbooks."""
    row = [0] * (len(second) + 1)
    for one in first:
        before = row
        row = [0]
        for place, other in enumerate(second):
            longer = before[place] + 1 if one == other else max(before[place + 1], row[-1])
            row.append(longer)
    return row[-1]


@given(SEQUENCES, SEQUENCES)
def test_it_is_common_and_the_longest(first: list[str], second: list[str]) -> None:
    pairs = common(first, second)
    assert [first[one] for one, _ in pairs] == [second[other] for _, other in pairs]
    for one, next_one in pairwise(pairs):
        assert one[0] < next_one[0]
        assert one[1] < next_one[1]
    assert len(pairs) == longest(first, second)


@given(SEQUENCES, SEQUENCES)
def test_it_is_the_same_one_the_other_way_round(first: list[str], second: list[str]) -> None:
    assert common(second, first) == [(other, one) for one, other in common(first, second)]


@pytest.mark.parametrize(
    ("first", "second", "pairs"),
    [
        ("", "", []),
        ("a", "", []),
        ("abc", "abc", [(0, 0), (1, 1), (2, 2)]),
        ("abc", "xyz", []),
        ("axbc", "abyc", [(0, 0), (2, 1), (3, 3)]),
    ],
)
def test_examples(first: str, second: str, pairs: list[tuple[int, int]]) -> None:
    assert common(first, second) == pairs


@pytest.mark.parametrize("many", [1, 100, 100_000])
def test_a_long_one_is_found_soon(many: int) -> None:
    # With the table above it would never end.
    chance = random.Random(7)
    first, second = ([str(chance.randrange(many)) for _ in range(20_000)] for _ in "ab")
    pairs = common(first, second)
    assert [first[one] for one, _ in pairs] == [second[other] for _, other in pairs]
    assert len(pairs) > {1: 19_999, 100: 2_000, 100_000: 50}[many]
