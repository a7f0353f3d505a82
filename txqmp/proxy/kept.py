"""A connection to a monitor that is made again for ever, and journalled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txqmp.errors import MonitorError
from txqmp.proxy.refusal import why_refused
from txqmp.proxy.tapped import TappedFactory, TappedProtocol
from txqmp.sniffer import Client, SnifferFactory

_log = Logger()


class KeptMonitor(ClientService):
    """
    A monitor that is connected to for as long as the service runs, with growing pauses.

    What is done with it is for subclasses to say in ``_met``, ``_attend``, ``_left`` and
    ``_missing``.

    :param name: the monitor's name in the log.
    :param endpoint: where it is.
    :param tap: makes the tap of each connection, an :class:`~txqmp.proxy.hearing.ITap`.
    :param reactor: measures all times.
    :param greeting_timeout: seconds in which the monitor must greet.
    :param max_delay: seconds between attempts to connect, at most.
    :param protocols: see :class:`~txqmp.sniffer.SnifferFactory`.
    :param quiet: log no line for each connection.
    """

    def __init__(
        self,
        name: str,
        endpoint: IStreamClientEndpoint,
        tap: Callable[[], Any],
        reactor: Any,
        *,
        greeting_timeout: float = 30.0,
        max_delay: float = 30.0,
        protocols: Mapping[str, Any] | None = None,
        quiet: bool = False,
    ) -> None:
        self._reactor = reactor
        self._monitor = name
        self._timeout = greeting_timeout
        self._quiet = quiet
        self._backoff = backoffPolicy(0.5, max_delay)
        self._failures = 0
        self._problem = ""
        self._wrapper: TappedProtocol | None = None
        super().__init__(
            TroubleReporter(name, endpoint, self._not_connected),
            TappedFactory(SnifferFactory(reactor, greeting_timeout, protocols), tap),
            retryPolicy=self._delay,
            clock=reactor,
            prepareConnection=self._connected,
        )

    # What a subclass fills in.

    def _met(self, client: Client, wrapper: TappedProtocol) -> None:
        """The monitor's dialect is known; its greeting is read next."""

    async def _attend(self, client: Client, wrapper: TappedProtocol) -> None:
        """The monitor is ready for commands. A MonitorError ends the connection's time."""

    def _left(self) -> None:
        """What ``_met`` and ``_attend`` began is over."""

    def _missing(self, reason: str) -> None:
        """There is no connection; it is said again for each attempt."""

    # The life of the connections.

    def stopService(self) -> Deferred[None]:
        """End the connection, if need be without the monitor, and make no other."""
        stopping: Deferred[None] = super().stopService()
        if self._wrapper is not None:
            self._wrapper.give_up("", "it was stopped")
        return stopping

    def _delay(self, attempt: int) -> float:
        # ClientService takes a connection for a success; without a greeting it is none.
        self._failures += 1
        return self._backoff(self._failures)

    def _not_connected(self, reason: str) -> None:
        if not self.running:
            return
        self._missing(reason)
        if reason != self._problem:
            self._problem = reason
            _log.warn("{name}: no connection: {reason}", name=self._monitor, reason=reason)

    def _connected(self, wrapper: Any) -> None:
        # ClientService cannot have a connection end before this returns: nothing is awaited.
        self._wrapper = wrapper
        keeping = Deferred.fromCoroutine(self._keep(wrapper))
        keeping.addErrback(self._failed, wrapper)

    def _failed(self, failure: Failure, wrapper: TappedProtocol) -> None:
        _log.failure("{name}: it cannot be attended to", failure, name=self._monitor)
        wrapper.abortConnection()

    async def _keep(self, wrapper: TappedProtocol) -> None:
        try:
            client: Client = await wrapper.wrappedProtocol.known  # type: ignore[attr-defined]
            self._met(client, wrapper)
            await client.when_greeted()
            self._failures, self._problem = 0, ""
            if not self._quiet:
                _log.info("{name}: connected", name=self._monitor)
            await self._attend(client, wrapper)
            reason: Exception = await client.when_disconnected()
        except MonitorError as error:
            reason = error
        finally:
            self._left()
        self._wrapper = None
        self._not_connected(wrapper.problem or str(reason))


@implementer(IStreamClientEndpoint)
class TroubleReporter:
    """
    An endpoint that says why it could not connect; ``ClientService`` itself keeps that quiet,
    and logs the endpoint.

    :param name: what the log calls it.
    :param endpoint: what connects.
    :param report: gets the reason.
    """

    def __init__(
        self, name: str, endpoint: IStreamClientEndpoint, report: Callable[[str], None]
    ) -> None:
        self._name = name
        self._endpoint = endpoint
        self._report = report

    def __repr__(self) -> str:
        return self._name

    def connect(self, factory: Any) -> Deferred[Any]:
        """Connect as the endpoint does."""

        def failed(failure: Failure) -> Failure:
            self._report(why_refused(failure))
            return failure

        connecting: Deferred[Any] = maybeDeferred(self._endpoint.connect, factory)
        return connecting.addErrback(failed)
