"""Nobody is a client before the handshake of TLS is over."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHandshakeListener,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txqmp.monitor.closing import abort, ending_text

_log = Logger()

MAX_SHAKING = 100
"""Connections that may be in their handshakes at a time."""


@implementer(IHandshakeListener)
class Handshake(Protocol):
    """
    A connection that becomes one of the wrapped factory's when its handshake is over.

    :ivar peer: where it comes from.
    """

    factory: HandshakeFactory

    def __init__(self, factory: HandshakeFactory, peer: Any) -> None:
        self.factory = factory
        self.peer = peer
        self._timer: IDelayedCall | None = None
        self._protocol: Any = None
        self._late = False

    def connectionMade(self) -> None:
        """It has begun."""
        self._timer = self.factory.clock.callLater(self.factory.timeout, self._is_late)

    def _is_late(self) -> None:
        self._timer = None
        self._late = True
        abort(self.transport)

    def handshakeCompleted(self) -> None:
        """It is over: whoever is there has shown who he is."""
        if self._late or self._protocol is not None:
            return
        self._over()
        protocol: Any = self.factory.wrapped.buildProtocol(self.peer)
        if protocol is None:
            abort(self.transport)
            return
        self._protocol = protocol
        self.dataReceived = protocol.dataReceived  # type: ignore[method-assign]
        protocol.makeConnection(self.transport)

    def _over(self) -> None:
        self.factory.shaking.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It was never made, or is over."""
        self._over()
        if self._protocol is not None:
            self._protocol.connectionLost(reason)
        else:
            late = f"no handshake within {self.factory.timeout:g} s"
            why = late if self._late else _reason(reason)
            _log.warn("refused {peer}: {reason}", peer=self.peer, reason=why)


def _reason(failure: Failure) -> str:
    """Say what went wrong with a handshake."""
    if isinstance(failure.value, (ConnectionDone, ConnectionLost)):
        return "it left before its handshake was over"
    return ending_text(failure.value)


class Refused(Protocol):
    """A connection that is not wanted."""

    def connectionMade(self) -> None:
        """End it."""
        abort(self.transport)


class HandshakeFactory(Factory):
    """
    Has the protocols of another factory made when their connections have shaken hands.

    :param wrapped: makes them.
    :param clock: measures the time-out.
    :param timeout: seconds that a handshake may take.
    """

    noisy = False

    def __init__(self, wrapped: IProtocolFactory, clock: IReactorTime, timeout: float) -> None:
        self.wrapped = wrapped
        self.clock = clock
        self.timeout = timeout
        self.shaking: set[Handshake] = set()

    def doStart(self) -> None:
        """A port begins."""
        self.wrapped.doStart()

    def doStop(self) -> None:
        """A port ends."""
        self.wrapped.doStop()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Begin a handshake, or refuse it where there are too many."""
        if len(self.shaking) >= MAX_SHAKING:
            _log.warn("refused {peer}: {limit} handshakes go on", peer=addr, limit=MAX_SHAKING)
            # Twisted's TLS would wrap None as well.
            return Refused()
        handshake = Handshake(self, addr)
        self.shaking.add(handshake)
        return handshake
