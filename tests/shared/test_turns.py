"""Whose turn it is: fairness, what rides along, and what must not be ahead of its reply."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.shared.stage import Stage
from txqmp.journal import Kind
from txqmp.shared.asked import Asked, Member
from txqmp.shared.turns import Turns


class Line:
    """Turns, and what they have sent."""

    def __init__(self, limit: int = 1, coalesce: bool = False) -> None:
        self.sent: list[list[Asked]] = []
        self.members = {name: Member(number) for number, name in enumerate("abcdef")}
        self.turns = Turns(limit, self.sent.append, coalesce)

    def add(self, *names: str, query: bool = False, descriptors: Iterable[int] = ()) -> None:
        """Add commands; the first letter of each says whose it is."""
        for name in names:
            self.turns.add(
                Asked(
                    self.members[name[0]], name, name[1:].encode(), lambda outcome: None,
                    query=query, descriptors=list(descriptors),
                )
            )  # fmt: skip

    def heard(self) -> list[str]:
        """What was sent since the last call, those that ride along joined to it by +."""
        sent = ["+".join(asked.name for asked in batch) for batch in self.sent]
        self.sent.clear()
        return sent

    def all(self) -> list[str]:
        """All that is sent, each answered before the next."""
        done = []
        while sent := self.heard():
            done += sent
            for _ in sent:
                self.turns.answered()
        return done


def test_each_in_turn_each_one_s_own_in_their_order() -> None:
    line = Line()
    line.add("a1", "a2", "a3", "b1", "b2", "c1")
    assert line.all() == ["a1", "a2", "b1", "c1", "a3", "b2"]


def test_so_many_are_sent_ahead() -> None:
    line = Line(3)
    line.add("a1", "a2", "b1", "b2", "c1")
    assert line.heard() == ["a1", "a2", "b1"]
    line.turns.answered()
    assert line.heard() == ["b2"]


@given(st.lists(st.sampled_from("abcdef"), max_size=60), st.integers(1, 4))
def test_nobody_who_waits_is_passed_over_twice(order: list[str], limit: int) -> None:
    line = Line(limit)
    counts = dict.fromkeys("abcdef", 0)
    line.add("f0", *["f0"] * (limit - 1))
    for name in order:
        counts[name] += 1
        line.add(f"{name}{counts[name]}")
    done = line.all()[limit:]
    assert sorted(done) == sorted(f"{n}{i}" for n, c in counts.items() for i in range(1, c + 1))
    for name, count in counts.items():
        places = [done.index(f"{name}{number}") for number in range(1, count + 1)]
        assert places == sorted(places)
        for one, other in zip([-1, *places], places, strict=False):
            between = done[one + 1 : other]
            assert len({each[0] for each in between}) == len(between)


def test_one_who_leaves_gives_its_turns_up() -> None:
    line = Line()
    line.add("a1", "b1", "a2", "b2")
    line.turns.leave(line.members["b"])
    assert (line.all(), len(line.turns)) == (["a1", "a2"], 0)


def test_a_command_that_is_dropped() -> None:
    line = Line()
    line.add("a1", "b1", "b2")
    dropped = Asked(line.members["c"], "c1", b"", lambda outcome: None)
    line.turns.add(dropped)
    line.turns.drop(dropped)
    line.turns.drop(dropped)
    assert line.all() == ["a1", "b1", "b2"]


def test_a_second_descriptor_waits_for_the_first_and_nothing_else_does() -> None:
    line = Line(4)
    line.add("a1", "b1", descriptors=[os.dup(0)])
    line.add("c1", "a2")
    assert line.heard() == ["a1", "c1", "a2"]
    line.turns.answered(handed=False)
    assert line.heard() == []
    line.turns.answered(handed=True)
    assert line.heard() == ["b1"]
    for member in line.members.values():
        line.turns.leave(member)


def test_the_descriptors_of_what_is_not_sent_are_closed() -> None:
    line = Line()
    descriptor = os.dup(0)
    line.add("a1")
    line.add("b1", descriptors=[descriptor])
    line.turns.leave(line.members["b"])
    assert not os.path.exists(f"/proc/self/fd/{descriptor}")  # noqa: PTH110


def test_same_queries_that_are_next_ride_along() -> None:
    line = Line(coalesce=True)
    line.add("ax", "bq", "cq", "dq", query=True)
    line.add("ey")
    assert line.all() == ["ax", "bq+cq+dq", "ey"]


def test_other_queries_and_commands_do_not() -> None:
    line = Line(coalesce=True)
    line.add("ax", "bq", "cr", query=True)
    line.add("dq")
    assert line.all() == ["ax", "bq", "cr", "dq"]


def test_a_query_does_not_overtake_what_its_client_asked_before() -> None:
    line = Line(coalesce=True)
    line.add("ax", "bstop")
    line.add("cq", "bq", query=True)
    assert line.all() == ["ax", "bstop", "cq+bq"]


def test_nothing_rides_along_unless_told_to() -> None:
    line = Line()
    line.add("ax", "bq", "cq", query=True)
    assert line.all() == ["ax", "bq", "cq"]


# On a stage.


def ask(number: Any, path: str) -> dict[str, Any]:
    return {"execute": "query-x", "arguments": {"path": path}, "id": number}


def test_one_answer_for_all_who_asked() -> None:
    stage = Stage.ready(coalesce=True)
    busy, *clients = [stage.client() for _ in range(4)]
    busy.asks(*["slow"] * 4)
    for number, client in enumerate(clients):
        client.asks(ask(number, "a"), ask("other", f"{number}"))
    stage.monitor.answers()
    assert [c["arguments"]["path"] for c in stage.monitor.asked()] == ["a", "0", "1", "2"]
    stage.monitor.returns(1.5, 5)
    assert [client.heard() for client in clients] == [
        [{"return": 1.5, "id": number}] for number in range(3)
    ]
    done = [
        record.fields
        for record in stage.records(Kind.SUCCESS)
        if record.connection > 2 and record.fields["command"] == "query-x"
    ]
    assert [fields.get("coalesced") for fields in done] == [
        None, done[0]["link"], done[0]["link"]
    ]  # fmt: skip


def test_what_is_no_query_is_carried_out_for_each() -> None:
    stage = Stage.ready(coalesce=True)
    clients = [stage.client() for _ in range(3)]
    for client in clients:
        client.asks("stop", "stop")
    assert stage.monitor.answers() + stage.monitor.answers() == ["stop"] * 6


def test_text_queries_too() -> None:
    stage = Stage.ready(text=True, coalesce=True)
    busy, one, other = [stage.text_client() for _ in range(3)]
    busy.sends(b"stop\r\n" * 4)
    one.sends(b"info name\r\n")
    other.sends(b"info name\r\n")
    stage.monitor.says(*[b"+ OK stop completed"] * 4)
    assert stage.monitor.lines() == ["stop"] * 4 + ["info name"]
    stage.monitor.says(b"= vm1", b"+ OK info name completed")
    assert one.lines() == other.lines() == ["= vm1", "+ OK info name completed"]
