"""Connecting to a monitor whose dialect is not known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IAddress, IDelayedCall, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from txqmp.errors import ConnectionUnusable, GreetingTimeout, ProtocolViolation
from txqmp.jsonqmp.client import JSONClient, JSONClientFactory
from txqmp.monitor.closing import abort, ending_text
from txqmp.text.client import TextClient, TextClientFactory

Client = TextClient | JSONClient


class DialectSniffer(Protocol):
    """
    Becomes a client of the dialect that the monitor's first byte tells (rule 24).

    :param make: makes the client of a dialect, ``text`` or ``json``.
    :param clock: measures the time.
    :param timeout: seconds in which the first byte must come.
    :ivar client: the client that it became, or None before it has.
    :ivar known: fires with the client, for one who waits.
    """

    def __init__(self, make: Callable[[str], Client], clock: Any, timeout: float) -> None:
        self._make = make
        self._clock = clock
        self._timeout = timeout
        self._timer: IDelayedCall | None = None
        self.client: Client | None = None
        self.known: Deferred[Client] = Deferred()

    def connectionMade(self) -> None:
        """Begin to wait."""
        self._timer = self._clock.callLater(self._timeout, self._silent)

    def dataReceived(self, data: bytes) -> None:
        """Tell the dialect; hand everything to the client from then on."""
        if self.client is None:
            first = data.lstrip()[:1]
            if not first or self.known.called:
                return
            self._stop_timer()
            if first not in (b"+", b"{"):
                self._give_up(ProtocolViolation("not the greeting of a monitor", data))
                return
            client = self.client = self._make("text" if first == b"+" else "json")
            client.makeConnection(self.transport)
            self.known.callback(client)
            data = data.lstrip()
        self.client.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        self._stop_timer()
        if self.client is not None:
            self.client.connectionLost(reason)
        elif not self.known.called:
            error = ConnectionUnusable(f"the connection is over: {ending_text(reason.value)}")
            self.known.errback(error)

    def _silent(self) -> None:
        self._timer = None
        self._give_up(GreetingTimeout(self._timeout))

    def _give_up(self, error: Exception) -> None:
        if not self.known.called:
            self.known.errback(error)
        abort(self.transport)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class SnifferFactory(Factory):
    """
    Makes protocols that find out which dialect a monitor speaks.

    :param reactor: measures all times.
    :param timeout: seconds in which the monitor must greet, and negotiate.
    :param protocols: what makes the client of a dialect of its factory, where it is another one.
    :param settings: of the clients; see :class:`~txqmp.monitor.client.MonitorClientFactory`.
    """

    noisy = False

    def __init__(
        self,
        reactor: Any,
        timeout: float,
        protocols: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self._reactor = reactor
        self._timeout = timeout
        settings = {**settings, "greeting_timeout": timeout}
        self._factories: dict[str, TextClientFactory | JSONClientFactory] = {
            "text": TextClientFactory(reactor, **settings),
            "json": JSONClientFactory(reactor, **settings),
        }
        for dialect, protocol in (protocols or {}).items():
            self._factories[dialect].protocol = protocol

    def buildProtocol(self, addr: IAddress | None) -> DialectSniffer:
        """Make one for a connection."""

        def make(dialect: str) -> Client:
            return self._factories[dialect].buildProtocol(addr)

        return DialectSniffer(make, self._reactor, self._timeout)


def connect(
    reactor: Any,
    endpoint: IStreamClientEndpoint | str,
    timeout: float = 30.0,
    **settings: Any,
) -> Deferred[Client]:
    """
    Connect to a monitor of either dialect.

    :param endpoint: or its string, such as ``unix:/run/vm.qmp``.
    :param timeout: seconds for connecting, again for the first byte, and again for the greeting
        and the negotiation.
    :param settings: of the client; see :class:`~txqmp.monitor.client.MonitorClientFactory`.
    :returns: fires with a :class:`~txqmp.TextClient` or a :class:`~txqmp.JSONClient` that is
        greeted and has negotiated. Fails with what the endpoint says,
        :class:`~txqmp.GreetingTimeout`, :class:`~txqmp.ProtocolViolation` or
        :class:`~txqmp.ConnectionUnusable`. Cancelling it ends the connection.
    :raises ValueError: the string is no endpoint's.
    """
    target: Any = clientFromString(reactor, endpoint) if isinstance(endpoint, str) else endpoint
    return Deferred.fromCoroutine(_connect(reactor, target, timeout, settings))


async def _connect(
    reactor: Any, endpoint: IStreamClientEndpoint, timeout: float, settings: dict[str, Any]
) -> Client:
    connecting: Deferred[Any] = endpoint.connect(SnifferFactory(reactor, timeout, **settings))
    sniffer = await connecting.addTimeout(timeout, reactor)
    try:
        client: Client = await sniffer.known
        await client.when_greeted()
    except CancelledError:
        abort(sniffer.transport)
        raise
    return client
