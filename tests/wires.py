"""One end of a conversation, with a test in the place of the other: in memory, or on a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    UNIXClientEndpoint,
    UNIXServerEndpoint,
)
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from txqmp.errors import CommandInterrupted

KERNEL = 128 * 1024
"""Bytes of a socket's buffer, where a test says how many."""


class Transport(StringTransport):
    """A ``StringTransport`` that, as real ones do, lets a missing producer be unregistered."""

    aborted = False

    def unregisterProducer(self) -> None:
        self.producer = None

    def abortConnection(self) -> None:
        self.aborted = True


class Wire:
    """
    A protocol in memory, as a peer sees it: ``says`` what arrives, ``heard`` what left.
    """

    def __init__(self, factory: Any) -> None:
        self.transport = Transport()
        self.protocol: Any = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)

    def says(self, *lines: str) -> None:
        for line in lines:
            self.sends(line.encode("latin-1") + b"\r\n")

    def sends(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.protocol.dataReceived(chunk)

    def heard(self) -> list[str]:
        """The lines that left since the last call."""
        data = self.transport.value()
        self.transport.clear()
        lines = data.decode("ascii").split("\r\n")
        assert lines.pop() == "", "the last line has no end"
        return lines

    def hangs_up(self, reason: Exception | None = None) -> None:
        """The peer, or the network, ends the connection."""
        self.protocol.connectionLost(Failure(reason or ConnectionDone()))

    def breaks(self) -> None:
        self.hangs_up(ConnectionLost())


class Outcomes:
    """What became of some Deferreds, in the order in which they fired."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Any]] = []

    def watch(self, name: str, deferred: Deferred[Any]) -> Deferred[Any]:
        deferred.addCallbacks(self._succeeded, self._failed, (name,), None, (name,), None)
        return deferred

    def _succeeded(self, result: Any, name: str) -> Any:
        self.all.append((name, result))
        return result

    def _failed(self, failure: Failure, name: str) -> Any:
        self.all.append((name, failure.value))
        return failure.value

    def __getitem__(self, name: str) -> Any:
        (outcome,) = [result for n, result in self.all if n == name]
        return outcome

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.all]


def result(deferred: Deferred[Any]) -> Any:
    """What a Deferred has fired with, be it an exception; it must have."""
    outcomes = Outcomes()
    outcomes.watch("it", deferred)
    assert outcomes.all, "it has not fired"
    return outcomes["it"]


def pending(deferred: Deferred[Any]) -> bool:
    """Whether a Deferred has not fired."""
    return not deferred.called


def interrupted(errors: Iterable[Any]) -> list[str]:
    """The commands of which the errors say that their outcome is unknown."""
    commands = []
    for error in errors:
        assert type(error) is CommandInterrupted
        commands.append(error.command)
    return commands


class Raw(Protocol):
    """A peer on a real socket that knows no protocol: bytes out, bytes in."""

    def __init__(self) -> None:
        self.heard = b""
        self.reading = True
        self._wanted: tuple[int, Deferred[bytes]] | None = None
        self._lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        if not self.reading:
            transport: Any = self.transport
            transport.socket.setsockopt(SOL_SOCKET, SO_RCVBUF, KERNEL)
            transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        if self._wanted is not None and self.heard.count(b"\n") >= self._wanted[0]:
            (_, deferred), self._wanted = self._wanted, None
            deferred.callback(self.heard)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._lost.callback(None)

    def lines(self, count: int) -> Deferred[bytes]:
        """All that has come, once it is so many lines."""
        self._wanted = (count, Deferred())
        deferred = self._wanted[1]
        self.dataReceived(b"")
        return deferred

    def when_lost(self) -> Deferred[None]:
        return self._lost


class Sockets:
    """Real sockets of one kind; all that was opened is closed at the end."""

    def __init__(self, reactor: Any, kind: str, path: Path) -> None:
        self._reactor = reactor
        self._kind = kind
        self._path = str(path / "m.sock")
        self._port: IListeningPort | None = None
        self._open: list[Any] = []

    async def listen(self, factory: Any) -> None:
        if self._kind == "unix":
            server: Any = UNIXServerEndpoint(self._reactor, self._path, mode=0o600)
        else:
            server = TCP4ServerEndpoint(self._reactor, 0, interface="127.0.0.1")
        self._port = await server.listen(factory)

    @property
    def endpoint(self) -> Any:
        if self._kind == "unix":
            return UNIXClientEndpoint(self._reactor, self._path)
        assert self._port is not None
        number = self._port.getHost().port  # type: ignore[attr-defined]
        return TCP4ClientEndpoint(self._reactor, "127.0.0.1", number)

    async def connect(self, factory: Any) -> Any:
        protocol = await self.endpoint.connect(factory)
        self._open.append(protocol)
        return protocol

    async def raw(self, reading: bool = True) -> Raw:
        factory = Factory.forProtocol(Raw)
        if not reading:
            factory.protocol = _deaf
        return await self.connect(factory)

    async def until(self, condition: Callable[[], object], turns: int = 200_000) -> None:
        """Let the reactor turn until something is so."""
        for _ in range(turns):
            if condition():
                return
            await deferLater(self._reactor, 0)
        raise AssertionError("it did not come about")

    async def turn(self, times: int) -> None:
        """Let the reactor turn a few times: nothing is expected to happen."""
        for _ in range(times):
            await deferLater(self._reactor, 0)

    async def drop(self) -> None:
        """Listen no more."""
        if self._port is not None:
            await self._port.stopListening()
            self._port = None

    async def close(self) -> None:
        await self.drop()
        for protocol in self._open:
            protocol.transport.abortConnection()


def _deaf() -> Raw:
    raw = Raw()
    raw.reading = False
    return raw
