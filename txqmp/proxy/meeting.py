"""A place where monitors that connect to us meet those who want to connect to a monitor."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

_log = Logger()

_KEPT = 64 * 1024
"""Bytes kept of what a monitor says while nobody is there; it is not read further then."""


@implementer(IHalfCloseableProtocol)
class _Arrival(Protocol):
    """A connection that somebody made to us: it waits for its protocol, then is that one's."""

    def __init__(self, place: MeetingPoint, address: Any) -> None:
        self.address = address
        self._place = place
        self._protocol: Any = None
        self._half: Any = None
        self._said: list[bytes] = []
        self._size = 0

    @property
    def wire(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:
        self._place.arrived(self)

    def become(self, protocol: Any) -> None:
        """Be the connection of a protocol from now on."""
        self._protocol = protocol
        self._half = IHalfCloseableProtocol(protocol, None)
        protocol.makeConnection(self.transport)

    def repeat(self) -> None:
        """Tell the protocol what was said before it was there."""
        said, self._said = b"".join(self._said), []
        if self._size > _KEPT:
            self.wire.resumeProducing()
        if said:
            self._protocol.dataReceived(said)

    def dataReceived(self, data: bytes) -> None:
        if self._protocol is not None:
            self._protocol.dataReceived(data)
            return
        self._said.append(data)
        self._size += len(data)
        if self._size > _KEPT:
            self.wire.pauseProducing()

    def readConnectionLost(self) -> None:
        if self._half is not None:
            self._half.readConnectionLost()
        else:
            self.wire.loseConnection()

    def writeConnectionLost(self) -> None:
        if self._half is not None:
            self._half.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._protocol is None:
            self._place.left(self)
        else:
            self._protocol.connectionLost(reason)


@implementer(IStreamClientEndpoint)
class MeetingPoint(Factory):
    """
    A factory for a port that monitors connect to, and an endpoint that has them.

    Who comes first waits; both in their order.

    :param max_waiting: monitors that wait; more are closed at once.
    """

    noisy = False

    def __init__(self, max_waiting: int = 1000) -> None:
        self._max_waiting = max_waiting
        self._arrivals: deque[_Arrival] = deque()
        self._wanted: deque[tuple[IProtocolFactory, Deferred[IProtocol]]] = deque()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Take a monitor, or refuse it where too many wait."""
        if len(self._arrivals) >= self._max_waiting:
            _log.warn("refused a monitor: {limit} wait for clients", limit=self._max_waiting)
            return None
        return _Arrival(self, addr)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect to the monitor that came first, once there is one.

        :returns: may be cancelled.
        """
        wanted: Deferred[IProtocol] = Deferred(self._wanted_no_more)
        self._wanted.append((protocolFactory, wanted))
        self._introduce()
        return wanted

    def close_all(self) -> None:
        """Let those go that wait for somebody."""
        for arrival in list(self._arrivals):
            arrival.wire.abortConnection()

    def _wanted_no_more(self, wanted: Deferred[IProtocol]) -> None:
        self._wanted = deque(pair for pair in self._wanted if pair[1] is not wanted)

    def arrived(self, arrival: _Arrival) -> None:
        """A monitor has connected."""
        self._arrivals.append(arrival)
        self._introduce()

    def left(self, arrival: _Arrival) -> None:
        """A monitor has not waited for a client."""
        self._arrivals.remove(arrival)

    def _introduce(self) -> None:
        while self._arrivals and self._wanted:
            arrival, (factory, wanted) = self._arrivals.popleft(), self._wanted.popleft()
            protocol = factory.buildProtocol(arrival.address)
            if protocol is None:
                arrival.become(Protocol())
                arrival.wire.loseConnection()
                wanted.errback(ConnectionAborted())
                continue
            arrival.become(protocol)
            wanted.callback(protocol)
            arrival.repeat()
