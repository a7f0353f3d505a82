"""A shared monitor in memory: the service, a monitor that the test plays, and its clients."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IUNIXTransport
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.wires import Transport
from txqmp.journal.record import Entry, Kind, Record, Run
from txqmp.jsonqmp.values import ValueSplitter
from txqmp.proxy.tap import HOLD
from txqmp.service.shared import SharedService

GREETING = (
    b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, '
    b'"package": "v7.2.22 \\u00C4"}, "capabilities": ["oob"]}}\r\n'
)
TEXT_GREETING = b"+ OK QEMU 0.10.50 QMP 0.1\r\n"


STAGES: list[Stage] = []
"""Those that have begun, and must end."""


def values(data: bytes) -> list[Any]:
    splitter = ValueSplitter()
    return [json.loads(piece.raw) for piece in splitter.feed(data) + splitter.finish()]


@implementer(IUNIXTransport)
class UNIXTransport(Transport):
    """Takes descriptors, and keeps the inodes of their files, each with the bytes before it."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[tuple[bytes, int]] = []

    def sendFileDescriptor(self, descriptor: int) -> None:
        self.passed.append((self.value(), os.fstat(descriptor).st_ino))


class Monitor:
    """The other end of the one connection."""

    def __init__(self, protocol: Any) -> None:
        self.transport = UNIXTransport()
        self.gone = False
        self._protocol = protocol
        protocol.makeConnection(self.transport)

    def says(self, *messages: Any) -> None:
        for message in messages:
            data = message if isinstance(message, bytes) else json.dumps(message).encode()
            self._protocol.dataReceived(data.rstrip() + b"\r\n")

    def heard(self) -> bytes:
        data = self.transport.value()
        self.transport.clear()
        return data

    def asked(self) -> list[Any]:
        """The JSON commands that came since the last call."""
        return values(self.heard())

    def lines(self) -> list[str]:
        """The text commands."""
        return self.heard().decode("ascii").splitlines()

    def returns(self, value: Any, number: int) -> None:
        self.says({"return": value, "id": number})

    def answers(self, value: Any = None) -> list[str]:
        """Carry out all that came; say what that was."""
        done = self.asked()
        for command in done:
            self.returns({} if value is None else value, command["id"])
        return [command.get("execute") or command["exec-oob"] for command in done]

    def is_gone(self, error: Exception | None = None) -> None:
        self.gone = True
        self._protocol.connectionLost(Failure(error or ConnectionLost()))


class Client:
    """A client, played by the test."""

    def __init__(self, entrance: Any) -> None:
        self.transport = Transport()
        self.guest: Any = entrance.buildProtocol(None)
        self.guest.makeConnection(self.transport)
        self.left = False

    def sends(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.guest.dataReceived(chunk)

    def passes(self, descriptor: int, data: bytes) -> None:
        """Send bytes, and a descriptor with the first."""
        self.guest._inner._descriptors.append(descriptor)
        self.sends(data)

    def asks(self, *messages: Any) -> None:
        """Send JSON commands; a string is one without arguments."""
        for message in messages:
            if isinstance(message, str):
                message = {"execute": message}
            self.sends(json.dumps(message).encode())

    def raw(self) -> bytes:
        data = self.transport.value()
        self.transport.clear()
        return data

    def heard(self) -> list[Any]:
        """The JSON messages that came since the last call, of events the names only."""
        return [message.get("event", message) for message in values(self.raw())]

    def lines(self) -> list[str]:
        return self.raw().decode("ascii").splitlines()

    def does_not_read(self) -> None:
        self.transport.producer.pauseProducing()

    def reads(self) -> None:
        self.transport.producer.resumeProducing()

    def leaves(self) -> None:
        self.left = True
        self.guest.connectionLost(Failure(ConnectionDone()))

    def half_closes(self) -> None:
        self.guest.readConnectionLost()


class Notes:
    """In the place of a journal."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def open(self) -> None: ...

    def record(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.records += entry.records() if isinstance(entry, Run) else [entry]

    async def close(self) -> None: ...


class Stage:
    """
    The service, and what it stands between.

    :param text: whether the monitor speaks text.
    """

    def __init__(self, text: bool = False, **settings: Any) -> None:
        self.clock = MemoryReactorClock()
        self.journal: Any = Notes()
        self.attempts: list[tuple[Any, Deferred[Any]]] = []
        self._clients: list[Client] = []
        endpoint: Any = self
        self.service = SharedService(
            "unix:p.sock", endpoint, self.journal, self.clock, name="vm1",
            listen_text="unix:t.sock", quiet=True, **settings,
        )  # fmt: skip
        self.service.startService()
        self._text = text
        self.monitor: Any = None
        STAGES.append(self)

    def ends(self) -> None:
        """Let the service stop, with nobody connected to it."""
        stopping = self.service.stopService()
        if self.monitor is not None and not self.monitor.gone:
            self.monitor.is_gone(ConnectionDone())
        for client in self._clients:
            if not client.left:
                client.leaves()
        self.clock.advance(0)
        assert stopping.called

    @classmethod
    def ready(cls, text: bool = False, **settings: Any) -> Stage:
        stage = cls(text, **settings)
        stage.begins()
        return stage

    def connect(self, factory: Any) -> Deferred[Any]:
        """The endpoint."""
        attempt: Deferred[Any] = Deferred()
        self.attempts.append((factory, attempt))
        return attempt

    def begins(self, greeting: bytes = b"") -> Monitor:
        """The monitor takes the connection, and greets."""
        factory, attempt = self.attempts.pop()
        protocol = factory.buildProtocol(None)
        self.monitor = Monitor(protocol)
        attempt.callback(protocol)
        self.monitor.says(greeting or (TEXT_GREETING if self._text else GREETING))
        if not self._text:
            self.monitor.returns({}, 0)
            self.monitor.heard()
        return self.monitor

    def again(self, greeting: bytes = b"") -> Monitor:
        """The monitor is back."""
        for _ in range(100):
            if self.attempts:
                return self.begins(greeting)
            self.clock.advance(0.1)
        raise AssertionError("it does not try again")

    def arrives(self, path: str = "p.sock") -> Client:
        for server in self.clock.unixServers:
            if server[0] == path:
                self._clients.append(Client(server[1]))
                return self._clients[-1]
        raise AssertionError(path)

    def client(self, *enable: str) -> Client:
        """A JSON client that has negotiated."""
        client = self.arrives()
        client.asks({"execute": "qmp_capabilities", "arguments": {"enable": list(enable)}})
        client.raw()
        return client

    def text_client(self) -> Client:
        """A text client that was greeted."""
        client = self.arrives("t.sock")
        client.raw()
        return client

    def records(self, wanted: Callable[[Record], object] | Kind | None = None) -> list[Record]:
        """What was journalled, of a kind, or as wanted."""
        self.clock.advance(HOLD)
        return [
            record
            for record in self.journal.records
            if (record.kind is wanted if isinstance(wanted, Kind) else not wanted or wanted(record))
        ]


def plain(name: object) -> str:
    """The name of a descriptor in the monitor, without what makes it hard to guess."""
    return re.sub(r"(txqmp\.[0-9]+)\.[0-9a-f]{16}\.", r"\1.", str(name))
