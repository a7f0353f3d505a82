"""A relay that keeps all that goes through it, to compare with."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import UNIXClientEndpoint, UNIXServerEndpoint
from twisted.internet.protocol import Factory, Protocol


class End(Protocol):
    """One side; what comes is kept, then passed on."""

    def __init__(self, kept: list[bytes]) -> None:
        self.kept = kept
        self.other: End | None = None

    def dataReceived(self, data: bytes) -> None:
        self.kept.append(data)
        assert self.other is not None
        self.other.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        if self.other is not None:
            self.other.transport.loseConnection()


class Wiretap(Factory):
    """Between two UNIX sockets: ``said`` by clients, ``heard`` by them."""

    noisy = False

    def __init__(self, reactor: Any, target: str) -> None:
        self._reactor = reactor
        self._target = target
        self._said: list[bytes] = []
        self._heard: list[bytes] = []

    @property
    def said(self) -> bytes:
        return b"".join(self._said)

    @property
    def heard(self) -> bytes:
        return b"".join(self._heard)

    async def listen(self, path: str) -> Any:
        return await UNIXServerEndpoint(self._reactor, path).listen(self)

    def buildProtocol(self, addr: Any) -> Protocol:
        client = End(self._said)
        monitor = End(self._heard)
        client.other, monitor.other = monitor, client
        client.connectionMade = lambda: self._connect(client, monitor)  # type: ignore[method-assign]
        return client

    def _connect(self, client: End, monitor: End) -> None:
        client.transport.pauseProducing()
        factory = Factory.forProtocol(lambda: monitor)
        factory.noisy = False
        connecting = UNIXClientEndpoint(self._reactor, self._target).connect(factory)
        connecting.addCallback(lambda _: client.transport.resumeProducing())
