"""Where clients wait until it is known which dialect the monitor speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txqmp.monitor.closing import GracefulClose
from txqmp.monitor.observer import OneShotObserver

_log = Logger()


@implementer(IHalfCloseableProtocol)
class Guest(Protocol):
    """
    A client: it waits, and is then what the chosen factory makes of it.

    :param entrance: where it waits.
    :param address: where it is from.
    """

    def __init__(self, entrance: Entrance, address: IAddress | None) -> None:
        self._entrance = entrance
        self._address = address
        self._inner: Any = None
        self._timer: IDelayedCall | None = None
        self._end = GracefulClose(entrance.reactor)

    @property
    def wire(self) -> Any:
        """The transport, whose kind is not known beforehand."""
        return self.transport

    def connectionMade(self) -> None:
        """Go in, or wait; what the client says waits in its socket."""
        factory = self._entrance.factory
        if factory is not None:
            self._become(factory)
            return
        self.wire.pauseProducing()
        timeout = self._entrance.timeout
        self._timer = self._entrance.reactor.callLater(timeout, self._in_vain)

    def enter(self, factory: Any) -> None:
        """The wait is over."""
        if self._inner is None and not self._end.closing:
            self._stop_timer()
            self.wire.resumeProducing()
            self._become(factory)

    def _become(self, factory: Any) -> None:
        inner = factory.buildProtocol(self._address)
        if inner is None:
            self.refuse()
            return
        self._inner = inner
        inner.makeConnection(self.transport)

    def _in_vain(self) -> None:
        self._timer = None
        _log.error(
            "refused {peer}: there is no monitor: {reason}",
            peer=self.wire.getPeer(),
            reason=self._entrance.reason() or "it has said nothing",
        )
        self.refuse()

    def refuse(self) -> None:
        """Close, if it has not come in."""
        if self._inner is None:
            self._stop_timer()
            self._end.close(self.transport)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def dataReceived(self, data: bytes) -> None:
        """The client said something; before it has come in, nothing is read."""
        if self._inner is not None:
            self._inner.dataReceived(data)

    def readConnectionLost(self) -> None:
        """The client says no more."""
        if self._inner is not None:
            self._inner.readConnectionLost()

    def writeConnectionLost(self) -> None:
        """The client reads no more."""
        if self._inner is not None:
            self._inner.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone."""
        self._stop_timer()
        self._end.closed()
        try:
            if self._inner is not None:
                self._inner.connectionLost(reason)
        finally:
            self._entrance.left(self)


class Entrance(Factory):
    """
    Lets clients in once it is known what stands behind.

    :param reactor: measures the time.
    :param timeout: seconds that a client waits.
    :param reason: says why there is no monitor, as far as that is known.
    :param max_connections: clients at a time; more are closed at once.
    :ivar factory: what makes the clients' protocols, once it was chosen.
    """

    noisy = False

    def __init__(
        self,
        reactor: Any,
        timeout: float,
        reason: Callable[[], str],
        max_connections: int = 1000,
    ) -> None:
        self.reactor = reactor
        self.timeout = timeout
        self.reason = reason
        self.max_connections = max_connections
        self.factory: Any = None
        self._guests: set[Guest] = set()
        self._empty: OneShotObserver[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Guest | None:
        """Receive a client, or refuse it where there are too many."""
        if len(self._guests) >= self.max_connections:
            _log.warn(
                "refused a client: {limit} are connected (max_connections)",
                limit=self.max_connections,
            )
            return None
        guest = Guest(self, addr)
        self._guests.add(guest)
        return guest

    def choose(self, factory: Any) -> None:
        """Let those who wait, and all who come, in to what a factory makes."""
        self.factory = factory
        for guest in list(self._guests):
            guest.enter(factory)

    def left(self, guest: Guest) -> None:
        """A client is gone."""
        self._guests.discard(guest)
        self._check_empty()

    async def close_all(self) -> None:
        """Send away those who wait; returns when nobody is left."""
        if self._empty is None:
            self._empty = OneShotObserver()
        empty = self._empty.when()
        for guest in list(self._guests):
            guest.refuse()
        self._check_empty()
        await empty

    def _check_empty(self) -> None:
        if self._empty is not None and not self._guests:
            empty, self._empty = self._empty, None
            empty.fire(None)
