"""What is said in one session and not in another, or otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from txqmp.reports.alignment import common
from txqmp.reports.changes import Change, changes, gaps
from txqmp.reports.session import Exchange, Outcome, Session

_FAILED = frozenset([Outcome.FAILURE, Outcome.REJECTION])

Pair = tuple[Exchange | None, Exchange | None]


class Sort(StrEnum):
    """What is different about a command."""

    LESS = "less"
    MORE = "more"
    ASKED = "asked-otherwise"
    ANSWERED = "answered-otherwise"
    FAILS = "fails"
    SUCCEEDS = "succeeds"


@dataclass(frozen=True, slots=True)
class Difference:
    """
    A command that is not in both sessions as it is.

    :ivar before: in the first session; None if it is missing there.
    :ivar after: in the second session; None if it is missing there.
    :ivar asked: what became of the arguments.
    :ivar answered: what became of the answer.
    :ivar count: how many times the same is different.
    """

    sort: Sort
    before: Exchange | None
    after: Exchange | None
    asked: tuple[Change, ...] = ()
    answered: tuple[Change, ...] = ()
    count: int = 1

    @property
    def one(self) -> Exchange:
        """The command, in the first session that has it."""
        one = self.before or self.after
        assert one is not None
        return one

    def key(self) -> tuple[Any, ...]:
        """What is the same for differences that are told as one."""
        ends = [one and (one.question, one.outcome) for one in (self.before, self.after)]
        answer = self.one.answer if self.one.outcome in _FAILED else ""
        return self.sort, *ends, self.asked, self.answered, answer


@dataclass(frozen=True, slots=True)
class Recurrence:
    """
    Something that is not said as often.

    :ivar name: of the event; ``greeting``, for what a monitor says of itself.
    :ivar told: JSON: what came with it.
    :ivar before: how many times the first session has it.
    :ivar after: how many times the second has it.
    """

    name: str
    told: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    What is different between two sessions.

    :ivar commands: in their order.
    :ivar greetings: that only one of them has.
    :ivar events: that one of them has more of.
    :ivar reordered: the events are the same, but came in another order. It is no difference.
    """

    commands: list[Difference]
    greetings: list[Recurrence]
    events: list[Recurrence]
    reordered: bool

    @property
    def same(self) -> bool:
        """Whether there is none."""
        return not (self.commands or self.greetings or self.events)


def compare(first: Session, second: Session) -> Comparison:
    """Compare two sessions."""
    told: dict[Any, Difference] = {}
    look = lru_cache(maxsize=4096)(changes)
    for pair in aligned(first.exchanges, second.exchanges):
        difference = _difference(*pair, look)
        if difference is not None:
            key = difference.key()
            known = told.get(key)
            told[key] = replace(known, count=known.count + 1) if known else difference
    events = list(_recurrences(first.events, second.events))
    return Comparison(
        commands=list(told.values()),
        greetings=list(
            _recurrences(
                [("greeting", greeting) for greeting in first.greetings],
                [("greeting", greeting) for greeting in second.greetings],
            )
        ),
        events=events,
        reordered=not events and first.events != second.events,
    )


def aligned(first: Sequence[Exchange], second: Sequence[Exchange]) -> Iterator[Pair]:
    """
    Pair the commands of two sessions, in their order.

    Those with the same arguments come together, as many as possible, and of these rather those
    with the same answer; what is left between them comes together by the name of the command.
    """
    same = _same(first, second)
    for (olds, news), pair in zip(gaps(same, len(first), len(second)), [*same, None], strict=True):
        named = common([first[i].command for i in olds], [second[i].command for i in news])
        like = [(olds[one], news[other]) for one, other in named]
        for (less, more), other in zip(_between(like, olds, news), [*like, None], strict=True):
            yield from ((first[index], None) for index in less)
            yield from ((None, second[index]) for index in more)
            if other is not None:
                yield first[other[0]], second[other[1]]
        if pair is not None:
            yield first[pair[0]], second[pair[1]]


def _same(first: Sequence[Exchange], second: Sequence[Exchange]) -> list[tuple[int, int]]:
    # Each command is two elements, the question and the question with its answer: what has both
    # in common is worth twice as much.
    doubled = [
        [part for one in exchanges for part in (one.question, one.whole)]
        for exchanges in (first, second)
    ]
    found = common(*doubled)
    whole = [(one // 2, other // 2) for one, other in found if one % 2]
    olds, news = {one for one, _ in whole}, {other for _, other in whole}
    asked = [(one // 2, other // 2) for one, other in found if not one % 2]
    rest = [(one, other) for one, other in asked if one not in olds and other not in news]
    return sorted([*whole, *rest])


def _between(
    pairs: Sequence[tuple[int, int]], olds: range, news: range
) -> Iterator[tuple[range, range]]:
    moved = [(one - olds.start, other - news.start) for one, other in pairs]
    for left, right in gaps(moved, len(olds), len(news)):
        yield olds[left.start : left.stop], news[right.start : right.stop]


def _difference(
    before: Exchange | None,
    after: Exchange | None,
    look: Callable[[str, str], tuple[Change, ...]],
) -> Difference | None:
    if before is None or after is None:
        return Difference(Sort.MORE if before is None else Sort.LESS, before, after)
    if before.whole == after.whole:
        return None
    sort = Sort.ANSWERED
    if before.asked != after.asked:
        sort = Sort.ASKED
    elif before.outcome is Outcome.SUCCESS and after.outcome in _FAILED:
        sort = Sort.FAILS
    elif before.outcome in _FAILED and after.outcome is Outcome.SUCCESS:
        sort = Sort.SUCCEEDS
    asked, answered = look(before.asked, after.asked), look(before.answer, after.answer)
    return Difference(sort, before, after, asked, answered)


def _recurrences(
    first: Sequence[tuple[str, str]], second: Sequence[tuple[str, str]]
) -> Iterator[Recurrence]:
    before, after = Counter(first), Counter(second)
    for name, told in dict.fromkeys([*first, *second]):
        counts = before[name, told], after[name, told]
        if counts[0] != counts[1]:
            yield Recurrence(name, told, *counts)
