"""The same command again and again, in one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.journal.sample import Session
from txqmp.journal.record import Kind, Record
from txqmp.reports.folds import Fold, Folds
from txqmp.reports.spans import Span, Spans

Item = Span | Record


def items(said: Session) -> Iterator[Item]:
    spans = Spans()
    for record in said.records:
        yield from spans.feed(record)
    yield from spans.end()


def folded(*sessions: Session) -> list[str]:
    """What becomes of sessions that follow each other, each from a source of its number."""
    folds: Folds[Record] = Folds()
    found = [
        pair
        for number, said in enumerate(sessions)
        for item in items(said)
        for pair in folds.feed(item, str(number))
    ]
    return [told(source, item) for source, item in [*found, *folds.rest()]]


def told(source: str, item: Fold | Item) -> str:
    if isinstance(item, Fold):
        return f"{source}: {item.count} {item.first.name}"
    return f"{source}: {item.name if isinstance(item, Span) else item.kind}"


def asking(*names: str) -> Session:
    said = Session()
    for name in names:
        said.answer(said.ask(name), {})
    return said


def test_what_follows_itself_is_one() -> None:
    assert folded(asking("a", "b", "b", "b", "a", "c", "c")) == [
        "0: a",
        "0: 3 b",
        "0: a",
        "0: 2 c",
    ]


def test_a_failure_and_a_command_without_reply_stand_for_themselves() -> None:
    said = asking("a", "a")
    said.fail(said.ask("a"), "no")
    said.answer(said.ask("a"), {})
    said.ask("a")
    assert folded(said) == ["0: 2 a", "0: a", "0: a", "0: a"]


def test_events_are_not_hidden() -> None:
    said = asking("a", "a")
    asked = said.ask("a")
    said.event("STOP")
    said.answer(asked, {})
    said.answer(said.ask("a"), {})
    said.event("RESUME")
    said.answer(said.ask("a"), {})
    assert folded(said) == ["0: 2 a", "0: a", "0: a", "0: event", "0: a"]


def test_connections_and_sources_do_not_mix() -> None:
    other = Session(connection=2)
    other.answer(other.ask("a"), {})
    folds: Folds[Record] = Folds()
    mixed = [*items(asking("a")), *items(other)]
    assert [told(*pair) for item in mixed for pair in folds.feed(item, "x")] == ["x: a"]
    assert folded(asking("a"), asking("a")) == ["0: a", "1: a"]


def test_the_latencies_are_the_least_the_middle_and_the_greatest() -> None:
    said = Session()
    for latency in (0.004, 0.001, 0.003, 0.01):
        said.answer(said.ask("a"), {}, latency)
    folds: Folds[Record] = Folds()
    assert [pair for item in items(said) for pair in folds.feed(item, "")] == []
    ((_, fold),) = folds.rest()
    assert isinstance(fold, Fold)
    assert fold.latencies == pytest.approx((0.001, 0.0035, 0.01))
    assert fold.first.first is said.records[0]
    assert list(folds.rest()) == []


def test_there_may_be_no_latencies() -> None:
    said = Session()
    for _ in range(2):
        asked = said.ask("a")
        said.add(Kind.SUCCESS, "{}", command="a", reply_to=asked)
    folds: Folds[Record] = Folds()
    for item in items(said):
        list(folds.feed(item, ""))
    ((_, fold),) = folds.rest()
    assert isinstance(fold, Fold)
    assert fold.latencies is None
