"""
Which parts of two sequences belong together: a longest common subsequence.

The lengths are found by the bit-parallel algorithm of Crochemore, Iliopoulos, Pinzon and Reid
(2001), whose row is one of Python's integers, and the subsequence from them as Hirschberg (1975)
does: the time is that of ``len(first) * len(second)`` bits, the memory that of some rows. It is a
longest one, which ``difflib`` does not find, nor as soon where few elements come again and again.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import accumulate
from typing import TypeVar

_KEPT = 1024
"""How many rows are kept of those that tell where an element stands."""

Element = TypeVar("Element", bound=Hashable)


def common(first: Sequence[Element], second: Sequence[Element]) -> list[tuple[int, int]]:
    """
    Find a longest common subsequence. It is the same one if they are swapped.

    :param first: of elements that can be compared with each other.
    :returns: the places of its elements in both, rising.
    """
    if list(second) < list(first):
        return [(mine, other) for other, mine in common(second, first)]
    numbers: dict[Element, int] = {}
    ours, theirs = (
        [numbers.setdefault(element, len(numbers)) for element in sequence]
        for sequence in (first, second)
    )
    shared = set(ours).intersection(theirs)
    ours, our_places = _only(ours, shared)
    theirs, their_places = _only(theirs, shared)
    found: list[tuple[int, int]] = []
    _search(ours, theirs, 0, 0, found)
    return [(our_places[mine], their_places[other]) for mine, other in found]


def _only(numbers: list[int], shared: set[int]) -> tuple[list[int], list[int]]:
    places = [place for place, number in enumerate(numbers) if number in shared]
    return [numbers[place] for place in places], places


def _search(
    first: list[int], second: list[int], left: int, right: int, found: list[tuple[int, int]]
) -> None:
    """Append the pairs of two parts, which begin at these places."""
    start = _alike(first, second)
    found += [(left + index, right + index) for index in range(start)]
    first, second, left, right = first[start:], second[start:], left + start, right + start
    end = _alike(first[::-1], second[::-1])
    ends = (len(first) - end, len(second) - end)
    first, second = first[: ends[0]], second[: ends[1]]
    if len(second) == 1:
        if second[0] in first:
            found.append((left + first.index(second[0]), right))
    elif first and second:
        half = len(second) // 2
        before = _lengths(first, second[:half])
        after = _lengths(first[::-1], second[half:][::-1])[::-1]
        sums = [a + b for a, b in zip(before, after, strict=True)]
        cut = sums.index(max(sums))
        _search(first[:cut], second[:half], left, right, found)
        _search(first[cut:], second[half:], left + cut, right + half, found)
    found += [(left + ends[0] + index, right + ends[1] + index) for index in range(end)]


def _alike(first: list[int], second: list[int]) -> int:
    """Count the elements that both begin with."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def _lengths(first: list[int], second: list[int]) -> list[int]:
    """Tell the length for each beginning of the first with the whole of the second."""
    places: dict[int, list[int]] = {}
    for place, number in enumerate(first):
        places.setdefault(number, []).append(place)
    rows: dict[int, int] = {}
    whole = row = (1 << len(first)) - 1
    for number in second:
        if number not in places:
            continue
        if number not in rows:
            if len(rows) == _KEPT:
                rows.clear()
            rows[number] = _bits(places[number], len(first))
        matches = row & rows[number]
        row = ((row + matches) | (row - matches)) & whole
    # A bit that is not set is an element more.
    digits = f"{row:0{len(first)}b}"[::-1] if first else ""
    return list(accumulate((digit == "0" for digit in digits), initial=0))


def _bits(places: list[int], size: int) -> int:
    row = bytearray(size // 8 + 1)
    for place in places:
        row[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(row, "little")
