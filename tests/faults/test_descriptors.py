"""File descriptors go with their messages, or are closed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.faults.conversation import JSON, TEXT, Conversation, command, done, event
from txqmp.faults.choice import Choosers
from txqmp.faults.injector import Injector
from txqmp.faults.plan import FaultPlan
from txqmp.faults.rules import parse_rule
from txqmp.journal.record import Direction
from txqmp.proxy.interposed import Ends, IEnds, IInterposer

TO_MONITOR, TO_CLIENT = Direction.TO_MONITOR, Direction.TO_CLIENT


@implementer(IEnds)
class Noted:
    """Ends that keep what they are given."""

    def __init__(self) -> None:
        self.written: list[tuple[bytes, list[int]]] = []
        self.told: list[int] = []
        self.injector: Injector | None = None

    def write(self, way: Direction, data: bytes, descriptors: list[int]) -> None:
        self.written.append((data, descriptors))

    def heard(self, way: Direction, data: bytes, descriptors: int = 0) -> None:
        self.told.append(descriptors)

    def fault(
        self,
        way: Direction,
        fields: dict[str, Any],
        of_last: bool = False,
        withheld: bytes = b"",
        delivered: int = 0,
    ) -> None:
        pass

    def client(self) -> Any:
        pass

    def verdict(self, fields: dict[str, Any], raw: bytes, sent: bool) -> None:
        pass

    def read(self, wanted: bool, way: Direction | None = None) -> None:
        pass

    def close(self, reason: str) -> None:
        assert self.injector is not None
        self.injector.stop()


class Passing:
    """An injector, and files to pass through it."""

    def __init__(self) -> None:
        self.ends = Noted()
        self.clock = Clock()
        self.files: list[int] = []

    def begin(self, *rules: str, greeting: bytes = JSON) -> None:
        choosers = Choosers([parse_rule(rule) for rule in rules], 0, 1)
        self.injector = self.ends.injector = Injector(self.ends, choosers, self.clock)
        if greeting:
            self.injector.hear(TO_CLIENT, greeting, [])
            self.ends.written.clear()
            self.ends.told.clear()

    def file(self) -> int:
        self.files.append(os.memfd_create("passed"))
        return self.files[-1]

    def says(self, way: Direction, data: bytes) -> int:
        """One end says something, a file with its first byte."""
        file = self.file()
        self.injector.hear(way, data, [file])
        return file


def is_open(file: int) -> bool:
    try:
        os.fstat(file)
    except OSError:
        return False
    return True


@pytest.fixture
def passing() -> Iterator[Passing]:
    passing = Passing()
    yield passing
    for file in filter(is_open, passing.files):
        os.close(file)


def test_the_interface() -> None:
    talk = Conversation()
    conversation = next(iter(talk.factory.conversations))
    first: Any = conversation.first
    verifyObject(IEnds, Ends(conversation, first, first.other))
    verifyObject(IInterposer, first.between)
    talk.ends()


def test_they_go_with_the_message_that_they_came_in(passing: Passing) -> None:
    passing.begin("drop:event=NO")
    passing.says(TO_MONITOR, command("a")[:5])
    passing.says(TO_MONITOR, command("a")[5:])
    passing.injector.hear(TO_MONITOR, command("b"), [])
    assert passing.ends.written == [(command("a"), passing.files), (command("b"), [])]
    assert passing.ends.told == [2, 0]


@pytest.mark.parametrize("rule", ["delay:event=A:seconds=1", "stall:event=A:seconds=1"])
def test_they_wait_with_it(passing: Passing, rule: str) -> None:
    passing.begin(rule)
    file = passing.says(TO_CLIENT, event("A"))
    assert passing.ends.written == []
    passing.clock.advance(1)
    assert passing.ends.written == [(event("A"), [file])]
    assert passing.ends.told == [1]


def test_they_go_with_the_first_of_two_and_of_all_pieces(passing: Passing) -> None:
    passing.begin("duplicate:event=A", "split:event=B:bytes=5:seconds=1")
    file = passing.says(TO_CLIENT, event("A") + b"\r\n")
    assert [files for _, files in passing.ends.written] == [[file], []]
    passing.ends.written.clear()
    file = passing.says(TO_CLIENT, event("B"))
    for _ in range(9):
        passing.clock.advance(1)
    assert [files for _, files in passing.ends.written] == [[file], [], []]
    assert passing.ends.told == [1, 1]


def test_they_go_with_a_reply_of_many_lines(passing: Passing) -> None:
    passing.begin("drop:command=no", greeting=TEXT)
    one, other = (
        passing.says(TO_CLIENT, b"= a\r\n"),
        passing.says(TO_CLIENT, b"+ OK a completed\r\n"),
    )
    assert passing.ends.written == [(b"= a\r\n+ OK a completed\r\n", [one, other])]


def test_they_are_closed_where_the_message_does_not_come(passing: Passing) -> None:
    passing.begin("fail:command=a", "drop:event=A")
    passing.says(TO_MONITOR, command("a"))
    passing.says(TO_CLIENT, event("A"))
    assert [*map(is_open, passing.files)] == [False, False]


def test_they_are_closed_at_the_end(passing: Passing) -> None:
    passing.begin("delay:event=A:seconds=9", "stall:event=B")
    passing.says(TO_CLIENT, event("A"))
    passing.says(TO_CLIENT, event("B"))
    passing.says(TO_CLIENT, done())
    passing.says(TO_CLIENT, b'{"ev')
    passing.injector.stop()
    passing.says(TO_CLIENT, event("C"))
    assert not any(map(is_open, passing.files))


def test_they_are_closed_at_the_end_before_the_dialect_is_known(passing: Passing) -> None:
    passing.begin("fail", greeting=b"")
    passing.says(TO_MONITOR, command("a"))
    passing.injector.stop()
    assert not any(map(is_open, passing.files))


def test_those_of_a_reply_that_is_not_whole_are_closed(passing: Passing) -> None:
    passing.begin("drop:command=no", greeting=TEXT)
    passing.says(TO_CLIENT, b"= a\r\n")
    passing.injector.stop()
    assert not any(map(is_open, passing.files))


def test_they_are_closed_behind_the_last_byte(passing: Passing) -> None:
    passing.begin("close:bytes=0", greeting=b"")
    early = passing.file()
    passing.injector.hear(TO_MONITOR, command("a"), [early])
    passing.says(TO_CLIENT, JSON)
    passing.says(TO_CLIENT, event("A"))
    assert not any(is_open(file) for file in passing.files[1:])


def test_they_are_closed_where_there_is_no_other_end(passing: Passing) -> None:
    talk = Conversation()
    side = FaultPlan([]).make_side("monitor", next(iter(talk.factory.conversations)))
    side._descriptors.append(passing.file())
    side.dataReceived(b"x")
    assert not is_open(passing.files[0])
    talk.ends()
