"""Connecting to a monitor of either dialect: what it says first tells which (rule 24)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater

from tests.jsonqmp.client_wire import greeting
from tests.wires import Wire, pending, result
from txqmp.errors import ConnectionUnusable, GreetingTimeout, ProtocolViolation
from txqmp.jsonqmp.client import JSONClient
from txqmp.sniffer import SnifferFactory, connect
from txqmp.text.client import TextClient

TEXT = b"+ OK QEMU 0.10.50 QMP 0.1\r\n"
JSON = json.dumps(greeting("oob")).encode() + b"\r\n"
NEGOTIATED = b'{"return": {}, "id": 0}\r\n'


class Memory:
    """
    An endpoint in memory, with the test in the place of the monitor.

    :ivar wire: the connection, once it was let in.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.cancelled = False
        self.wire: Wire

    def connect(self, factory: SnifferFactory) -> Deferred[Any]:
        self._factory = factory
        self._connected: Deferred[Any] = Deferred(self._cancel)
        return self._connected

    def _cancel(self, _: Any) -> None:
        self.cancelled = True

    def lets_in(self) -> Wire:
        self.wire = Wire(self._factory)
        self._connected.callback(self.wire.protocol)
        return self.wire


def met(timeout: float = 5.0, **settings: Any) -> tuple[Memory, Deferred[Any], Wire]:
    """A connection that is there, and on which nothing was said."""
    memory = Memory()
    client = connect(memory.clock, memory, timeout, **settings)  # type: ignore[arg-type]
    return memory, client, memory.lets_in()


class TestDialects:
    @pytest.mark.parametrize("before", [b"", b" \r\n\t", b"\n"])
    def test_a_plus_is_text(self, before: bytes) -> None:
        memory, client, wire = met()
        wire.sends(before, TEXT)
        assert isinstance(result(client), TextClient)
        assert result(client).greeting.qemu == "0.10.50"
        assert not memory.clock.getDelayedCalls()

    @pytest.mark.parametrize("before", [b"", b" \r\n\t", b"\n"])
    def test_a_brace_is_json(self, before: bytes) -> None:
        memory, client, wire = met()
        wire.sends(before + JSON)
        assert pending(client)
        assert b"qmp_capabilities" in wire.transport.value()
        wire.sends(NEGOTIATED)
        assert isinstance(result(client), JSONClient)
        assert not memory.clock.getDelayedCalls()

    @pytest.mark.parametrize("stream", [TEXT, JSON + NEGOTIATED])
    def test_byte_by_byte(self, stream: bytes) -> None:
        _, client, wire = met()
        wire.sends(*(bytes([byte]) for byte in stream))
        assert result(client).when_greeted().called

    def test_what_follows_the_greeting_is_the_client_s(self) -> None:
        _, client, wire = met()
        events: list[Any] = []
        client.addCallback(lambda it: (it.subscribe(None, events.append), it)[1])
        wire.sends(TEXT + b"* EVENT stop\r\n")
        assert [event.name for event in events] == ["stop"]
        reply = result(client).execute("stop")
        wire.sends(b"+ OK stop completed\r\n")
        assert result(reply).command == "stop"

    def test_the_client_learns_of_the_end(self) -> None:
        _, client, wire = met()
        wire.sends(TEXT)
        wire.breaks()
        assert isinstance(result(result(client).execute("stop")), ConnectionUnusable)

    def test_settings_are_the_client_s(self) -> None:
        _, client, wire = met(window=3)
        wire.sends(TEXT)
        assert result(client).factory.window == 3

    @pytest.mark.parametrize("data", [b"hello", b"[", b"* EVENT stop", b"\xff", b" \n-", b"\x00"])
    def test_any_other_first_byte_is_a_violation(self, data: bytes) -> None:
        memory, client, wire = met()
        wire.sends(data, TEXT)
        assert isinstance(result(client), ProtocolViolation)
        assert wire.transport.aborted
        wire.hangs_up()
        assert not memory.clock.getDelayedCalls()

    @pytest.mark.parametrize("data", [b"+ OK stop completed\r\n", b"{}\r\n"])
    def test_so_is_another_message(self, data: bytes) -> None:
        memory, client, wire = met()
        wire.sends(data)
        assert isinstance(result(client), ProtocolViolation)
        assert wire.transport.aborted
        wire.hangs_up()
        assert not memory.clock.getDelayedCalls()


class TestWaiting:
    @pytest.mark.parametrize("said", [b"", b"\r\n", b"+ OK QE", JSON, b"{"])
    def test_a_silent_monitor_is_given_up(self, said: bytes) -> None:
        memory, client, wire = met(5.0)
        wire.sends(said)
        memory.clock.advance(4.9)
        assert pending(client)
        memory.clock.advance(0.1)
        error = result(client)
        assert isinstance(error, GreetingTimeout)
        assert error.timeout == 5.0
        assert wire.transport.aborted
        wire.hangs_up()
        assert not memory.clock.getDelayedCalls()

    def test_so_is_one_that_does_not_let_in(self) -> None:
        memory = Memory()
        client = connect(memory.clock, memory, 5.0)  # type: ignore[arg-type]
        memory.clock.advance(5)
        assert isinstance(result(client), defer.TimeoutError)
        assert memory.cancelled
        assert not memory.clock.getDelayedCalls()

    @pytest.mark.parametrize("said", [b"", b"+ OK", JSON])
    def test_a_connection_that_ends_before(self, said: bytes) -> None:
        memory, client, wire = met()
        wire.sends(said)
        wire.breaks()
        assert isinstance(result(client), ConnectionUnusable)
        assert not memory.clock.getDelayedCalls()


class TestCancelling:
    def test_while_connecting(self) -> None:
        memory = Memory()
        client = connect(memory.clock, memory)  # type: ignore[arg-type]
        client.cancel()
        assert isinstance(result(client), CancelledError)
        assert memory.cancelled
        assert not memory.clock.getDelayedCalls()

    @pytest.mark.parametrize("said", [b"", b"+", b"{", JSON])
    def test_while_the_monitor_is_silent(self, said: bytes) -> None:
        memory, client, wire = met()
        wire.sends(said)
        client.cancel()
        assert isinstance(result(client), CancelledError)
        assert wire.transport.aborted
        wire.hangs_up()
        assert not memory.clock.getDelayedCalls()

    def test_what_comes_before_the_end_is_seen_is_nothing(self) -> None:
        memory, client, wire = met(5.0)
        client.cancel()
        assert isinstance(result(client), CancelledError)
        wire.sends(b"hello", TEXT)
        memory.clock.advance(5)
        wire.hangs_up()
        assert not memory.clock.getDelayedCalls()


class Monitor(Protocol):
    """Says something at once, and something else when spoken to."""

    factory: Any

    def connectionMade(self) -> None:
        self.factory.connections.add(self)
        self.transport.write(self.factory.first)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(self.factory.answers.pop(0))  # type: ignore[union-attr]

    def connectionLost(self, reason: Any = None) -> None:
        self.factory.connections.discard(self)


class Listening:
    """A monitor at a UNIX socket."""

    def __init__(self, folder: Path, first: bytes, *answers: bytes) -> None:
        self.factory: Any = Factory.forProtocol(Monitor)
        self.factory.first, self.factory.answers = first, list(answers)
        self.factory.connections = set()
        self.path = str(folder / "m.sock")

    async def __aenter__(self) -> Listening:
        from twisted.internet import reactor

        self._port = await UNIXServerEndpoint(reactor, self.path, mode=0o600).listen(self.factory)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._port.stopListening()


class TestSockets:
    async def test_text(self, running_reactor: Any, short_path: Path) -> None:
        async with Listening(short_path, TEXT, b"+ OK stop completed\r\n") as monitor:
            client: Any = await connect(running_reactor, f"unix:{monitor.path}")
            assert (await client.execute("stop")).command == "stop"
            await client.close()

    async def test_json(self, running_reactor: Any, short_path: Path) -> None:
        answers = NEGOTIATED, b'{"return": {"running": true}, "id": 1}\r\n'
        async with Listening(short_path, JSON, *answers) as monitor:
            client: Any = await connect(running_reactor, f"unix:{monitor.path}")
            assert await client.execute("query-status") == {"running": True}
            await client.close()

    async def test_nobody_listens(self, running_reactor: Any, short_path: Path) -> None:
        with pytest.raises(ConnectError):
            await connect(running_reactor, f"unix:{short_path / 'm.sock'}")

    @pytest.mark.parametrize("first", [b"", b"+ OK", JSON])
    async def test_a_cancelled_one_is_gone(
        self, running_reactor: Any, short_path: Path, first: bytes
    ) -> None:
        async with Listening(short_path, first, b"") as monitor:
            client = connect(running_reactor, f"unix:{monitor.path}")
            while not monitor.factory.connections:
                await deferLater(running_reactor, 0)
            await deferLater(running_reactor, 0)
            client.cancel()
            assert isinstance(result(client), CancelledError)
            while monitor.factory.connections:
                await deferLater(running_reactor, 0)


@pytest.mark.parametrize("endpoint", ["nosuch:1", "", "m.sock"])
def test_what_is_no_endpoint_is_refused_at_once(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        connect(Clock(), endpoint)
