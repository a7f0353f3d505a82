"""Bytes go both ways as they came, whatever becomes of either end or of the tap."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectBindError, ConnectingCancelledError, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.conftest import LoggedFailures
from tests.wires import Raw, Sockets, Transport, pending, result
from txqmp.monitor.closing import CLOSE_TIMEOUT
from txqmp.proxy.hearing import ITap
from txqmp.proxy.relay import RelayFactory

# In memory: every order of things, and the clock.


class Line(Transport):
    """The relay's end of a connection whose other end the test is."""

    half_closed = False

    def loseWriteConnection(self) -> None:
        self.half_closed = True


class HastyLine(Line):
    """One that is gone at once when it is lost, as a half-closed socket is."""

    def loseConnection(self) -> None:
        if not self.disconnecting:
            super().loseConnection()
            self.protocol.connectionLost(Failure(ConnectionLost()))


class End:
    """A client or a monitor, played by the test."""

    def __init__(self, protocol: Any, line: Line) -> None:
        self.protocol = protocol
        self.line = line
        line.protocol = protocol
        protocol.makeConnection(line)

    def says(self, data: bytes) -> None:
        assert self.line.producerState == "producing", "the relay does not read here"
        self.protocol.dataReceived(data)

    def heard(self) -> bytes:
        data = self.line.value()
        self.line.clear()
        return data

    def says_no_more(self) -> None:
        self.protocol.readConnectionLost()

    def is_gone(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionLost()))

    @property
    def closed(self) -> bool:
        return bool(self.line.disconnecting)


class Upstream:
    """An endpoint whose attempts end when the test says so."""

    def __init__(self) -> None:
        self.attempts: list[tuple[Any, Deferred[Any]]] = []
        self.cancelled = 0

    def connect(self, factory: Any) -> Deferred[Any]:
        attempt: Deferred[Any] = Deferred(self._cancel)
        self.attempts.append((factory, attempt))
        return attempt

    def _cancel(self, attempt: Deferred[Any]) -> None:
        # As Twisted's endpoints do: it is no CancelledError.
        self.cancelled += 1
        attempt.errback(ConnectingCancelledError(None))

    def connects(self, line: Line) -> End:
        factory, attempt = self.attempts.pop(0)
        end = End(factory.buildProtocol(None), line)
        attempt.callback(end.protocol)
        return end

    def refuses(self) -> None:
        _, attempt = self.attempts.pop(0)
        attempt.errback(ConnectBindError(string="it is asleep"))


class Ear:
    """A tap that keeps what it is told, and raises where a test says so."""

    def __init__(self, bad: str = "") -> None:
        self.told: list[tuple[Any, ...]] = []
        self._bad = bad

    def __getattr__(self, what: str) -> Any:
        if what not in ITap:
            raise AttributeError(what)

        def tell(*arguments: Any) -> None:
            self.told.append((what, *arguments))
            if what == self._bad:
                raise ZeroDivisionError

        return tell

    @property
    def words(self) -> list[str]:
        return [what for what, *_ in self.told]


class Relay:
    """A relay in memory."""

    line: type[Line] = Line

    def __init__(self, bad_tap: str = "", **settings: Any) -> None:
        self.clock = Clock()
        self.upstream = Upstream()
        self.ears: list[Ear] = []
        self._bad_tap = bad_tap
        self.factory = RelayFactory(self.upstream, self._tap_for, self.clock, **settings)

    def _tap_for(self, transport: Any, number: int) -> Ear:
        if self._bad_tap == "making":
            raise ZeroDivisionError
        self.ears.append(Ear(self._bad_tap))
        assert number == len(self.ears)
        return self.ears[-1]

    def client(self) -> End:
        return End(self.factory.buildProtocol(None), self.line())

    def monitor(self) -> End:
        return self.upstream.connects(self.line())

    def pair(self) -> tuple[End, End]:
        return self.client(), self.monitor()

    def is_clean(self) -> bool:
        return not (self.factory.conversations or self.clock.getDelayedCalls())


def logged(logs: Any, level: LogLevel) -> list[str]:
    return [e["log_format"].format(**e) for e in logs if e["log_level"] is level]


@pytest.mark.parametrize("chunk", [b"stop\r\n", b"\x00\xff\n\r", b"{", b"x" * 100_000])
def test_bytes_go_both_ways_as_they_came(chunk: bytes) -> None:
    relay = Relay()
    client, monitor = relay.pair()
    client.says(chunk)
    assert monitor.heard() == chunk
    monitor.says(chunk)
    assert client.heard() == chunk
    assert relay.ears[0].told == [("opened",), ("to_monitor", chunk), ("to_client", chunk)]


@given(said=st.lists(st.tuples(st.booleans(), st.binary(min_size=1)), max_size=40))
def test_no_order_and_no_size_of_chunks_changes_them(said: list[tuple[bool, bytes]]) -> None:
    relay = Relay()
    client, monitor = relay.pair()
    for of_client, chunk in said:
        (client if of_client else monitor).says(chunk)
    assert monitor.heard() == b"".join(c for of_client, c in said if of_client)
    assert client.heard() == b"".join(c for of_client, c in said if not of_client)
    ways = {True: "to_monitor", False: "to_client"}
    assert relay.ears[0].told[1:] == [(ways[of_client], c) for of_client, c in said]


def test_the_tap_hears_after_the_bytes_were_passed_on() -> None:
    relay = Relay()
    client, monitor = relay.pair()
    at_the_time: list[bytes] = []
    relay.ears[0].to_monitor = lambda data: at_the_time.append(monitor.line.value())
    client.says(b"stop\r\n")
    assert at_the_time == [b"stop\r\n"]


def test_a_client_is_not_read_until_the_monitor_is_there() -> None:
    relay = Relay()
    client = relay.client()
    assert client.line.producerState == "paused"
    relay.monitor()
    assert client.line.producerState == "producing"


def test_a_client_may_speak_before_the_greeting() -> None:
    relay = Relay()
    client, monitor = relay.pair()
    client.says(b"stop\r\n")
    assert monitor.heard() == b"stop\r\n"


def test_each_client_has_a_monitor_of_its_own() -> None:
    relay = Relay()
    one, other = relay.client(), relay.client()
    first, second = relay.monitor(), relay.monitor()
    first.says(b"1")
    second.says(b"2")
    assert (one.heard(), other.heard()) == (b"1", b"2")


def test_each_end_is_the_producer_of_the_other() -> None:
    relay = Relay()
    client, monitor = relay.pair()
    assert client.line.producer is monitor.line
    assert monitor.line.producer is client.line
    assert client.line.streaming
    assert monitor.line.streaming


# One end ends.


@pytest.mark.parametrize("who", ["client", "monitor"])
def test_an_end_that_says_no_more_still_hears(who: str) -> None:
    relay = Relay()
    client, monitor = relay.pair()
    silent, other = (client, monitor) if who == "client" else (monitor, client)
    silent.says_no_more()
    assert other.line.half_closed
    assert not silent.closed
    assert not other.closed
    other.says(b"still here")
    assert silent.heard() == b"still here"
    other.says_no_more()
    assert silent.closed
    assert other.closed


def test_a_paused_end_does_not_keep_the_other_from_half_closing() -> None:
    relay = Relay()
    client, monitor = relay.pair()
    client.says_no_more()
    assert monitor.line.producer is None


def test_an_end_may_say_twice_that_it_says_no_more() -> None:
    relay = Relay()
    client, monitor = relay.pair()
    client.says_no_more()
    client.says_no_more()
    assert not client.closed
    assert not monitor.closed


@pytest.mark.parametrize("who", ["client", "monitor"])
def test_an_end_that_is_gone_takes_the_other_with_it(who: str) -> None:
    relay = Relay()
    client, monitor = relay.pair()
    gone, other = (client, monitor) if who == "client" else (monitor, client)
    gone.is_gone()
    assert other.closed
    assert other.line.producer is None
    assert relay.ears[0].words == ["opened"]
    other.is_gone()
    closed = ("closed", "Connection to the other side was lost in a non-clean fashion.", who)
    assert relay.ears[0].told[1:] == [closed]
    assert relay.is_clean()


def test_who_ended_it_is_who_did_so_first() -> None:
    relay = Relay()
    client, monitor = relay.pair()
    client.says_no_more()
    monitor.is_gone()
    client.is_gone()
    assert relay.ears[0].told[-1] == ("closed", "it closed the connection", "client")


def test_an_end_that_does_not_read_its_rest_is_aborted_in_time() -> None:
    relay = Relay()
    client, monitor = relay.pair()
    monitor.is_gone()
    relay.clock.advance(CLOSE_TIMEOUT - 0.1)
    assert not client.line.aborted
    relay.clock.advance(0.1)
    assert client.line.aborted


@pytest.mark.parametrize("who", ["client", "monitor"])
def test_the_end_is_told_once_though_both_are_gone_at_once(who: str) -> None:
    relay = Relay()
    relay.line = HastyLine
    client, monitor = relay.pair()
    (client if who == "client" else monitor).is_gone()
    assert relay.ears[0].words == ["opened", "closed"]
    assert relay.is_clean()


# No monitor.


def test_a_monitor_that_cannot_be_had_ends_it_and_the_log_says_why() -> None:
    relay = Relay()
    with capturedLogs() as logs:
        client = relay.client()
        relay.upstream.refuses()
        assert client.closed
        client.is_gone()
    (error,) = logged(logs, LogLevel.error)
    assert error == "connection 1: cannot connect to the monitor: " + relay.ears[0].told[-1][
        1
    ].removeprefix("cannot connect to the monitor: ")
    assert "it is asleep" in error
    assert relay.ears[0].told[-1][0] == "closed"
    assert relay.ears[0].told[-1][2] == "monitor"
    assert relay.is_clean()


def test_an_endpoint_that_raises_is_one_that_cannot_connect() -> None:
    relay = Relay()
    relay.upstream.connect = lambda factory: 1 // 0  # type: ignore[assignment]
    client = relay.client()
    assert client.closed
    client.is_gone()
    assert relay.ears[0].words == ["opened", "closed"]


def test_a_silent_monitor_is_given_up() -> None:
    relay = Relay(greeting_timeout=5.0)
    client, monitor = relay.pair()
    client.says(b"hello?")
    relay.clock.advance(4.9)
    assert not client.closed
    with capturedLogs() as logs:
        relay.clock.advance(0.1)
    reason = "no greeting within 5 s (is another client connected to this monitor?)"
    assert logged(logs, LogLevel.error) == [f"connection 1: {reason}"]
    assert client.closed
    assert monitor.closed
    client.is_gone()
    monitor.is_gone()
    assert relay.ears[0].told[-1] == ("closed", reason, "proxy")
    assert relay.is_clean()


def test_any_byte_of_the_monitor_is_a_greeting() -> None:
    relay = Relay(greeting_timeout=5.0)
    _, monitor = relay.pair()
    monitor.says(b" ")
    assert not relay.clock.getDelayedCalls()


def test_nobody_is_silent_who_is_being_closed() -> None:
    relay = Relay(greeting_timeout=5.0)
    relay.pair()
    relay.factory.close_all("over")
    with capturedLogs() as logs:
        relay.clock.advance(5.0)
    assert not logged(logs, LogLevel.error)


def test_a_client_that_leaves_while_the_monitor_is_being_connected_cancels_that() -> None:
    relay = Relay()
    client = relay.client()
    with capturedLogs() as logs:
        client.is_gone()
    assert relay.upstream.cancelled == 1
    assert logged(logs, LogLevel.error) == []
    assert relay.ears[0].told[-1][::2] == ("closed", "client")
    assert relay.ears[0].words.count("closed") == 1
    assert relay.is_clean()


def test_a_monitor_that_comes_when_all_is_over_is_let_go() -> None:
    relay = Relay()
    client = relay.client()
    relay.factory.close_all("over")
    monitor = relay.monitor()
    assert monitor.closed
    monitor.says(b"late")
    monitor.says_no_more()
    monitor.is_gone()
    client.is_gone()
    assert relay.ears[0].told[-1] == ("closed", "over", "proxy")
    assert relay.is_clean()


# The whole.


def test_one_client_too_many_is_refused_and_logged() -> None:
    relay = Relay(max_connections=2)
    (client, monitor), _ = relay.pair(), relay.pair()
    with capturedLogs() as logs:
        assert relay.factory.buildProtocol(None) is None
    (warning,) = logged(logs, LogLevel.warn)
    assert warning == "refused a client: 2 are connected (max_connections)"
    client.is_gone()
    monitor.is_gone()
    assert relay.factory.buildProtocol(None) is not None


def test_all_that_is_open_is_closed_when_it_is_stopped() -> None:
    relay = Relay()
    client, monitor = relay.pair()
    connecting = relay.client()
    stopped = relay.factory.close_all("the end")
    assert client.closed
    assert monitor.closed
    assert connecting.closed
    for end in (client, monitor):
        end.is_gone()
        assert pending(stopped)
    connecting.is_gone()
    assert result(stopped) is None
    assert relay.upstream.cancelled == 1
    assert [ear.told[-1] for ear in relay.ears] == [("closed", "the end", "proxy")] * 2
    assert relay.is_clean()


def test_there_may_be_nothing_to_stop() -> None:
    assert result(Relay().factory.close_all("the end")) is None


def test_it_can_be_stopped_twice_and_again() -> None:
    relay = Relay()
    for _ in range(2):
        client, monitor = relay.pair()
        stopped = [relay.factory.close_all("the end") for _ in range(2)]
        client.is_gone()
        monitor.is_gone()
        assert [result(deferred) for deferred in stopped] == [None, None]


@pytest.mark.parametrize(("quiet", "lines"), [(False, 2), (True, 0)])
def test_a_conversation_is_two_lines_of_the_log_unless_quiet(quiet: bool, lines: int) -> None:
    relay = Relay(quiet=quiet)
    with capturedLogs() as logs:
        client, monitor = relay.pair()
        client.is_gone()
        monitor.is_gone()
    assert len(logged(logs, LogLevel.info)) == lines


def test_what_goes_wrong_in_the_relay_itself_ends_the_conversation_at_once(
    logged_failures: LoggedFailures,
) -> None:
    relay = Relay()
    client = relay.client()
    client.line.registerProducer = lambda *_: 1 // 0
    monitor = relay.monitor()
    assert client.line.aborted
    assert monitor.line.aborted
    client.is_gone()
    monitor.is_gone()
    assert relay.ears[0].told[-1] == ("closed", "internal error", "proxy")
    assert len(logged_failures.take(ZeroDivisionError)) == 1
    assert relay.is_clean()


def test_without_a_reactor_it_is_the_global_one(running_reactor: Any) -> None:
    assert RelayFactory(Upstream(), lambda *_: Ear()).reactor is running_reactor


# The tap.


@pytest.mark.parametrize("bad", ["making", "opened", "to_monitor", "to_client", "closed"])
def test_a_tap_that_raises_is_logged_once_and_does_not_matter(
    bad: str, logged_failures: LoggedFailures
) -> None:
    relay = Relay(bad_tap=bad)
    client, monitor = relay.pair()
    for _ in range(2):
        monitor.says(b"greeting")
        client.says(b"command")
    assert (client.heard(), monitor.heard()) == (b"greeting" * 2, b"command" * 2)
    client.is_gone()
    monitor.is_gone()
    assert relay.is_clean()
    assert len(logged_failures.take(ZeroDivisionError)) == 1
    if bad != "making":
        assert relay.ears[0].words[-1] == bad


# On real sockets: what only they show.

FLOOD = bytes(range(256)) * 100_000
"""More than any socket takes."""


@implementer(IHalfCloseableProtocol)
class Peer(Raw):
    """A client or a monitor that stays when the other says no more."""

    ended = False

    def readConnectionLost(self) -> None:
        self.ended = True

    def writeConnectionLost(self) -> None:
        pass

    @property
    def wire(self) -> Any:
        return self.transport

    @property
    def is_told(self) -> bool:
        """Whether it knows that the other says no more."""
        return self.ended or bool(self.when_lost().called)

    def resets(self) -> None:
        self.wire.getHandle().setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.wire.abortConnection()


class Place:
    """A relay between real sockets, with a clock of its own."""

    def __init__(self, reactor: Any, kind: str, path: Path) -> None:
        (path / "c").mkdir()
        (path / "m").mkdir()
        self._clients = Sockets(reactor, kind, path / "c")
        self._monitors = Sockets(reactor, kind, path / "m")
        self._peers: list[Peer] = []
        self.accepted: list[Peer] = []
        self.until = self._clients.until
        self._moved = self._still = 0
        self.clock = Clock()
        self.ear = Ear()
        self.gate: Deferred[Any] = succeed(None)
        self.relay: Any = None

    async def open(self) -> None:
        await self._monitors.listen(self._factory(self.accepted))
        self.relay = RelayFactory(self, lambda *_: self.ear, self.clock, quiet=True)
        await self._clients.listen(self.relay)

    def connect(self, factory: Any) -> Deferred[Any]:
        """The relay's endpoint: it connects once the gate is open."""
        endpoint = self._monitors.endpoint
        return self.gate.addCallback(lambda _: endpoint.connect(factory))

    def _factory(self, made: list[Peer]) -> Factory:
        def make() -> Peer:
            peer = Peer()
            made.append(peer)
            self._peers.append(peer)
            return peer

        factory = Factory.forProtocol(make)
        factory.noisy = False
        return factory

    async def client(self) -> Peer:
        return await self._clients.endpoint.connect(self._factory([]))  # type: ignore[no-any-return]

    async def monitor(self) -> Peer:
        await self.until(lambda: self.accepted)
        return self.accepted[0]

    async def pair(self) -> tuple[Peer, Peer]:
        client, monitor = await self.client(), await self.monitor()
        monitor.wire.write(b"hello\n")
        await client.lines(1)
        return client, monitor

    async def drop_monitor(self) -> None:
        endpoint = self._monitors.endpoint
        await self._monitors.drop()
        self.connect = endpoint.connect  # type: ignore[method-assign]

    def heard_of_monitor(self) -> int:
        return sum(
            len(data) for what, *rest in self.ear.told if what == "to_client" for data in rest
        )

    def nothing_moves(self) -> bool:
        """Whether the relay has read nothing for a good many turns."""
        before, self._moved = self._moved, self.heard_of_monitor()
        self._still = self._still + 1 if self._moved == before else 0
        return self._still > 200

    async def over(self) -> Any:
        """Who ended it."""
        await self.until(lambda: "closed" in self.ear.words)
        assert self.relay.conversations == set()
        assert self.clock.getDelayedCalls() == []
        return self.ear.told[-1][2]

    async def close(self) -> None:
        for peer in self._peers:
            peer.wire.abortConnection()
        await self._clients.close()
        await self._monitors.close()
        await self.until(lambda: not self.relay.conversations)


@pytest.fixture(params=["unix", "tcp"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_twisted.async_yield_fixture
async def place(kind: str, short_path: Path, running_reactor: Any) -> AsyncIterator[Place]:
    place = Place(running_reactor, kind, short_path)
    await place.open()
    yield place
    await place.close()


async def test_what_a_client_says_before_the_monitor_is_there_waits(place: Place) -> None:
    place.gate = Deferred()
    client = await place.client()
    client.wire.write(b"stop\r\ncont\r\n")
    client.wire.loseWriteConnection()
    await place.until(lambda: place.relay.conversations)
    assert not place.accepted
    place.gate.callback(None)
    monitor = await place.monitor()
    await place.until(lambda: monitor.ended)
    assert monitor.heard == b"stop\r\ncont\r\n"
    monitor.wire.write(b"+ OK stop completed\r\n")
    assert await client.lines(1) == b"+ OK stop completed\r\n"


@pytest.mark.parametrize("who", ["client", "monitor"])
async def test_either_says_no_more_and_the_other_goes_on(place: Place, who: str) -> None:
    client, monitor = await place.pair()
    silent, other = (client, monitor) if who == "client" else (monitor, client)
    silent.wire.write(b"my last words\n")
    silent.wire.loseWriteConnection()
    await place.until(lambda: other.ended)
    assert other.heard.endswith(b"my last words\n")
    other.wire.write(b"still here\n")
    await place.until(lambda: silent.heard.endswith(b"still here\n"))
    assert place.relay.conversations
    other.wire.loseWriteConnection()
    assert await place.over() == who


@pytest.mark.parametrize("kind", ["tcp"])
@pytest.mark.parametrize("who", ["client", "monitor"])
async def test_an_end_that_resets_takes_the_other_with_it(place: Place, who: str) -> None:
    client, monitor = await place.pair()
    gone, other = (client, monitor) if who == "client" else (monitor, client)
    gone.resets()
    await place.until(lambda: other.is_told)
    assert await place.over() == who


@pytest.mark.parametrize("kind", ["unix"])
async def test_a_client_that_was_killed_is_noticed_when_the_monitor_speaks(place: Place) -> None:
    client, monitor = await place.pair()
    client.wire.abortConnection()
    await place.until(lambda: monitor.ended)
    monitor.wire.write(b"is anybody there?\n")
    assert await place.over() == "client"


async def test_a_monitor_that_does_not_listen(place: Place) -> None:
    await place.drop_monitor()
    client = await place.client()
    await place.until(lambda: client.is_told)
    assert await place.over() == "monitor"


async def test_a_client_that_does_not_read_holds_the_monitor_back(place: Place) -> None:
    client, monitor = await place.pair()
    client.wire.pauseProducing()
    monitor.wire.write(FLOOD)
    await place.until(place.nothing_moves)
    assert len(client.heard) < len(FLOOD) / 2
    assert place.heard_of_monitor() < len(FLOOD)
    client.wire.resumeProducing()
    await place.until(lambda: len(client.heard) == len(b"hello\n" + FLOOD))
    assert client.heard == b"hello\n" + FLOOD


async def test_a_client_that_does_not_read_does_not_keep_the_relay_from_stopping(
    place: Place,
) -> None:
    client, monitor = await place.pair()
    client.wire.pauseProducing()
    monitor.wire.write(FLOOD)
    await place.until(place.nothing_moves)
    stopped = place.relay.close_all("the end")
    await place.until(lambda: monitor.is_told)
    assert pending(stopped)
    place.clock.advance(CLOSE_TIMEOUT)
    await stopped
    assert await place.over() == "proxy"
