"""A client of our own is heard like any other, and cannot tell."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from tests.wires import Transport
from txqmp.monitor.closing import abort
from txqmp.proxy.tapped import TappedFactory


class Ear:
    """A tap that keeps what it is told, with what its client had heard by then."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def opened(self) -> None:
        self.told.append(("opened",))

    def to_monitor(self, data: bytes) -> None:
        self.told.append(("to_monitor", data))

    def to_client(self, data: bytes) -> None:
        self.told.append(("to_client", data))

    def closed(self, reason: str, ended_by: str, ending: str = "") -> None:
        self.told.append(("closed", reason, ended_by))


class Client(Protocol):
    """Says hello, and answers whatever it hears."""

    lost: Any = None

    def connectionMade(self) -> None:
        self.say(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.say(b"so ", data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = reason

    def say(self, *data: bytes) -> None:
        assert self.transport is not None
        if len(data) > 1:
            self.transport.writeSequence(data)
        else:
            self.transport.write(data[0])


class Tapped:
    def __init__(self) -> None:
        self.ear = Ear()
        factory = TappedFactory(Factory.forProtocol(Client), lambda: self.ear)
        self.transport = Transport()
        self.wrapper: Any = factory.buildProtocol(None)
        self.client = self.wrapper.wrappedProtocol
        self.wrapper.makeConnection(self.transport)

    def is_lost(self, error: Exception) -> tuple[Any, ...]:
        self.wrapper.connectionLost(Failure(error))
        assert self.client.lost.value is error
        return self.ear.told[-1]


def test_all_that_is_said_is_heard_in_order() -> None:
    tapped = Tapped()
    tapped.wrapper.dataReceived(b"hi")
    assert tapped.transport.value() == b"helloso hi"
    assert tapped.ear.told == [
        ("opened",),
        ("to_monitor", b"hello"),
        ("to_client", b"hi"),
        ("to_monitor", b"so hi"),
    ]


def test_each_connection_has_a_tap_of_its_own() -> None:
    ears: list[Ear] = []

    def make() -> Ear:
        ears.append(Ear())
        return ears[-1]

    factory = TappedFactory(Factory.forProtocol(Client), make)
    for _ in range(2):
        factory.buildProtocol(None).makeConnection(Transport())
    assert [ear.told for ear in ears] == [[("opened",), ("to_monitor", b"hello")]] * 2


def test_a_connection_that_the_monitor_ends() -> None:
    assert Tapped().is_lost(ConnectionDone()) == (
        "closed", "Connection was closed cleanly.", "monitor",
    )  # fmt: skip


def test_a_connection_that_the_client_ends() -> None:
    tapped = Tapped()
    tapped.client.transport.loseConnection()
    assert tapped.transport.disconnecting
    assert tapped.is_lost(ConnectionDone())[2] == "client"


def test_a_connection_that_the_client_aborts() -> None:
    tapped = Tapped()
    abort(tapped.client.transport)
    assert tapped.transport.aborted
    assert tapped.is_lost(ConnectionLost())[2] == "client"


def test_what_the_client_says_when_it_is_over_is_heard_before_the_end() -> None:
    tapped = Tapped()
    tapped.client.connectionLost = lambda reason: tapped.client.say(b"bye")
    tapped.wrapper.connectionLost(Failure(ConnectionDone()))
    assert [what for what, *_ in tapped.ear.told][-2:] == ["to_monitor", "closed"]
