"""Monitors that connect to us, and those who want one, find each other in their order."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.wires import Transport, pending, result
from txqmp.proxy.meeting import MeetingPoint


@implementer(IHalfCloseableProtocol)
class Talker(Protocol):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def connectionMade(self) -> None:
        self.told.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.told.append(data)

    def readConnectionLost(self) -> None:
        self.told.append("half")

    def writeConnectionLost(self) -> None:
        self.told.append("other half")

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.told.append("lost")


class Monitor:
    """One that connects, played by the test."""

    def __init__(self, place: MeetingPoint) -> None:
        self.protocol: Any = place.buildProtocol(None)
        self.line = Transport()
        self.protocol.makeConnection(self.line)

    def says(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def leaves(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))


def test_a_monitor_that_is_there_is_had_at_once() -> None:
    place = MeetingPoint()
    monitor = Monitor(place)
    monitor.says(b"{greet")
    monitor.says(b"ing}")
    talker: Any = result(place.connect(Factory.forProtocol(Talker)))
    monitor.says(b"{event}")
    assert talker.told == ["made", b"{greeting}", b"{event}"]
    talker.transport.write(b"command")
    assert monitor.line.value() == b"command"


def test_who_comes_first_waits() -> None:
    place = MeetingPoint()
    first, second = (place.connect(Factory.forProtocol(Talker)) for _ in range(2))
    assert pending(first)
    monitor = Monitor(place)
    talker: Any = result(first)
    assert pending(second)
    monitor.says(b"hello")
    assert talker.told == ["made", b"hello"]
    Monitor(place)
    assert result(second) is not talker


def test_each_gets_one_in_its_order() -> None:
    place = MeetingPoint()
    monitors = [Monitor(place) for _ in range(3)]
    for number, monitor in enumerate(monitors):
        monitor.says(b"%d" % number)
    talkers = [result(place.connect(Factory.forProtocol(Talker))) for _ in range(3)]
    assert [talker.told[1] for talker in talkers] == [b"0", b"1", b"2"]


def test_it_is_told_of_both_ends_of_the_end() -> None:
    place = MeetingPoint()
    monitor = Monitor(place)
    talker: Any = result(place.connect(Factory.forProtocol(Talker)))
    monitor.protocol.readConnectionLost()
    monitor.protocol.writeConnectionLost()
    monitor.leaves()
    assert talker.told == ["made", "half", "other half", "lost"]


def test_one_that_does_not_wait_is_not_had() -> None:
    place = MeetingPoint()
    gone, half_gone = Monitor(place), Monitor(place)
    gone.leaves()
    half_gone.protocol.readConnectionLost()
    assert half_gone.line.disconnecting
    half_gone.leaves()
    wanted = place.connect(Factory.forProtocol(Talker))
    assert pending(wanted)
    there = Monitor(place)
    talker: Any = result(wanted)
    there.says(b"here")
    assert talker.told == ["made", b"here"]


def test_who_wants_one_no_more_gets_none() -> None:
    place = MeetingPoint()
    gone = place.connect(Factory.forProtocol(Talker))
    gone.cancel()
    assert type(result(gone)) is CancelledError
    wanted = place.connect(Factory.forProtocol(Talker))
    Monitor(place)
    assert isinstance(result(wanted), Talker)


def test_what_a_monitor_says_to_nobody_is_bounded() -> None:
    place = MeetingPoint()
    monitor = Monitor(place)
    monitor.says(b"x" * 65_536)
    assert monitor.line.producerState == "producing"
    monitor.says(b"x")
    assert monitor.line.producerState == "paused"
    talker: Any = result(place.connect(Factory.forProtocol(Talker)))
    assert talker.told == ["made", b"x" * 65_537]
    assert monitor.line.producerState == "producing"


def test_monitors_that_wait_are_bounded() -> None:
    place = MeetingPoint(max_waiting=1)
    Monitor(place)
    with capturedLogs() as logged:
        assert place.buildProtocol(None) is None
    assert [entry["log_format"] for entry in logged] == [
        "refused a monitor: {limit} wait for clients"
    ]


def test_who_has_no_protocol_gets_none() -> None:
    place = MeetingPoint()
    monitor = Monitor(place)

    class Nothing(Factory):
        def buildProtocol(self, addr: Any) -> None:
            return None

    assert type(result(place.connect(Nothing()))) is ConnectionAborted
    assert monitor.line.disconnecting


def test_at_the_end_those_that_wait_are_let_go() -> None:
    place = MeetingPoint()
    monitor = Monitor(place)
    place.close_all()
    assert monitor.line.aborted
