"""What became of a JSON value."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import Any, NamedTuple

from deepdiff import DeepDiff

from txqmp.reports.alignment import common

_IDENTITIES = ("id", "name", "device", "node-name", "label", "cpu-index", "qom-path", "qdev")
"""Members by which QEMU's lists tell their objects apart."""

_NUMBER = re.compile(r"([0-9]+)")
_encoder = json.JSONEncoder(separators=(",", ":"), sort_keys=True)


class How(StrEnum):
    """What happened to a part of a value."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """
    A part of a value that is not what it was.

    :ivar path: to the part; an element of a list is ``[2]``, ``[2->3]`` if its place is another,
        or ``[name=a]`` where they have names.
    :ivar before: JSON; None if it was added.
    :ivar after: JSON; None if it was removed.
    :ivar lines: of a text of several lines, those that were removed (``-``) and added (``+``).
    """

    path: str
    before: str | None
    after: str | None
    lines: tuple[str, ...] = ()

    @property
    def how(self) -> How:
        """What happened."""
        if self.before is None:
            return How.ADDED
        return How.REMOVED if self.after is None else How.CHANGED


def changes(before: str, after: str) -> tuple[Change, ...]:
    """
    Tell what became of a value.

    :param before: JSON, its keys sorted.
    :param after: the same.
    """
    if before == after:
        return ()
    try:
        old, new = _matched(json.loads(before), json.loads(after))
        found = DeepDiff(
            old,
            new,
            view="tree",
            threshold_to_diff_deeper=0,  # two objects are compared, however little they share
        )
        told = [_change(level) for levels in found.values() for level in levels]
    except RecursionError:
        return (Change("", before, after),)
    return tuple(sorted(told, key=_rank))


def changed_lines(before: str, after: str) -> tuple[str, ...]:
    """Tell which lines of a text were removed (``-``) and added (``+``)."""
    old, new = before.splitlines(), after.splitlines()
    told: list[str] = []
    for olds, news in gaps(common(old, new), len(old), len(new)):
        told += [f"-{old[index]}" for index in olds]
        told += [f"+{new[index]}" for index in news]
    return tuple(told)


def gaps(
    pairs: Sequence[tuple[int, int]], first: int, second: int
) -> Iterator[tuple[range, range]]:
    """
    Give what is left between pairs, before and after them.

    :param first: the length of the first sequence.
    :param second: the length of the second.
    :returns: the places in both, for each pair that follows, and for the end.
    """
    left = right = 0
    for one, other in [*pairs, (first, second)]:
        yield range(left, one), range(right, other)
        left, right = one + 1, other + 1


class _Name(NamedTuple):
    """The key of an element that has a name."""

    identity: str
    value: str

    def __str__(self) -> str:
        return f"[{self.identity}={self.value}]"


class _Place(NamedTuple):
    """The key of an element that has none: its places in both lists."""

    old: int | None
    new: int | None

    def __str__(self) -> str:
        places = [str(place) for place in dict.fromkeys(self) if place is not None]
        return f"[{'->'.join(places)}]"


def _matched(old: Any, new: Any) -> tuple[Any, Any]:
    """Copy two values so that elements of lists that belong together have the same key."""
    if isinstance(old, list) and isinstance(new, list):
        olds, news = _named(old, new) or _placed(old, new)
        old, new = dict(zip(olds, old, strict=True)), dict(zip(news, new, strict=True))
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = {key: _matched(old[key], new[key]) for key in old if key in new}
        return (
            {key: pairs[key][0] if key in pairs else old[key] for key in old},
            {key: pairs[key][1] if key in pairs else new[key] for key in new},
        )
    return old, new


def _named(old: list[Any], new: list[Any]) -> tuple[Sequence[Hashable], Sequence[Hashable]] | None:
    """Give the elements of two lists their names, if they have them and are in the same order."""
    for identity in _IDENTITIES:
        olds, news = _names(old, identity), _names(new, identity)
        if olds is None or news is None:
            continue
        if [name for name in olds if name in news] == [name for name in news if name in olds]:
            return list(olds), list(news)
    return None


def _names(elements: list[Any], identity: str) -> dict[_Name, None] | None:
    names: dict[_Name, None] = {}
    for element in elements:
        value = element.get(identity) if isinstance(element, dict) else None
        if value == "" or not isinstance(value, (str, int)):
            return None
        names[_Name(identity, str(value))] = None
    return names if len(names) == len(elements) else None


def _placed(old: list[Any], new: list[Any]) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    olds: list[_Place] = []
    news: list[_Place] = []
    texts = [[_encoder.encode(element) for element in elements] for elements in (old, new)]
    pairs = common(*texts)
    ends = [[pair] for pair in pairs] + [[]]
    for (left, right), end in zip(gaps(pairs, len(old), len(new)), ends, strict=True):
        for one, other in [*zip_longest(left, right), *end]:
            if one is not None:
                olds.append(_Place(one, other))
            if other is not None:
                news.append(_Place(one, other))
    return olds, news


def _change(level: Any) -> Change:
    added = level.report_type == "dictionary_item_added"
    removed = level.report_type == "dictionary_item_removed"
    texts = ("" if added else level.t1, "" if removed else level.t2)
    lines: tuple[str, ...] = ()
    if all(isinstance(text, str) for text in texts) and any("\n" in text for text in texts):
        lines = changed_lines(*texts)
    return Change(
        path=_path(level.path(output_format="list")),
        before=None if added else _encoder.encode(level.t1),
        after=None if removed else _encoder.encode(level.t2),
        lines=lines,
    )


def _rank(change: Change) -> list[tuple[int, str]]:
    """Sort by path, numbers as numbers."""
    parts = _NUMBER.split(change.path)
    return [(len(part) if index % 2 else 0, part) for index, part in enumerate(parts)]


def _path(parts: Sequence[Any]) -> str:
    joined = "".join(f".{part}" if isinstance(part, str) else str(part) for part in parts)
    return joined.removeprefix(".")
