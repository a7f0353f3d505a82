"""The real monitor that is asked what is not in the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger

from txqmp.errors import CommandError, CommandFailed, MonitorError
from txqmp.sniffer import Client, connect

_log = Logger()


class Elsewhere:
    """
    A monitor that is connected to when it is first needed, for all clients at once.

    :param reactor: measures all times.
    :param endpoint: where it is.
    :param dialect: what it must speak: ``text`` or ``json``.
    :param timeout: seconds for connecting, for the greeting, and for each answer.
    """

    def __init__(
        self, reactor: Any, endpoint: IStreamClientEndpoint, dialect: str, timeout: float = 30.0
    ) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._dialect = dialect
        self._timeout = timeout
        self._client: Client | None = None
        self._lock = DeferredLock()
        self._event: Callable[[Any], object] = lambda event: None

    def subscribe(self, event: Callable[[Any], object]) -> None:
        """Call back with each event of the monitor, from the first question on."""
        self._event = event

    async def ask(self, send: Callable[[Any, float], Deferred[Any]]) -> Any:
        """
        Ask it something.

        :param send: sends the command by a client, with the seconds for its answer.
        :returns: the answer.
        :raises CommandError: what the monitor says, or that it cannot be asked.
        """
        try:
            client: Client = await self._lock.run(self._connect)
            return await send(client, self._timeout)
        except CommandError:
            raise
        except Exception as error:
            raise CommandFailed(f"replay: the other monitor cannot be asked: {error}") from None

    def _connect(self) -> Deferred[Client]:
        return Deferred.fromCoroutine(self._connected())

    async def _connected(self) -> Client:
        if self._client is not None:
            return self._client
        client = await connect(self._reactor, self._endpoint, self._timeout)
        if client.dialect != self._dialect:
            client.close()
            raise MonitorError(f"it speaks {client.dialect}, and the journal {self._dialect}")
        _log.info("connected to the monitor that is asked what is not in the record")
        client.subscribe(None, self._event)
        client.when_disconnected().addCallback(self._lost, client)
        self._client = client
        return client

    def _lost(self, reason: Exception, client: Client) -> None:
        if client is self._client:
            self._client = None

    def close(self) -> None:
        """End the connection; the next question makes another one."""
        if self._client is not None:
            self._client.close()
            self._client = None
