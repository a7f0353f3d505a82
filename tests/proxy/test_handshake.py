"""Nobody is a client before a handshake is over: with a transport in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from txqmp.proxy.handshake import MAX_SHAKING, Handshake, HandshakeFactory, Refused


class Served(Protocol):
    """A protocol that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def connectionMade(self) -> None:
        self.told.append(self.transport)

    def dataReceived(self, data: bytes) -> None:
        self.told.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.told.append(reason.type)


class Serving(Factory):
    """Makes them, and refuses where it is told to."""

    full = False

    def __init__(self) -> None:
        self.made: list[Served] = []

    def buildProtocol(self, addr: Any) -> Any:
        if self.full:
            return None
        self.made.append(Served())
        return self.made[-1]


class Port:
    """A port, and one who comes to it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.serving = Serving()
        self.factory = HandshakeFactory(self.serving, self.clock, 10.0)

    def comes(self) -> tuple[Any, StringTransport]:
        handshake = self.factory.buildProtocol(None)
        transport = StringTransport()
        handshake.makeConnection(transport)
        return handshake, transport


def test_it_is_served_when_its_handshake_is_over() -> None:
    port = Port()
    handshake, transport = port.comes()
    port.clock.advance(9.9)
    assert port.serving.made == []
    handshake.handshakeCompleted()
    (served,) = port.serving.made
    handshake.dataReceived(b"stop\r\n")
    assert not port.clock.getDelayedCalls()
    handshake.connectionLost(Failure(ConnectionDone()))
    assert served.told == [transport, b"stop\r\n", ConnectionDone]


def test_who_is_refused_was_never_there() -> None:
    port = Port()
    handshake, _ = port.comes()
    error = Exception([("SSL routines", "", "certificate verify failed")])
    with capturedLogs() as logs:
        handshake.connectionLost(Failure(error))
    assert port.serving.made == []
    assert [entry["reason"] for entry in logs] == ["certificate verify failed"]
    assert not port.clock.getDelayedCalls()


def test_who_says_nothing_is_dropped() -> None:
    port = Port()
    handshake, transport = port.comes()
    with capturedLogs() as logs:
        port.clock.advance(10)
        assert transport.disconnected or transport.disconnecting
        handshake.handshakeCompleted()
        handshake.connectionLost(Failure(ConnectionDone()))
    assert port.serving.made == []
    assert [entry["reason"] for entry in logs] == ["no handshake within 10 s"]


def test_who_leaves_in_the_middle() -> None:
    port = Port()
    handshake, _ = port.comes()
    with capturedLogs() as logs:
        handshake.connectionLost(Failure(ConnectionDone()))
    assert [entry["reason"] for entry in logs] == ["it left before its handshake was over"]


def test_a_factory_that_has_enough_is_listened_to() -> None:
    port = Port()
    port.serving.full = True
    handshake, transport = port.comes()
    handshake.handshakeCompleted()
    assert transport.disconnected or transport.disconnecting


def test_not_too_many_shake_hands_at_a_time() -> None:
    port = Port()
    all_of_them = [port.comes()[0] for _ in range(MAX_SHAKING)]
    with capturedLogs() as logs:
        refused, transport = port.comes()
    assert isinstance(refused, Refused)
    assert transport.disconnected or transport.disconnecting
    assert len(logs) == 1
    all_of_them[0].handshakeCompleted()
    assert isinstance(port.comes()[0], Handshake)
