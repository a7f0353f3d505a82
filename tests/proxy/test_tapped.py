"""A client or a server of our own is heard like any other, and cannot tell."""

from __future__ import annotations

from itertools import count
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from tests.wires import Transport
from txqmp.monitor.closing import abort
from txqmp.proxy.tapped import CONNECTION, TappedFactory, TappedServerFactory


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


# A server of our own.


class Server(Client):
    """Says hello, and answers whatever it hears; it knows of half-closed connections."""

    def __init__(self) -> None:
        self.memory: dict[str, Any] = {}
        self.half_closed: list[str] = []

    def readConnectionLost(self) -> None:
        self.half_closed.append("read")

    def writeConnectionLost(self) -> None:
        self.half_closed.append("write")


class TappedAsServer:
    """Connections of a server, their taps, and what its factory was told of their ends."""

    def __init__(self, first: int = 5) -> None:
        self.ears: list[tuple[Any, int, Ear]] = []
        self.over: list[tuple[Any, ...]] = []
        self.full = False
        self.factory = TappedServerFactory(
            self, self._tap, count(first), lambda *end: self.over.append(end)
        )

    def _tap(self, transport: Any, number: int) -> Ear:
        ear = Ear()
        self.ears.append((transport, number, ear))
        return ear

    def buildProtocol(self, addr: Any) -> Server | None:
        """The wrapped factory."""
        return None if self.full else Server()

    def connects(self) -> tuple[Transport, Any]:
        transport = Transport()
        wrapper = self.factory.buildProtocol(None)
        wrapper.makeConnection(transport)
        return transport, wrapper

    @property
    def told(self) -> list[tuple[Any, ...]]:
        """What the only tap was told."""
        ((_, _, ear),) = self.ears
        return ear.told


def test_all_that_a_server_hears_and_says_is_heard_in_order() -> None:
    tapped = TappedAsServer()
    transport, wrapper = tapped.connects()
    wrapper.dataReceived(b"hi")
    assert transport.value() == b"helloso hi"
    assert tapped.told == [
        ("opened",),
        ("to_client", b"hello"),
        ("to_monitor", b"hi"),
        ("to_client", b"so hi"),
    ]


def test_the_tap_of_a_server_gets_the_client_s_transport_and_the_number() -> None:
    tapped = TappedAsServer(5)
    transports = [tapped.connects()[0], tapped.connects()[0]]
    assert [(transport, number) for transport, number, _ in tapped.ears] == [
        (transports[0], 5),
        (transports[1], 6),
    ]


def test_a_server_keeps_the_number_of_its_connection() -> None:
    _, wrapper = TappedAsServer(5).connects()
    assert wrapper.wrappedProtocol.memory == {CONNECTION: 5}


def test_where_no_server_is_made_no_number_is_used() -> None:
    tapped = TappedAsServer(5)
    tapped.full = True
    assert tapped.factory.buildProtocol(None) is None
    tapped.full = False
    tapped.connects()
    assert [number for _, number, _ in tapped.ears] == [5]


def test_a_server_is_told_of_half_closed_connections() -> None:
    _, wrapper = TappedAsServer().connects()
    assert IHalfCloseableProtocol.providedBy(wrapper)
    wrapper.readConnectionLost()
    wrapper.writeConnectionLost()
    assert wrapper.wrappedProtocol.half_closed == ["read", "write"]


def test_a_connection_that_the_client_of_a_server_ends() -> None:
    tapped = TappedAsServer(5)
    _, wrapper = tapped.connects()
    wrapper.connectionLost(Failure(ConnectionDone()))
    assert tapped.told[-1] == ("closed", "Connection was closed cleanly.", "client")
    assert tapped.over == [(5, "Connection was closed cleanly.", "client")]


def test_a_client_that_says_no_more_has_ended_it_whoever_closes_then() -> None:
    tapped = TappedAsServer(5)
    _, wrapper = tapped.connects()
    wrapper.readConnectionLost()
    wrapper.wrappedProtocol.transport.loseConnection()
    wrapper.connectionLost(Failure(ConnectionLost()))
    assert tapped.told[-1] == ("closed", "it closed the connection", "client")
    assert tapped.over == [(5, "it closed the connection", "client")]


def test_a_client_that_leaves_when_the_server_has_closed_has_not_ended_it() -> None:
    tapped = TappedAsServer()
    _, wrapper = tapped.connects()
    wrapper.wrappedProtocol.transport.loseConnection()
    wrapper.readConnectionLost()
    wrapper.connectionLost(Failure(ConnectionDone()))
    assert tapped.told[-1] == ("closed", "Connection was closed cleanly.", "proxy")


def test_a_connection_that_a_server_ends() -> None:
    tapped = TappedAsServer()
    transport, wrapper = tapped.connects()
    wrapper.wrappedProtocol.transport.loseConnection()
    assert transport.disconnecting
    wrapper.connectionLost(Failure(ConnectionDone()))
    assert tapped.told[-1][2] == "proxy"


def test_a_connection_that_a_server_aborts() -> None:
    tapped = TappedAsServer()
    transport, wrapper = tapped.connects()
    abort(wrapper.wrappedProtocol.transport)
    assert transport.aborted
    wrapper.connectionLost(Failure(ConnectionLost()))
    assert tapped.told[-1][2] == "proxy"


def test_the_server_hears_of_the_end_before_its_factory_does() -> None:
    tapped = TappedAsServer()
    _, wrapper = tapped.connects()
    wrapper.wrappedProtocol.connectionLost = lambda reason: tapped.over.append((0, "server"))
    wrapper.connectionLost(Failure(ConnectionDone()))
    assert [who for who, *_ in tapped.over] == [0, 5]


def test_what_a_server_says_when_it_is_over_is_heard_before_the_end() -> None:
    tapped = TappedAsServer()
    _, wrapper = tapped.connects()
    server = wrapper.wrappedProtocol
    server.connectionLost = lambda reason: server.say(b"bye")
    wrapper.connectionLost(Failure(ConnectionDone()))
    assert [what for what, *_ in tapped.told][-2:] == ["to_client", "closed"]
