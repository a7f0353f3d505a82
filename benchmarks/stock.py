"""
The peers: what one would write with Twisted alone, plainly and without tricks.

A ``LineReceiver``, a Deferred per command, ``json`` per line.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from typing import IO, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.protocols.portforward import ProxyClient, ProxyClientFactory, ProxyFactory, ProxyServer
from twisted.python.failure import Failure

GREETING = b"+ OK QEMU 0.10.50 QMP 0.1"


class StockClient(LineReceiver):
    """A client of the text protocol."""

    def __init__(self) -> None:
        self._greeted: Deferred[None] = Deferred()
        self._is_greeted = False
        self._waiting: deque[Deferred[list[str]]] = deque()
        self._lines: list[str] = []

    def when_greeted(self) -> Deferred[None]:
        """Fires when the greeting is there; may be asked once."""
        return self._greeted

    def execute(self, command: str) -> Deferred[list[str]]:
        """Send a command; the Deferred fires with its data lines."""
        waiting: Deferred[list[str]] = Deferred()
        self._waiting.append(waiting)
        self.sendLine(command.encode("ascii"))
        return waiting

    def lineReceived(self, line: bytes) -> None:
        """Take a line of the monitor."""
        text = line.decode("ascii")
        if text.startswith("="):
            self._lines.append(text[2:])
        elif not self._is_greeted:
            self._is_greeted = True
            self._greeted.callback(None)
        elif text.startswith("+ OK "):
            lines, self._lines = self._lines, []
            self._waiting.popleft().callback(lines)
        elif text.startswith("- "):
            self._lines = []
            self._waiting.popleft().errback(ValueError(text))
        # What begins with "*" is an event, which nobody wants here.


class StockServer(LineReceiver):
    """A server of the text protocol: commands by name, whose handlers may be asynchronous."""

    def __init__(self, commands: dict[str, Callable[..., Any]]) -> None:
        self._commands = commands

    def connectionMade(self) -> None:
        """Greet the client."""
        self.sendLine(GREETING)

    def lineReceived(self, line: bytes) -> None:
        """Take a command."""
        words = line.decode("ascii").split()
        if not words:
            return
        handler = self._commands.get(words[0].lower())
        if handler is None:
            self.sendLine(b"- BAD unknown command")
            return
        result = maybeDeferred(handler, *words[1:])
        result.addCallbacks(self._succeeded, self._failed, callbackArgs=(words[0],))

    def _succeeded(self, data: str | None, name: str) -> None:
        for text in data.splitlines() if data else ():
            self.sendLine(b"= " + text.encode("ascii"))
        self.sendLine(b"+ OK " + name.encode("ascii") + b" completed")

    def _failed(self, failure: Failure) -> None:
        self.sendLine(b"- ERR " + failure.getErrorMessage().encode("ascii"))


class StockServerFactory(Factory):
    """Makes them."""

    noisy = False

    def __init__(self, commands: dict[str, Callable[..., Any]]) -> None:
        self._commands = commands

    def buildProtocol(self, addr: Any) -> StockServer:
        """Make one."""
        return StockServer(self._commands)


class ToUNIX:
    """Lets ``portforward``, which knows TCP only, connect to a UNIX socket."""

    def connectTCP(self, host: str, port: int, factory: Any) -> Any:
        """Connect to the path that is called ``host``."""
        from twisted.internet import reactor

        return reactor.connectUNIX(host, factory)  # type: ignore[attr-defined]


class ForwardServer(ProxyServer):
    """Twisted's own forwarder."""

    reactor = ToUNIX()


def forward(path: str) -> ProxyFactory:
    """Twisted's own forwarder, to a UNIX socket."""
    factory = ProxyFactory(path, 0)
    factory.protocol = ForwardServer
    factory.noisy = False
    return factory


class _Lines(LineReceiver):
    """Writes every line of one direction."""

    MAX_LENGTH = 64 * 1024 * 1024
    delimiter = b"\n"

    def __init__(self, journal: IO[str], direction: str, connection: int) -> None:
        self._journal = journal
        self._direction = direction
        self._connection = connection

    def lineReceived(self, line: bytes) -> None:
        """Write it."""
        note(self._journal, self._direction, line.decode("latin-1"), self._connection)


def note(journal: IO[str], direction: str, text: str, connection: int) -> None:
    """Write one line of a plain journal."""
    record = {
        "time": time.time(),
        "mono": time.monotonic(),
        "connection": connection,
        "kind": "closed" if direction == "closed" else "line",
        "direction": direction,
        "raw": text,
    }
    journal.write(json.dumps(record, separators=(",", ":")) + "\n")


class RecordingClient(ProxyClient):
    """The forwarder's connection to the monitor."""

    def dataReceived(self, data: bytes) -> None:
        """Pass on, then record."""
        super().dataReceived(data)
        self.peer.from_monitor.dataReceived(data)


class RecordingClientFactory(ProxyClientFactory):
    """Makes them."""

    noisy = False
    protocol = RecordingClient


class RecordingServer(ForwardServer):
    """Twisted's own forwarder, with a LineReceiver each way and ``json`` per line."""

    clientProtocolFactory = RecordingClientFactory

    def connectionMade(self) -> None:
        """A client is there."""
        journal = self.factory.journal
        self.factory.count += 1
        self.from_client = _Lines(journal, "to-monitor", self.factory.count)
        self.from_monitor = _Lines(journal, "to-client", self.factory.count)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Pass on, then record."""
        super().dataReceived(data)
        self.from_client.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone."""
        super().connectionLost(reason)
        note(self.factory.journal, "closed", "", self.factory.count)
        self.factory.journal.flush()


def record(path: str, journal: IO[str]) -> ProxyFactory:
    """Twisted's own forwarder, recording."""
    factory: Any = ProxyFactory(path, 0)
    factory.protocol = RecordingServer
    factory.noisy = False
    factory.journal = journal
    factory.count = 0
    return factory
