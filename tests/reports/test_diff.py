"""What is different between two sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reports.conversation import Conversation, without
from txqmp.journal.record import Record
from txqmp.reports.diff import Comparison, Difference, Sort, aligned, compare
from txqmp.reports.session import Session, SessionReader
from txqmp.reports.volatile import PASSING, VOLATILE, Ignored

IGNORED = Ignored([volatile.pattern for volatile in VOLATILE], PASSING)


def session(records: Sequence[Record]) -> Session:
    return SessionReader(IGNORED).read(records)


def compared(first: Conversation, second: Conversation) -> Comparison:
    return compare(session(first.records), session(second.records))


def sorts(comparison: Comparison) -> list[tuple[str, str, int]]:
    return [(str(one.sort), one.one.command, one.count) for one in comparison.commands]


def paths(difference: Difference) -> list[str]:
    return [f"{change.how} {change.path}" for change in difference.asked + difference.answered]


def pair() -> tuple[Conversation, Conversation]:
    return Conversation(), Conversation()


def test_less_and_more() -> None:
    first, second = pair()
    first.asked("a")
    first.asked("b", {"x": 1})
    second.asked("c")
    second.asked("a")
    assert sorts(compared(first, second)) == [("more", "c", 1), ("less", "b", 1)]


def test_asked_otherwise() -> None:
    first, second = pair()
    for talk, size, got in ((first, 1, "a"), (second, 2, "b")):
        talk.asked("query-name")
        talk.asked("resize", {"device": "d", "size": size}, {"x": got})
    (one,) = compared(first, second).commands
    assert one.sort is Sort.ASKED
    assert paths(one) == ["changed arguments.size", "changed return.x"]


def test_answered_otherwise() -> None:
    first, second = pair()
    first.asked("query", None, {"a": 1, "b": 1})
    second.asked("query", None, {"a": 2, "c": 1})
    (one,) = compared(first, second).commands
    assert one.sort is Sort.ANSWERED
    assert paths(one) == ["changed return.a", "removed return.b", "added return.c"]


def test_an_error_with_another_reason_is_an_answer() -> None:
    first, second = pair()
    first.refused("a", reason="one")
    second.refused("a", reason="two")
    (one,) = compared(first, second).commands
    assert (one.sort, paths(one)) == (Sort.ANSWERED, ["changed reason"])


def test_errors_that_came_and_went() -> None:
    first, second = pair()
    first.refused("a")
    first.asked("b")
    second.asked("a")
    second.refused("b")
    comparison = compared(first, second)
    assert sorts(comparison) == [("succeeds", "a", 1), ("fails", "b", 1)]
    assert paths(comparison.commands[1]) == ["added class", "added reason", "removed return"]


def test_an_answer_that_never_came() -> None:
    first, second = pair()
    first.asked("a")
    second.command("a")
    (one,) = compared(first, second).commands
    assert (one.sort, paths(one)) == (Sort.ANSWERED, ["removed return"])


def test_repeats_are_folded() -> None:
    first, second = pair()
    for rank in range(398):
        first.asked("qom-get", {"path": "/a"}, {"x": 1})
        second.asked("qom-get", {"path": "/a"}, {"x": 2})
        second.asked("poll", {"path": "/a"} if rank % 2 else None)
    assert sorts(compared(first, second)) == [
        ("answered-otherwise", "qom-get", 398),
        ("more", "poll", 199),
        ("more", "poll", 199),
    ]


@pytest.mark.parametrize("how", ["answer", "arguments", "reason"])
def test_what_is_not_the_same_is_not_folded(how: str) -> None:
    first, second = pair()
    for value in (1, 2):
        match how:
            case "answer":
                first.asked("a", None, {"x": value})
                second.asked("a", None, {"x": 9})
            case "arguments":
                second.asked("a", {"x": value})
            case "reason":
                second.refused("a", None, f"no {value}")
    assert [one.count for one in compared(first, second).commands] == [1, 1]


def test_the_answer_tells_which_one_is_missing() -> None:
    first, second = pair()
    for status in ("prelaunch", "running", "paused"):
        first.asked("query-status", None, {"status": status})
        if status != "running":
            second.asked("query-status", None, {"status": status})
    (one,) = compared(first, second).commands
    assert one.sort is Sort.LESS
    assert '"running"' in one.one.answer


def test_the_same_arguments_come_before_the_same_name() -> None:
    first, second = pair()
    for path in "abc":
        first.asked("qom-get", {"path": path})
    for path in "bcd":
        second.asked("qom-get", {"path": path})
    assert sorts(compared(first, second)) == [("less", "qom-get", 1), ("more", "qom-get", 1)]


def test_the_same_arguments_come_before_the_same_name_whatever_the_answer() -> None:
    first, second = pair()
    for value in (1, 2):
        first.asked("query", {"x": value}, {"a": 1})
    second.asked("query", {"x": 2}, {"a": 2})
    assert sorts(compared(first, second)) == [
        ("less", "query", 1),
        ("answered-otherwise", "query", 1),
    ]


def test_more_arguments_that_agree_are_worth_more_than_an_answer() -> None:
    first, second = pair()
    for talk, answers in ((first, "abc"), (second, "cxa")):
        for answer in answers:
            talk.asked("query", None, {"x": answer})
    assert sorts(compared(first, second)) == [
        ("answered-otherwise", "query", 1),
        ("answered-otherwise", "query", 1),
        ("answered-otherwise", "query", 1),
    ]


def test_events_are_a_multiset() -> None:
    first, second = pair()
    for _ in range(2):
        first.event("STOP", timestamp={"seconds": 1})
    second.event("STOP", timestamp={"seconds": 5})
    second.event("BALLOON_CHANGE", {"actual": 1})
    first.event("BALLOON_CHANGE", {"actual": 2})
    events = compared(first, second).events
    assert [(one.name, one.told, one.before, one.after) for one in events] == [
        ("STOP", "{}", 2, 1),
        ("BALLOON_CHANGE", '{"data":{"actual":2}}', 1, 0),
        ("BALLOON_CHANGE", '{"data":{"actual":1}}', 0, 1),
    ]


def test_the_order_of_events_is_told_and_makes_no_difference() -> None:
    first, second = pair()
    for name in ("STOP", "RESUME"):
        first.event(name)
    for name in ("RESUME", "STOP"):
        second.event(name)
    comparison = compared(first, second)
    assert (comparison.same, comparison.reordered) == (True, True)
    assert not compared(first, first).reordered
    second.event("STOP")
    assert not compared(first, second).reordered


def test_another_qemu_greets_otherwise() -> None:
    first, second = pair()
    first.greeting("7.2.22")
    second.greeting("8.1.0")
    comparison = compared(first, second)
    assert [(one.before, one.after) for one in comparison.greetings] == [(1, 0), (0, 1)]
    assert not comparison.same


# What property tests talk about.
ARGUMENTS = st.none() | st.fixed_dictionaries({"x": st.integers(0, 1)})
ANSWERS = st.sampled_from([{}, {"a": 1}, {"a": 2, "b": [1, 2]}, None])
EXCHANGES = st.tuples(st.sampled_from(["a", "b", "c"]), ARGUMENTS, ANSWERS, st.booleans())
TALKS = st.lists(EXCHANGES, max_size=14)


def conversation(talk: Sequence[tuple[str, Any, Any, bool]]) -> list[Record]:
    made = Conversation()
    for command, arguments, answer, event in talk:
        if answer is None:
            made.refused(command, arguments)
        else:
            made.asked(command, arguments, answer)
        if event:
            made.event(command.upper())
    return made.records


@given(TALKS)
def test_a_journal_is_as_itself(talk: Any) -> None:
    records = conversation(talk)
    comparison = compare(session(records), session(records))
    assert (comparison.same, comparison.reordered) == (True, False)
    assert not comparison.commands


MIRRORED = {
    Sort.LESS: Sort.MORE,
    Sort.MORE: Sort.LESS,
    Sort.FAILS: Sort.SUCCEEDS,
    Sort.SUCCEEDS: Sort.FAILS,
}


@given(TALKS, TALKS)
def test_swapped_less_is_more(talk: Any, other: Any) -> None:
    first, second = session(conversation(talk)), session(conversation(other))
    there, back = compare(first, second), compare(second, first)
    assert Counter((one.sort, one.before, one.after, one.count) for one in there.commands) == (
        Counter(
            (MIRRORED.get(one.sort, one.sort), one.after, one.before, one.count)
            for one in back.commands
        )
    )
    assert Counter((one.name, one.told, one.before, one.after) for one in there.events) == (
        Counter((one.name, one.told, one.after, one.before) for one in back.events)
    )


@given(TALKS, TALKS)
def test_each_command_is_told_of_once_and_in_its_order(talk: Any, other: Any) -> None:
    first, second = session(conversation(talk)), session(conversation(other))
    pairs = list(aligned(first.exchanges, second.exchanges))
    assert [one for one, _ in pairs if one] == first.exchanges
    assert [other for _, other in pairs if other] == second.exchanges
    assert all(one.command == other.command for one, other in pairs if one and other)


@given(TALKS.filter(bool), st.data())
def test_a_command_that_is_taken_away_is_all_that_is_told(talk: Any, data: st.DataObject) -> None:
    records = conversation(talk)
    whole = session(records)
    gone = data.draw(st.sampled_from(whole.exchanges))
    comparison = compare(whole, session(without(records, gone.seq)))
    (one,) = comparison.commands
    assert (one.sort, one.count) == (Sort.LESS, 1)
    # Of several that are all the same it may be another one.
    assert one.one.whole == gone.whole
    assert not comparison.events
