"""Whatever arrives, in whatever pieces: nothing raises, nothing hangs, nothing grows (rule 12)."""

from __future__ import annotations

from collections.abc import Iterator
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from tests.text.ends import GREETING, ClientWire, ServerWire, table
from tests.wires import KERNEL, Outcomes, Sockets, interrupted, result
from txqmp.errors import BoundExceeded, CommandInterrupted
from txqmp.text.client import State
from txqmp.text.server import Request, TextServerFactory
from txqmp.text.table import CommandTable

MAX_LINE = 60
MAX_RESPONSE = 100

GOOD = [b"= data", b"=", b"+ OK stop completed", b"- ERR no", b"- BAD no", b"* EVENT stop", b"*"]
BAD = [b"", b"hello", b"+ OK QEMU 1 QMP 1", b"= a\rb", b"\xff\x00", b"= " + b"x" * MAX_LINE]
LIMITS = [b"= " + b"x" * (MAX_LINE - 2), b"* EVENT " + b"e" * (MAX_LINE - 8)]
ASKED = [
    b"stop",
    b"info",
    b"foo",
    b"",
    b"  ",
    b"stop now",
    b'stop "',
    b"\xff",
    b"x" * 61,
    b"x" * 60,
]
ENDS = st.sampled_from([b"\r\n", b"\n"])


def streams(lines: list[bytes]) -> st.SearchStrategy[bytes]:
    line = st.one_of(st.sampled_from(lines), st.binary(max_size=2 * MAX_LINE))
    ended = st.tuples(line, ENDS).map(b"".join)
    return st.tuples(st.lists(ended, max_size=15).map(b"".join), line).map(b"".join)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    at = sorted({place % (len(stream) + 1) for place in places})
    return [stream[a:b] for a, b in zip([0, *at], [*at, len(stream)], strict=True)]


cuts = st.lists(st.integers(0, 5000), max_size=20)
every = list(range(5000))


class ClientRun:
    """What a client makes of a stream that came in pieces."""

    def __init__(self, chunks: list[bytes], commands: int, window: int = 64) -> None:
        self.wire = ClientWire(
            greeted=False, max_line=MAX_LINE, max_response=MAX_RESPONSE, window=window
        )
        self.outcomes = Outcomes()
        self.events: list[Any] = []
        self.wire.client.subscribe(None, self.events.append)
        self.outcomes.watch("greeting", self.wire.client.when_greeted())
        for number in range(commands):
            self.outcomes.watch(f"c{number}", self.wire.client.execute(f"c{number}"))
        self.wire.sends(*chunks)
        self.aborted = self.wire.transport.aborted
        self.state = self.wire.client.state
        self.sent = self.wire.heard()
        self.held = len(self.wire.client.clearLineBuffer())
        self.wire.breaks()

    @property
    def summary(self) -> Any:
        told = [
            (n, type(o).__name__, str(o), getattr(o, "lines", ())) for n, o in self.outcomes.all
        ]
        return self.state, self.aborted, self.sent, self.events, told


client_streams = streams([GREETING.encode(), *GOOD, *GOOD, *GOOD, *BAD, *LIMITS])
greeted_streams = client_streams.map(lambda stream: GREETING.encode() + b"\r\n" + stream)


@given(
    st.one_of(client_streams, greeted_streams), cuts, st.integers(0, 6), st.sampled_from([1, 64])
)
@example(GREETING.encode() + b"\r\n= a\r\n+ OK a completed\r\n" * 3, every, 6, 1)
def test_a_client_makes_the_same_of_it_in_any_pieces(
    stream: bytes, places: list[int], commands: int, window: int
) -> None:
    whole = ClientRun([stream], commands, window)
    assert ClientRun(cut(stream, places), commands, window).summary == whole.summary


@given(st.one_of(client_streams, greeted_streams), cuts, st.integers(0, 6))
def test_a_client_keeps_no_more_than_its_bounds(
    stream: bytes, places: list[int], commands: int
) -> None:
    run = ClientRun(cut(stream, places), commands)
    assert len(run.outcomes.all) == commands + 1
    assert run.wire.calm
    assert run.held <= MAX_LINE + 1
    for _, outcome in run.outcomes.all:
        assert sum(len(line) for line in getattr(outcome, "lines", ())) <= MAX_RESPONSE


@given(st.binary(max_size=300), cuts)
def test_a_client_survives_any_bytes(stream: bytes, places: list[int]) -> None:
    for greeting in (b"", GREETING.encode() + b"\n"):
        run = ClientRun([greeting, *cut(stream, places)], 1)
        assert len(run.outcomes.all) == 2


def server_run(chunks: list[bytes]) -> tuple[list[str], bool]:
    wire = ServerWire(table(stop=lambda _: ["data", ""]), max_command_length=60)
    wire.sends(*chunks)
    return wire.heard(), wire.transport.disconnecting


@given(streams(ASKED), cuts)
@example(b"stop\r\n" * 50, every)
def test_a_server_answers_the_same_in_any_pieces(stream: bytes, places: list[int]) -> None:
    assert server_run(cut(stream, places)) == server_run([stream])


@given(st.binary(max_size=300), cuts)
def test_a_server_survives_any_bytes_and_answers_each_line_once(
    stream: bytes, places: list[int]
) -> None:
    lines = stream.split(b"\n")[:-1]
    owed = [line for line in lines if line.removesuffix(b"\r").strip(b" \t")]
    answers, closing = server_run(cut(stream, places))
    completions = [line for line in answers if not line.startswith("=")]
    too_long = len(stream.split(b"\n")[-1].removesuffix(b"\r")) > 60
    assert len(completions) == len(owed) + too_long
    assert not closing


@given(st.lists(st.sampled_from(ASKED), min_size=1, max_size=40), cuts, st.integers(0, 4))
def test_a_busy_server_reads_no_further_than_its_read_ahead(
    lines: list[bytes], places: list[int], read_ahead: int
) -> None:
    running: list[Deferred[None]] = []

    def stop(request: Request) -> Deferred[None]:
        running.append(Deferred())
        return running[-1]

    wire = ServerWire(table(stop=stop), max_command_length=60, read_ahead=read_ahead)
    stream = b"".join(line + b"\r\n" for line in lines)
    waiting = cut(stream, places)
    while waiting or (running and not running[-1].called):
        while waiting and wire.transport.producerState == "producing":
            wire.sends(waiting.pop(0))
            assert len(wire.server._ahead) <= read_ahead + 1
        if running and not running[-1].called:
            running[-1].callback(None)
            assert len(wire.server._ahead) <= read_ahead + 1
    completions = [line for line in wire.heard() if not line.startswith("=")]
    assert len(completions) == len([line for line in lines if line.strip()])


class TestClientBounds:
    def test_rule_12_a_line_at_the_limit_is_read(self) -> None:
        wire = ClientWire(max_line=MAX_LINE)
        reply = wire.client.execute("info", "name")
        wire.says("= " + "x" * (MAX_LINE - 2), "+ OK info name completed")
        assert result(reply).lines == ("x" * (MAX_LINE - 2),)

    def test_rule_12_a_longer_line_ends_the_connection_with_a_clear_error(self) -> None:
        wire = ClientWire(max_line=MAX_LINE)
        reply = wire.client.execute("info", "name")
        wire.sends(b"= " + b"x" * (MAX_LINE - 1))
        error = result(reply)
        assert interrupted([error]) == ["info name"]
        assert isinstance(error.reason, BoundExceeded)
        assert str(error.reason).startswith("a line of more than 60 bytes (max_line)")
        assert wire.transport.aborted

    def test_rule_12_the_tail_of_a_longer_line_is_no_line(self) -> None:
        wire = ClientWire(max_line=MAX_LINE)
        events: list[Any] = []
        wire.client.subscribe(None, events.append)
        wire.sends(b"= " + b"x" * MAX_LINE, b"* EVENT stop\r\n* EVENT stop\r\n")
        assert events == []

    def test_rule_12_so_does_a_longer_response(self) -> None:
        wire = ClientWire(max_response=30)
        reply = wire.client.execute("info", "name")
        wire.says("= " + "x" * 11, "= " + "y" * 11)
        assert wire.client.state is State.BUSY
        wire.says("=")
        error = result(reply)
        assert isinstance(error.reason, BoundExceeded)
        assert "the reply to 'info name' has more than 30 bytes (max_response)" in str(error.reason)
        assert error.lines == ("x" * 11, "y" * 11)
        assert wire.transport.aborted

    def test_rule_12_each_response_has_the_bound_for_itself(self) -> None:
        wire = ClientWire(max_response=30)
        replies = [wire.client.execute("a") for _ in range(3)]
        wire.says(*["= " + "x" * 20, "+ OK a completed"] * 3)
        assert [result(reply).lines for reply in replies] == [("x" * 20,)] * 3

    def test_rule_12_so_has_one_that_nobody_waits_for(self) -> None:
        wire = ClientWire(max_response=30)
        wire.client.execute("a").addErrback(lambda _: None).cancel()
        wire.says("= " + "x" * 20, "= " + "x" * 20)
        assert wire.transport.aborted


class TestServerBounds:
    @pytest.mark.parametrize("end", [b"\r\n", b"\n"])
    def test_rule_12_a_command_of_4095_bytes_is_read_and_no_longer_one(self, end: bytes) -> None:
        wire = ServerWire()
        wire.sends(b"x" * 4095 + end, b"x" * 4096 + end)
        assert wire.heard() == ["- BAD unknown command", "- BAD line too long"]

    def test_rule_12_it_is_discarded_to_its_end_and_the_connection_lives_on(self) -> None:
        wire = ServerWire(table(quit=lambda request: request.close(), stop=lambda _: None))
        wire.sends(b"x" * 5000, b"quit\r\n", b"stop\r\n")
        assert wire.heard() == ["- BAD line too long", "+ OK stop completed"]
        assert not wire.transport.disconnecting


class Endless:
    """A handler whose output does not end before somebody should have stopped it."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed = False

    def __call__(self, request: Request) -> Iterator[str]:
        try:
            while self.taken < 100_000:
                self.taken += 1
                yield "x" * 998
        finally:
            self.closed = True


async def only_connection(sockets: Sockets, factory: TextServerFactory) -> Any:
    await sockets.until(lambda: factory.connections)
    (server,) = factory.connections
    # Small ones, and so of a fixed size: what they take is soon taken.
    server.transport.socket.setsockopt(SOL_SOCKET, SO_SNDBUF, KERNEL)
    return server


def buffered(server: Any) -> int:
    """Bytes that were written and that the kernel has not taken."""
    return len(server.transport.dataBuffer) + server.transport._tempDataLen


async def stuck(sockets: Sockets, server: Any) -> int:
    """Wait until the kernel takes no more; return what is left."""
    before = -1
    while not server._blocked or buffered(server) != before:
        before = buffered(server)
        await sockets.turn(10)
    return before


async def fill(sockets: Sockets, factory: TextServerFactory, server: Any) -> None:
    """Tell events until the kernel takes no more, and keep none back."""
    while not server._blocked:
        while not server._blocked:
            factory.broadcast("stop", "x" * 1000)
        await sockets.turn(10)


class TestSockets:
    """What only a real transport shows."""

    async def test_endless_output_to_a_client_that_does_not_read_is_held_back(
        self, sockets: Sockets
    ) -> None:
        endless = Endless()
        factory = TextServerFactory(table(info_all=endless), Clock())
        await sockets.listen(factory)
        raw = await sockets.raw(reading=False)
        server = await only_connection(sockets, factory)
        raw.transport.write(b"info all\r\n")
        assert await stuck(sockets, server) <= 64 * 1024 + 16 * 1024 + 1024
        await sockets.turn(50)
        taken = endless.taken
        assert taken < 2000
        raw.transport.resumeProducing()
        await sockets.until(lambda: endless.taken > 2 * taken)
        raw.transport.abortConnection()
        await sockets.until(lambda: endless.closed)
        assert not factory.connections

    async def test_events_to_a_client_that_does_not_read_are_dropped(
        self, sockets: Sockets
    ) -> None:
        factory = TextServerFactory(CommandTable(), Clock(), event_queue=100)
        await sockets.listen(factory)
        raw = await sockets.raw(reading=False)
        server = await only_connection(sockets, factory)
        await fill(sockets, factory, server)
        for _ in range(1000):
            factory.broadcast("stop", "x" * 1000)
        assert buffered(server) <= 64 * 1024 + 2048
        assert len(server._events) == 100
        with capturedLogs() as logs:
            raw.transport.resumeProducing()
            await sockets.until(lambda: not server._blocked)
        assert [event["dropped"] for event in logs if "dropped" in event] == [900]

    async def test_or_it_is_disconnected(self, sockets: Sockets) -> None:
        factory = TextServerFactory(
            CommandTable(), Clock(), event_queue=100, slow_client="disconnect"
        )
        await sockets.listen(factory)
        await sockets.raw(reading=False)
        server = await only_connection(sockets, factory)
        await fill(sockets, factory, server)
        for _ in range(101):
            factory.broadcast("stop", "x" * 1000)
        await sockets.until(lambda: not factory.connections)

    async def test_commands_are_not_read_while_one_runs(self, sockets: Sockets) -> None:
        running: Deferred[None] = Deferred()
        factory = TextServerFactory(table(slow=lambda _: running), Clock(), read_ahead=8)
        await sockets.listen(factory)
        raw = await sockets.raw()
        server = await only_connection(sockets, factory)
        raw.transport.write(b"slow\r\n" * 1_000_000)
        await sockets.until(lambda: server.paused)
        await sockets.turn(50)
        assert len(server._ahead) == 9
        assert len(server.clearLineBuffer()) <= 64 * 1024
        assert raw.transport.dataBuffer
        server.transport.abortConnection()

    async def test_all_that_was_asked_before_a_half_close_is_answered(
        self, sockets: Sockets
    ) -> None:
        running: list[Deferred[None]] = []

        def slow(request: Request) -> Deferred[None]:
            running.append(Deferred())
            return running[-1]

        factory = TextServerFactory(table(slow=slow), Clock(), read_ahead=2)
        await sockets.listen(factory)
        raw = await sockets.raw()
        raw.transport.write(b"slow\r\n" * 100)
        raw.transport.loseWriteConnection()
        for number in range(100):
            await sockets.until(lambda number=number: len(running) > number)
            running[number].callback(None)
        await raw.when_lost()
        assert raw.heard.count(b"+ OK slow completed\r\n") == 100
        assert not factory.connections

    async def test_a_half_close_is_heard_once_however_often_reading_resumes(
        self, sockets: Sockets
    ) -> None:
        running: Deferred[None] = Deferred()
        factory = TextServerFactory(table(slow=lambda _: running), Clock())
        await sockets.listen(factory)
        raw = await sockets.raw()
        server = await only_connection(sockets, factory)
        raw.transport.write(b"slow\r\n")
        raw.transport.loseWriteConnection()
        await sockets.until(lambda: server._ahead)
        for _ in range(5):
            server.pauseProducing()
            server.resumeProducing()
            await sockets.turn(2)
        assert len(server._ahead) == 1
        running.callback(None)
        await raw.when_lost()
        assert raw.heard.endswith(b"\r\n+ OK slow completed\r\n")

    async def test_closing_a_stuck_client_aborts_it_in_the_end(self, sockets: Sockets) -> None:
        clock = Clock()
        factory = TextServerFactory(table(info_all=Endless()), clock)
        await sockets.listen(factory)
        raw = await sockets.raw(reading=False)
        server = await only_connection(sockets, factory)
        raw.transport.write(b"info all\r\n")
        await stuck(sockets, server)
        server.close()
        await sockets.turn(20)
        assert factory.connections
        clock.advance(10)
        await sockets.until(lambda: not factory.connections)
        assert not clock.getDelayedCalls()

    @pytest.mark.parametrize("kind", ["tcp"])
    async def test_a_reset_cancels_the_running_handler(self, sockets: Sockets) -> None:
        running: Deferred[None] = Deferred()
        factory = TextServerFactory(table(slow=lambda _: running), Clock())
        await sockets.listen(factory)
        raw = await sockets.raw()
        server = await only_connection(sockets, factory)
        raw.transport.write(b"slow\r\n")
        await sockets.until(lambda: server._busy)
        raw.transport.abortConnection()
        await sockets.until(lambda: running.called)
        assert not factory.connections

    async def test_a_client_s_lost_connection_is_told(self, sockets: Sockets) -> None:
        from txqmp.text.client import TextClientFactory

        factory = TextServerFactory(table(slow=lambda _: Deferred()), Clock())
        await sockets.listen(factory)
        client = await sockets.connect(TextClientFactory(Clock()))
        reply = client.execute("slow")
        server = await only_connection(sockets, factory)
        await sockets.until(lambda: server._busy)
        server.transport.abortConnection()
        await client.when_disconnected()
        assert isinstance(result(reply), CommandInterrupted)


LINES = st.lists(
    st.sampled_from(["= a", "= ", "=", "=x", "= two words", "* EVENT stop", "= \x80", "= = b"])
)


@given(LINES, st.integers(1, 40), st.sampled_from(["\r\n", "\n"]))
def test_a_run_of_data_lines_is_what_they_are_one_by_one(
    lines: list[str], size: int, end: str
) -> None:
    def heard(run: int, size: int) -> Any:
        wire = ClientWire()
        events: list[Any] = []
        wire.client.subscribe(None, events.append)
        reply = wire.client.execute("info", "all")
        said = "".join(line + end for line in [*lines, "+ OK info all completed"])
        data = said.encode("latin-1")
        with mock.patch("txqmp.text.client._RUN", run):
            wire.sends(*(data[i : i + size] for i in range(0, len(data), size)))
        return result(reply), events

    assert heard(1, size) == heard(10**9, 10**9)


def test_a_run_of_data_lines_counts_against_the_bound() -> None:
    wire = ClientWire(max_response=1000)
    errors: list[Any] = []
    wire.client.execute("info", "all").addErrback(errors.append)
    wire.sends(b"= 0123456789\r\n" * 100)
    assert "max_response" in str(errors[0].value)
    assert wire.transport.aborted


def test_an_abandoned_run_keeps_nothing() -> None:
    wire = ClientWire()
    gone = wire.client.execute("info", "all").addErrback(lambda failure: None)
    gone.cancel()
    wire.sends(b"= 0123456789\r\n" * 100)
    assert wire.client._commands.sent[0].lines == []
    wire.says("+ OK info all completed")


def test_a_line_of_a_run_that_is_too_long_is_none() -> None:
    wire = ClientWire(max_line=600)
    errors: list[Any] = []
    wire.client.execute("info", "all").addErrback(errors.append)
    wire.sends(b"= short\r\n= " + b"x" * 700 + b"\r\n= short\r\n")
    assert "max_line" in str(errors[0].value)
