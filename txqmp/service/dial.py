"""A proxy that connects on both sides, for as long as there is somebody to connect to."""

from __future__ import annotations

from typing import Any

from twisted.application.internet import ClientService
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from txqmp.proxy.refusal import why_refused
from txqmp.proxy.relay import RelayFactory

_log = Logger()


class OneConversation(Service):
    """
    Connects once, and stops the reactor when what was said is over: there will be no other.

    :param endpoint: where the monitor is.
    :param relay: takes the connection.
    :param reactor: is stopped.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, relay: RelayFactory, reactor: Any) -> None:
        self._endpoint = endpoint
        self._relay = relay
        self._reactor = reactor

    def startService(self) -> None:
        """Connect."""
        super().startService()
        Deferred.fromCoroutine(self._talk()).addErrback(self._failed)

    async def _talk(self) -> None:
        await self._endpoint.connect(self._relay)
        await self._relay.when_idle()
        self._stop("the one conversation that there could be is over")

    def _failed(self, failure: Failure) -> None:
        self._stop(f"cannot connect to the monitor: {why_refused(failure)}")

    def _stop(self, reason: str) -> None:
        if self.running:
            _log.info("{reason}", reason=reason)
            self._reactor.stop()


def dialer(
    monitor: IStreamClientEndpoint, client: IStreamClientEndpoint, relay: RelayFactory, reactor: Any
) -> Service:
    """
    Make what connects to the monitor, for the relay to connect to the client then: again and
    again, unless one of them cannot be connected to again (``fd:N``).
    """
    if getattr(monitor, "once", False) or getattr(client, "once", False):
        return OneConversation(monitor, relay, reactor)
    service: Service = ClientService(monitor, relay, clock=reactor)
    return service
