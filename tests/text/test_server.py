"""The server of QMP 0.1: what is asked, what is answered, and what handlers may do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from tests.conftest import LoggedFailures
from tests.text.ends import ServerWire, table
from tests.wires import Wire
from txqmp.errors import CommandFailed, CommandRejected
from txqmp.monitor.events import EventHub
from txqmp.monitor.server import State
from txqmp.text.grammar import Event
from txqmp.text.server import Request, TextServerFactory
from txqmp.text.table import CommandTable

NETWORK = ("= VLAN 0 devices:", "=   user.0: ", "+ OK info network completed")


def test_it_greets() -> None:
    assert ServerWire().greeting == ["+ OK QEMU 0.10.50 QMP 0.1"]


def test_rule_17_the_version_may_hold_spaces() -> None:
    wire = ServerWire(qemu="0.11.0 (Debian 1)", qmp="0.2")
    assert wire.greeting == ["+ OK QEMU 0.11.0 (Debian 1) QMP 0.2"]


class Handlers:
    """The same data in every way in which a handler may give it."""

    lines = ("VLAN 0 devices:", "  user.0: ")

    def a_list(self, request: Request) -> Any:
        return list(self.lines)

    def a_string(self, request: Request) -> Any:
        return "VLAN 0 devices:\r\n  user.0: \r\n"

    def a_generator(self, request: Request) -> Any:
        yield from self.lines

    async def a_coroutine(self, request: Request) -> Any:
        return self.lines

    async def a_coroutine_of_a_generator(self, request: Request) -> Any:
        return iter(self.lines)

    async def an_asynchronous_generator(self, request: Request) -> Any:
        for line in self.lines:
            yield line

    def a_deferred(self, request: Request) -> Any:
        return succeed(self.lines)

    def a_deferred_of_a_coroutine(self, request: Request) -> Any:
        return succeed(None).addCallback(
            lambda _: Deferred.fromCoroutine(self.a_coroutine(request))
        )

    def an_asynchronous_iterator(self, request: Request) -> Any:
        hub: EventHub[Event] = EventHub(Clock(), str)
        queue = hub.queue(None, 10)
        for line in self.lines:
            hub.dispatch(Event(line))
        hub.close(ConnectionError())
        return _Names(queue)


class _Names:
    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def __aiter__(self) -> _Names:
        return self

    async def __anext__(self) -> str:
        return (await self._queue.__anext__()).name


WAYS = [name for name in vars(Handlers) if name.startswith("a")]


class TestHandlers:
    @pytest.mark.parametrize("way", WAYS)
    def test_data_may_be_given_in_many_ways(self, way: str) -> None:
        wire = ServerWire(table(info_network=getattr(Handlers(), way)))
        assert wire.asks("info network") == list(NETWORK)

    @pytest.mark.parametrize(
        ("data", "lines"),
        [
            (None, []),
            ("", []),
            ([], []),
            ([""], ["="]),
            ("\n", ["="]),
            ("one", ["= one"]),
            ("one\n\n", ["= one", "="]),
            (["a\nb"], [r"= a\x0ab"]),
            ("café", [r"= caf\xe9"]),
        ],
    )
    def test_rule_23_no_data_is_normal_and_an_empty_line_is_data(
        self, data: Any, lines: list[str]
    ) -> None:
        wire = ServerWire(table(stop=lambda _: data))
        assert wire.asks("stop") == [*lines, "+ OK stop completed"]

    @pytest.mark.parametrize("error", [CommandFailed("no such disk"), CommandRejected("what?")])
    @pytest.mark.parametrize(
        "raise_", [lambda e: fail(e), lambda e: _coroutine(e), lambda e: _now(e)]
    )
    def test_rule_14_an_error_is_answered_as_its_kind(
        self, error: Exception, raise_: Callable[[Exception], Any]
    ) -> None:
        wire = ServerWire(table(commit=lambda _: raise_(error)))
        expected = "- ERR no such disk" if type(error) is CommandFailed else "- BAD what?"
        assert wire.asks("commit") == [expected]

    def test_rule_16_data_before_an_error_is_sent(self) -> None:
        def commit(request: Request) -> Iterator[str]:
            yield "ide0-hd0: done"
            raise CommandFailed("device is locked")

        wire = ServerWire(table(commit=commit))
        assert wire.asks("commit") == ["= ide0-hd0: done", "- ERR device is locked"]

    @pytest.mark.parametrize(
        "result", [lambda: 1 / 0, lambda: fail(ZeroDivisionError()), lambda: 5, lambda: [5]]
    )
    def test_any_other_exception_is_an_internal_error_logged_once_and_not_told(
        self, result: Callable[[], Any], logged_failures: LoggedFailures
    ) -> None:
        wire = ServerWire(table(stop=lambda _: result(), cont=lambda _: None))
        assert wire.asks("stop") == ["- ERR internal error"]
        assert len(logged_failures.take()) == 1
        assert wire.asks("cont") == ["+ OK cont completed"]

    def test_a_reason_cannot_smuggle_a_line(self) -> None:
        wire = ServerWire(table(stop=lambda _: _now(CommandFailed("no\r\n+ OK stop completed"))))
        assert wire.asks("stop") == [r"- ERR no\x0d\x0a+ OK stop completed"]

    def test_a_reason_that_is_no_text_ends_the_connection(
        self, logged_failures: LoggedFailures
    ) -> None:
        wire = ServerWire(table(stop=lambda _: _now(CommandFailed(None))))  # type: ignore[arg-type]
        wire.says("stop")
        assert wire.transport.disconnecting
        assert len(logged_failures.take()) == 1
        wire.hangs_up()

    def test_rule_21_a_handler_s_notes_are_kept_for_its_connection_alone(self) -> None:
        def cpu(request: Request) -> str:
            request.state["cpu"] = request.state.get("cpu", 0) + 1
            return str(request.state["cpu"])

        wire = ServerWire(table(cpu=cpu))
        other = Wire(wire.factory)
        other.heard()
        assert wire.asks("cpu", "cpu") == ["= 1", "+ OK cpu completed", "= 2", "+ OK cpu completed"]
        other.says("cpu")
        assert other.heard()[0] == "= 1"

    def test_the_raw_line_reaches_the_handler(self) -> None:
        lines: list[str] = []
        made = CommandTable()
        made.command("change", args="s")(lambda request, _: lines.append(request.command.line))
        ServerWire(made).says('change  "a b"')
        assert lines == ['change  "a b"']


def _now(error: Exception) -> Any:
    raise error


async def _coroutine(error: Exception) -> Any:
    raise error


class TestCommands:
    def test_rule_03_each_line_gets_exactly_one_completion(self) -> None:
        wire = ServerWire(table(stop=lambda _: None))
        answers = wire.asks("stop", "foo", 'stop "', "info", "stop now")
        completions = [line for line in answers if not line.startswith("=")]
        assert completions == [
            "+ OK stop completed",
            "- BAD unknown command",
            "- BAD unterminated string or unsupported escape code",
            "+ OK info completed",
            "- ERR stop: extraneous characters at the end of line",
        ]

    def test_rule_11_an_empty_line_gets_none(self) -> None:
        wire = ServerWire(table(stop=lambda _: None))
        assert wire.asks("", "   ", "stop", "") == ["+ OK stop completed"]

    def test_rule_02_the_completion_names_the_command_without_its_arguments(self) -> None:
        made = CommandTable()
        made.command("c|cont", args="s?")(lambda *_: None)
        assert ServerWire(made).asks("C now") == ["+ OK cont completed"]

    def test_rule_15_an_unknown_sub_command_is_rejected(self) -> None:
        assert ServerWire().asks("info foo") == ["- BAD unknown command"]

    @pytest.mark.parametrize("line", ["stop", "STOP", " stop", "stop\t"])
    def test_rule_07_and_08_what_is_lenient(self, line: str) -> None:
        assert ServerWire(table(stop=lambda _: None)).asks(line) == ["+ OK stop completed"]

    def test_rule_08_what_is_strict(self) -> None:
        wire = ServerWire(table(stop=lambda _: None), strict=True)
        assert wire.asks(" stop")[0].startswith("- BAD ")

    @pytest.mark.parametrize("line", ["st\xf6p", "stop\x00", "st\rop", "\x1b[A"])
    def test_rule_10_and_13_what_is_no_line_is_rejected(self, line: str) -> None:
        wire = ServerWire(table(stop=lambda _: None))
        (answer,) = wire.asks(line)
        assert answer.startswith("- BAD ")
        assert wire.asks("stop") == ["+ OK stop completed"]

    def test_rule_04_one_command_at_a_time(self) -> None:
        started: list[str] = []
        running: Deferred[None] = Deferred()

        def slow(request: Request) -> Deferred[None]:
            started.append("slow")
            return running

        wire = ServerWire(table(slow=slow, stop=lambda _: started.append("stop")))
        assert wire.asks("slow", "stop") == []
        assert started == ["slow"]
        running.callback(None)
        assert wire.heard() == ["+ OK slow completed", "+ OK stop completed"]

    def test_rule_03_what_cannot_be_read_is_answered_in_its_turn(self) -> None:
        running: Deferred[None] = Deferred()
        wire = ServerWire(table(slow=lambda _: running))
        assert wire.asks("slow", "\xff", "x" * 5000) == []
        running.callback(None)
        assert [line[:5] for line in wire.heard()] == ["+ OK ", "- BAD", "- BAD"]

    def test_rule_04_reading_stops_beyond_the_read_ahead_and_goes_on_after(self) -> None:
        running: list[Deferred[None]] = []

        def slow(request: Request) -> Deferred[None]:
            running.append(Deferred())
            return running[-1]

        wire = ServerWire(table(slow=slow), read_ahead=2)
        wire.says("slow", "slow", "slow")
        assert wire.transport.producerState == "producing"
        wire.says("slow")
        assert wire.transport.producerState == "paused"
        running[0].callback(None)
        assert wire.transport.producerState == "producing"
        for _ in range(3):
            running[-1].callback(None)
        assert wire.heard() == ["+ OK slow completed"] * 4

    def test_rule_04_one_chunk_of_many_commands_is_answered_in_full(self) -> None:
        running: list[Deferred[None]] = []

        def slow(request: Request) -> Deferred[None]:
            running.append(Deferred())
            return running[-1]

        wire = ServerWire(table(slow=slow), read_ahead=1)
        wire.sends(b"slow\r\n" * 50)
        assert len(wire.server._ahead) == 2
        for number in range(50):
            running[number].callback(None)
        assert len(wire.heard()) == 50
        assert wire.transport.producerState == "producing"

    def test_a_thousand_commands_in_one_chunk_do_not_recurse(self) -> None:
        wire = ServerWire(table(stop=lambda _: None), read_ahead=0)
        wire.sends(b"stop\r\n" * 5000)
        assert len(wire.heard()) == 5000


class TestQuit:
    def test_rule_18_it_is_answered_then_the_server_closes(self) -> None:
        wire = ServerWire(table(quit=lambda request: request.close(), stop=lambda _: None))
        assert wire.asks("quit", "stop") == ["+ OK quit completed"]
        assert wire.transport.disconnecting
        wire.hangs_up()

    def test_a_failure_closes_as_well_if_the_handler_wished_it(self) -> None:
        def login(request: Request) -> None:
            request.close()
            raise CommandFailed("go away")

        wire = ServerWire(table(login=login))
        assert wire.asks("login") == ["- ERR go away"]
        assert wire.transport.disconnecting
        wire.hangs_up()

    def test_a_handler_may_close_every_connection_and_is_still_answered(self) -> None:
        def quit_machine(request: Request) -> None:
            for connection in wire.factory.connections:
                connection.close()

        wire = ServerWire(table(quit=quit_machine))
        assert wire.asks("quit") == ["+ OK quit completed"]
        wire.hangs_up()


class TestTheClientGoes:
    def test_the_running_handler_is_cancelled(self) -> None:
        running: Deferred[None] = Deferred()
        cancelled: list[BaseException] = []
        running.addErrback(lambda failure: cancelled.append(failure.value))
        wire = ServerWire(table(slow=lambda _: running, stop=lambda _: cancelled.append(None)))
        wire.says("slow", "stop")
        wire.breaks()
        assert [type(error) for error in cancelled] == [CancelledError]
        assert wire.heard() == []
        assert wire.server.state is State.OVER

    def test_a_coroutine_is_cancelled_where_it_waits(self) -> None:
        steps: list[str] = []

        async def slow(request: Request) -> None:
            try:
                await Deferred()
            except CancelledError:
                steps.append("cancelled")
                raise

        wire = ServerWire(table(slow=slow))
        wire.says("slow")
        wire.breaks()
        assert steps == ["cancelled"]

    def test_one_that_does_not_care_is_not_heard(self) -> None:
        more: Deferred[str] = Deferred()

        async def stubborn(request: Request) -> str:
            try:
                await Deferred()
            except CancelledError:
                return await more
            raise AssertionError

        wire = ServerWire(table(stubborn=stubborn))
        wire.says("stubborn")
        wire.breaks()
        more.callback("data")
        assert wire.heard() == []

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_generators_are_closed(self, asynchronous: bool) -> None:
        steps: list[str] = []

        def endless(request: Request) -> Iterator[str]:
            try:
                while True:
                    yield "x" * 1000
            finally:
                steps.append("closed")

        async def endless_too(request: Request) -> AsyncIterator[str]:
            try:
                while True:
                    yield "x" * 1000
            finally:
                steps.append("closed")

        wire = ServerWire(table(info_all=endless_too if asynchronous else endless))
        wire.server.pauseProducing()
        wire.says("info all")
        assert steps == []
        wire.transport.write = lambda data: wire.server.pauseProducing()  # type: ignore[assignment]
        wire.server.resumeProducing()
        assert steps == []
        wire.breaks()
        assert steps == ["closed"]

    def test_a_generator_that_waits_is_closed(self) -> None:
        steps: list[str] = []

        async def waits(request: Request) -> AsyncIterator[str]:
            try:
                yield "one"
                await Deferred()
            finally:
                steps.append("closed")

        wire = ServerWire(table(info_all=waits))
        wire.says("info all")
        wire.breaks()
        assert steps == ["closed"]

    @pytest.mark.parametrize("way", ["close", "aclose"])
    def test_an_iterator_that_can_be_closed_is(self, way: str) -> None:
        closed: list[str] = []

        class Rows:
            def __iter__(self) -> Iterator[str]:
                return iter(["row"])

        async def aclose() -> None:
            closed.append("aclose")

        rows: Any = Rows()
        setattr(rows, way, aclose if way == "aclose" else lambda: closed.append("close"))
        assert ServerWire(table(info_rows=lambda _: rows)).asks("info rows")[0] == "= row"
        assert closed == [way]

    def test_a_generator_is_closed_when_its_lines_are_no_text(
        self, logged_failures: LoggedFailures
    ) -> None:
        steps: list[str] = []

        def wrong(request: Request) -> Iterator[Any]:
            try:
                yield 5
            finally:
                steps.append("closed")

        assert ServerWire(table(wrong=wrong)).asks("wrong") == ["- ERR internal error"]
        assert steps == ["closed"]
        assert len(logged_failures.take()) == 1

    def test_nothing_that_waited_is_begun(self) -> None:
        begun: list[None] = []
        wire = ServerWire(table(slow=lambda _: Deferred(), stop=lambda _: begun.append(None)))
        wire.says("slow", "stop", "stop")
        wire.breaks()
        assert begun == []

    def test_it_is_forgotten(self) -> None:
        wire = ServerWire()
        assert wire.factory.connections == {wire.server}
        wire.hangs_up()
        assert wire.factory.connections == set()
        wire.factory.broadcast("stop")
        assert wire.heard() == []


class TestSlowClient:
    """The transport says ``pauseProducing`` when its client does not read."""

    def test_no_command_is_begun_and_nothing_more_is_read(self) -> None:
        begun: list[None] = []
        wire = ServerWire(table(stop=lambda _: begun.append(None)))
        wire.server.pauseProducing()
        assert wire.transport.producerState == "paused"
        assert wire.asks("stop") == []
        assert begun == []
        wire.server.resumeProducing()
        assert wire.transport.producerState == "producing"
        assert wire.heard() == ["+ OK stop completed"]

    def test_it_is_the_producer_of_its_transport(self) -> None:
        wire = ServerWire()
        assert wire.transport.producer is wire.server
        assert wire.transport.streaming

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_output_is_taken_as_fast_as_it_is_read(self, asynchronous: bool) -> None:
        taken = 0

        def numbers(request: Request) -> Iterator[str]:
            nonlocal taken
            while taken < 100:
                taken += 1
                yield "x" * 1000

        async def numbers_too(request: Request) -> AsyncIterator[str]:
            for line in numbers(request):
                yield line

        wire = ServerWire(table(info_all=numbers_too if asynchronous else numbers))
        write = wire.transport.write

        def fill(data: bytes) -> None:
            write(data)
            wire.server.pauseProducing()

        wire.transport.write = fill  # type: ignore[assignment]
        wire.says("info all")
        assert 0 < taken < 20
        for _ in range(10):
            wire.server.resumeProducing()
        assert taken == 100
        lines = wire.heard()
        assert (len(lines), lines[-1]) == (101, "+ OK info all completed")

    def test_events_wait_until_it_reads(self) -> None:
        wire = ServerWire()
        wire.server.pauseProducing()
        wire.factory.broadcast("stop")
        wire.factory.broadcast("cont")
        assert wire.heard() == []
        wire.server.resumeProducing()
        assert wire.heard() == ["* EVENT stop", "* EVENT cont"]

    @pytest.mark.parametrize("limit", [0, 2])
    def test_no_more_events_wait_than_allowed_and_the_rest_is_counted(self, limit: int) -> None:
        wire = ServerWire(event_queue=limit, slow_client="drop-events")
        wire.server.pauseProducing()
        for number in range(5):
            wire.factory.broadcast(f"e{number}")
        with capturedLogs() as logs:
            wire.server.resumeProducing()
        assert wire.heard() == ["* EVENT e0", "* EVENT e1"][:limit]
        assert [(e["log_level"], e["dropped"]) for e in logs] == [(LogLevel.warn, 5 - limit)]
        with capturedLogs() as logs:
            wire.server.pauseProducing()
            wire.server.resumeProducing()
        assert logs == []

    def test_or_it_is_disconnected_once(self) -> None:
        wire = ServerWire(event_queue=2, slow_client="disconnect")
        wire.server.pauseProducing()
        with capturedLogs() as logs:
            for _ in range(5):
                wire.factory.broadcast("stop")
        assert wire.transport.aborted
        assert [(e["log_level"], e["waiting"]) for e in logs] == [(LogLevel.warn, 2)]
        assert wire.server.state is State.CLOSING
        wire.breaks()

    def test_one_that_is_disconnected_begins_no_command(self) -> None:
        begun: list[None] = []
        wire = ServerWire(
            table(stop=lambda _: begun.append(None), slow=lambda _: running),
            event_queue=0,
            slow_client="disconnect",
        )
        running: Deferred[None] = Deferred()
        wire.says("slow", "stop")
        wire.server.pauseProducing()
        wire.factory.broadcast("stop")
        running.callback(None)
        wire.server.resumeProducing()
        assert begun == []
        wire.breaks()

    def test_the_policy_is_one_of_two(self) -> None:
        with pytest.raises(ValueError, match="slow_client"):
            TextServerFactory(CommandTable(), Clock(), slow_client="shrug")

    def test_events_do_not_push_output_past_the_bound(self) -> None:
        ticks: list[Deferred[None]] = []

        async def ticking(request: Request) -> AsyncIterator[str]:
            while True:
                ticks.append(Deferred())
                await ticks[-1]
                yield "tick"

        wire = ServerWire(table(info_ticks=ticking), event_queue=10)
        wire.says("info ticks")
        wire.server.pauseProducing()
        for _ in range(20):
            ticks[-1].callback(None)
            wire.factory.broadcast("stop")
        assert wire.heard() == []
        wire.breaks()


class TestEvents:
    def test_rule_21_they_go_to_every_connection(self) -> None:
        wire = ServerWire()
        other = Wire(wire.factory)
        other.heard()
        wire.factory.broadcast("reboot")
        assert wire.heard() == other.heard() == ["* EVENT reboot"]

    def test_rule_06_between_the_lines_of_a_command_that_runs(self) -> None:
        more: Deferred[None] = Deferred()

        async def info(request: Request) -> AsyncIterator[str]:
            yield "before"
            await more
            yield "after"

        wire = ServerWire(table(info_all=info))
        wire.says("info all")
        wire.factory.broadcast("reboot")
        more.callback(None)
        assert wire.heard() == ["= before", "* EVENT reboot", "= after", "+ OK info all completed"]

    def test_rule_06_before_the_completion_of_the_command_that_caused_them(self) -> None:
        wire = ServerWire(table(stop=lambda _: wire.factory.broadcast("stop")))
        assert wire.asks("stop") == ["* EVENT stop", "+ OK stop completed"]

    def test_a_name_cannot_smuggle_a_line(self) -> None:
        wire = ServerWire()
        wire.factory.broadcast("a\r\n+ OK", "k=v\n")
        assert wire.heard() == [r"* EVENT a\x0d\x0a+\x20OK k=v\x0a"]

    def test_a_closing_connection_gets_none(self) -> None:
        wire = ServerWire()
        wire.server.close()
        wire.factory.broadcast("stop")
        assert wire.heard() == []
        wire.hangs_up()


class TestHalfClose:
    def test_all_that_was_asked_is_answered_then_the_server_closes(self) -> None:
        running: Deferred[None] = Deferred()
        wire = ServerWire(table(slow=lambda _: running, stop=lambda _: None))
        wire.says("slow", "stop")
        wire.server.readConnectionLost()
        assert not wire.transport.disconnecting
        running.callback(None)
        assert wire.heard() == ["+ OK slow completed", "+ OK stop completed"]
        assert wire.transport.disconnecting
        wire.hangs_up()

    def test_nothing_asked_nothing_answered(self) -> None:
        wire = ServerWire()
        wire.server.readConnectionLost()
        assert wire.heard() == []
        assert wire.transport.disconnecting
        wire.hangs_up()

    def test_half_a_command_is_none(self) -> None:
        begun: list[None] = []
        wire = ServerWire(table(stop=lambda _: begun.append(None)))
        wire.sends(b"stop")
        wire.server.readConnectionLost()
        assert wire.heard() == ["- BAD the last line has no end"]
        assert begun == []
        wire.hangs_up()

    def test_half_a_line_that_is_too_long_is_answered_once(self) -> None:
        wire = ServerWire()
        wire.sends(b"x" * 5000)
        wire.server.readConnectionLost()
        assert wire.heard() == ["- BAD line too long"]
        wire.hangs_up()

    def test_a_transport_that_says_it_again_changes_nothing(self) -> None:
        running: Deferred[None] = Deferred()
        wire = ServerWire(table(slow=lambda _: running))
        wire.says("slow")
        for _ in range(5):
            wire.server.readConnectionLost()
        assert len(wire.server._ahead) == 1
        running.callback(None)
        wire.hangs_up()

    def test_a_client_that_reads_no_more_is_closed(self) -> None:
        wire = ServerWire()
        wire.server.writeConnectionLost()
        assert wire.transport.disconnecting
        wire.hangs_up()


class TestClosing:
    def test_what_was_not_begun_is_not_answered(self) -> None:
        running: Deferred[None] = Deferred()
        wire = ServerWire(table(slow=lambda _: running, stop=lambda _: None))
        wire.says("slow", "stop")
        wire.server.close()
        wire.says("stop")
        running.callback(None)
        assert "+ OK stop completed" not in wire.heard()
        wire.hangs_up()

    def test_a_stuck_client_is_aborted_after_ten_seconds(self) -> None:
        wire = ServerWire()
        wire.server.pauseProducing()
        wire.server.close()
        assert wire.transport.producer is None
        wire.clock.advance(9.9)
        assert not wire.transport.aborted
        wire.clock.advance(0.1)
        assert wire.transport.aborted
        wire.breaks()

    def test_in_time_there_is_nothing_to_abort(self) -> None:
        wire = ServerWire()
        wire.server.close()
        wire.hangs_up()
        assert not wire.clock.getDelayedCalls()

    def test_closing_twice_and_after_the_end(self) -> None:
        wire = ServerWire()
        wire.server.close()
        wire.server.close()
        wire.hangs_up(ConnectionLost())
        wire.server.close()
        assert not wire.clock.getDelayedCalls()

    def test_output_stops_when_nothing_would_hold_it_back(self) -> None:
        taken = 0

        def endless(request: Request) -> Iterator[str]:
            nonlocal taken
            while taken < 100_000:
                taken += 1
                if taken == 10:
                    wire.server.close()
                yield "data"

        wire = ServerWire(table(info_all=endless))
        wire.says("info all")
        assert taken == 10
        assert wire.heard() == []
        wire.hangs_up()


class TestFactory:
    def test_more_connections_than_allowed_are_refused(self) -> None:
        wire = ServerWire(max_connections=1)
        with capturedLogs() as logs:
            assert wire.factory.buildProtocol(None) is None
        assert [e["limit"] for e in logs] == [1]
        wire.hangs_up()
        assert wire.factory.buildProtocol(None) is not None
