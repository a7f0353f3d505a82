"""The server of JSON QMP: what is asked, what is answered, in which order, what is held back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from tests.conftest import LoggedFailures
from tests.jsonqmp.asking import DONE, NEGOTIATE, NEGOTIATE_OOB, AskingWire, error
from tests.wires import Wire
from txqmp.errors import CommandFailed
from txqmp.jsonqmp.server import JSONServerFactory, Request
from txqmp.jsonqmp.table import JSONCommandTable
from txqmp.monitor.server import State

STAMP = '"timestamp": {"seconds": 1, "microseconds": 500000}'


def ask(name: str, id: int) -> str:
    return f'{{"execute": "{name}", "id": {id}}}'


def oob(name: str, id: int) -> str:
    return f'{{"exec-oob": "{name}", "id": {id}}}'


def done(id: int) -> str:
    return f'{{"return": {{}}, "id": {id}}}'


def table(**handlers: Callable[..., Any]) -> JSONCommandTable:
    made = JSONCommandTable()
    for name, handler in handlers.items():
        made.command(name)(handler)
    return made


class Slow:
    """A table with a command that takes its time, one that does not, and ``yank``."""

    def __init__(self) -> None:
        self.running: list[Deferred[None]] = []
        self.cancelled = 0
        self.table = table(slow=self.slow, quick=lambda _: None)
        self.table.command("yank", oob=True)(lambda _: None)
        self.table.command("slow-yank", oob=True)(self.slow)

    def slow(self, request: Request) -> Deferred[None]:
        self.running.append(Deferred(lambda _: self.cancel()))
        return self.running[-1]

    def cancel(self) -> None:
        self.cancelled += 1

    def finish(self) -> None:
        self.running.pop(0).callback(None)


class TestGreeting:
    def test_it_greets(self) -> None:
        version = '{"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}'
        assert AskingWire(negotiate=None).greeting == [
            f'{{"QMP": {{"version": {version}, "capabilities": ["oob"]}}}}'
        ]

    def test_the_version_may_be_chosen(self) -> None:
        (greeting,) = AskingWire(negotiate=None, qemu="9.1.0", package="Debian é").greeting
        assert '{"micro": 0, "minor": 1, "major": 9}, "package": "Debian \\u00e9"' in greeting

    @pytest.mark.parametrize("version", ["9.1", "9.1.x"])
    def test_a_version_is_three_numbers(self, version: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011
            AskingWire(qemu=version)


class TestNegotiation:
    @pytest.mark.parametrize("name", ["stop", "nosuch"])
    def test_any_other_command_is_refused_before(self, name: str) -> None:
        wire = AskingWire(table(stop=lambda _: None), negotiate=None)
        words = "Expecting capabilities negotiation with 'qmp_capabilities'"
        assert wire.asks(f'{{"execute": "{name}"}}') == [error(words, "CommandNotFound")]

    def test_it_ends_with_qmp_capabilities(self) -> None:
        wire = AskingWire(table(stop=lambda _: None), negotiate=None)
        assert wire.asks(NEGOTIATE, ask("stop", 1)) == [DONE, done(1)]

    def test_a_second_time_is_refused(self) -> None:
        words = "Capabilities negotiation is already complete, command ignored"
        assert AskingWire().asks(NEGOTIATE) == [error(words, "CommandNotFound")]

    def test_an_unknown_capability_is_refused_and_the_negotiation_goes_on(self) -> None:
        wire = AskingWire(negotiate=None)
        asked = NEGOTIATE_OOB.replace('"oob"', '"oob", "x"')
        assert wire.asks(asked) == [error("Parameter 'enable[1]' does not accept value 'x'")]
        assert wire.asks(NEGOTIATE) == [DONE]

    def test_out_of_band_commands_must_have_been_negotiated(self) -> None:
        wire = AskingWire(Slow().table)
        words = "QMP input member 'exec-oob' is unexpected"
        assert wire.asks('{"exec-oob": "yank"}') == [error(words)]


class TestAnswers:
    @pytest.mark.parametrize(
        ("sent", "echoed"),
        [
            ("1", "1"), ("-1.5", "-1.5"), ("null", "null"), ("false", "false"),
            ('"é"', '"\\u00e9"'),
            ("[1, {}]", "[1, {}]"), ('{"a": null}', '{"a": null}'), ("''", '""'),
        ],
    )  # fmt: skip
    def test_the_id_is_echoed_whatever_it_is(self, sent: str, echoed: str) -> None:
        wire = AskingWire(table(stop=lambda _: None))
        answers = wire.asks(f'{{"execute": "stop", "id": {sent}}}')
        assert answers == [f'{{"return": {{}}, "id": {echoed}}}']

    @pytest.mark.parametrize("inside", ["", '{"a": 1, "é": [2, "", {}, {"b": null}], "c": []}'])
    def test_an_id_may_be_as_deep_as_qemu_allows(self, inside: str) -> None:
        wire = AskingWire(table(stop=lambda _: None))
        inside = inside.replace("é", "\\u00e9")
        deep = "[" * 1020 + inside + "]" * 1020
        answers = wire.asks(f'{{"execute": "stop", "id": {deep}}}')
        assert answers == [f'{{"return": {{}}, "id": {deep}}}']

    def test_an_error_has_the_id_first_as_in_qemu(self) -> None:
        words = "The command nosuch has not been found"
        (answer,) = AskingWire().asks(ask("nosuch", 7))
        assert answer == error(words, "CommandNotFound").replace("{", '{"id": 7, ', 1)

    def test_a_message_that_is_no_command_has_its_id_echoed(self) -> None:
        (answer,) = AskingWire().asks('{"id": 7, "execute": 1}')
        words = "QMP input member 'execute' must be a string"
        assert answer == error(words).replace("{", '{"id": 7, ', 1)

    @pytest.mark.parametrize(
        ("result", "line"),
        [
            (None, DONE),
            ({}, DONE),
            ([], '{"return": []}'),
            ("é\n", '{"return": "\\u00e9\\n"}'),
            ({"a": [1, 2.5, None, True]}, '{"return": {"a": [1, 2.5, null, true]}}'),
        ],
    )
    @pytest.mark.parametrize("way", [lambda v: v, succeed, lambda v: _coroutine(v)])
    def test_a_handler_may_return_json_in_many_ways(
        self, result: Any, line: str, way: Callable[[Any], Any]
    ) -> None:
        wire = AskingWire(table(x=lambda _: way(result)))
        assert wire.asks('{"execute": "x"}') == [line]

    @pytest.mark.parametrize("way", [lambda e: _raise(e), fail, lambda e: _coroutine(e)])
    def test_a_handler_may_fail_with_an_error_class(self, way: Callable[[Any], Any]) -> None:
        failure = CommandFailed("Device 'x' not found", error_class="DeviceNotFound")
        wire = AskingWire(table(x=lambda _: way(failure)))
        assert wire.asks('{"execute": "x"}') == [error("Device 'x' not found", "DeviceNotFound")]

    def test_a_failure_is_generic_by_default(self) -> None:
        wire = AskingWire(table(x=lambda _: _raise(CommandFailed("no"))))
        assert wire.asks('{"execute": "x"}') == [error("no")]

    @pytest.mark.parametrize(
        "result",
        [
            lambda: 1 / 0,
            lambda: fail(ZeroDivisionError()),
            lambda: object(),
            lambda: float("nan"),
            lambda: _cyclic(),
        ],
    )
    def test_any_other_exception_is_an_internal_error_logged_once_and_not_told(
        self, result: Callable[[], Any], logged_failures: LoggedFailures
    ) -> None:
        wire = AskingWire(table(x=lambda _: result(), y=lambda _: None))
        assert wire.asks(ask("x", 1)) == [
            '{"id": 1, "error": {"class": "GenericError", "desc": "internal error"}}'
        ]
        assert len(logged_failures.take()) == 1
        assert wire.asks('{"execute": "y"}') == [DONE]

    def test_state_is_kept_for_the_connection_alone(self) -> None:
        def count(request: Request) -> int:
            request.state["n"] = request.state.get("n", 0) + 1
            return int(request.state["n"])

        wire = AskingWire(table(count=count))
        assert wire.asks('{"execute": "count"}' * 2) == ['{"return": 1}', '{"return": 2}']
        wire.join()
        assert wire.asks('{"execute": "count"}') == ['{"return": 1}']

    def test_a_handler_may_close_the_connection_once_it_is_answered(self) -> None:
        wire = AskingWire(table(quit=lambda request: request.close(), stop=lambda _: None))
        assert wire.asks(ask("quit", 1) + ask("stop", 2)) == [done(1)]
        assert wire.transport.disconnecting
        wire.hangs_up()


class TestJunk:
    @pytest.mark.parametrize(
        ("raw", "count"),
        [
            ("}}}", 3),
            ("[1,]", 1),
            ("nonsense ", 1),
            ("{}", 1),
            (b"\xff", 1),
            (" \r\n", 0),
            ("{", 0),
        ],
    )
    def test_each_error_is_answered_and_the_connection_lives_on(
        self, raw: str | bytes, count: int
    ) -> None:
        wire = AskingWire(table(stop=lambda _: None))
        answers = wire.asks(raw)
        assert len(answers) == count
        assert all("GenericError" in answer for answer in answers)
        assert wire.asks(b"\xff", ask("stop", 1))[-1] == done(1)

    def test_what_is_too_long_is_answered_once(self) -> None:
        wire = AskingWire(table(stop=lambda _: None), max_command_length=100)
        assert wire.asks('{"x": "' + "a" * 100, "a" * 100 + '"}') == [
            error("JSON token size limit exceeded"),
            error("JSON parse error, expecting value"),
        ]
        assert wire.asks(ask("stop", 1)) == [done(1)]

    def test_what_is_too_deep_is_answered(self) -> None:
        wire = AskingWire(max_depth=2)
        assert wire.asks("[[[") == [error("JSON nesting depth limit exceeded")]

    def test_errors_are_told_in_their_turn(self) -> None:
        slow = Slow()
        wire = AskingWire(slow.table)
        assert wire.asks(ask("slow", 1) + "}" + ask("quick", 2)) == []
        slow.finish()
        assert wire.heard() == [done(1), error("JSON parse error, expecting value"), done(2)]

    def test_the_errors_of_a_slow_client_wait_for_it(self) -> None:
        wire = AskingWire()
        wire.server.pauseProducing()
        wire.server.dataReceived(b"}" * 10)
        assert wire.heard() == []
        wire.server.resumeProducing()
        assert len(wire.heard()) == 10

    def test_a_peer_that_goes_away_among_its_errors_is_told_no_more(self) -> None:
        wire = AskingWire()
        written = 0

        def write(data: bytes) -> None:
            nonlocal written
            written += 1
            wire.server.pauseProducing()

        wire.transport.write = write  # type: ignore[method-assign]
        wire.server.dataReceived(b"}" * 10)
        wire.hangs_up()
        assert written == 1


class TestOrder:
    def test_commands_run_one_at_a_time_in_order(self) -> None:
        slow = Slow()
        wire = AskingWire(slow.table)
        assert wire.asks(ask("slow", 1) + ask("quick", 2) + ask("slow", 3)) == []
        assert len(slow.running) == 1
        slow.finish()
        assert wire.heard() == [done(1), done(2)]
        slow.finish()
        assert wire.heard() == [done(3)]

    def test_out_of_band_commands_overtake(self) -> None:
        slow = Slow()
        wire = AskingWire(slow.table, NEGOTIATE_OOB)
        assert wire.asks(ask("slow", 1) + ask("quick", 2) + oob("yank", 3)) == [done(3)]
        slow.finish()
        assert wire.heard() == [done(1), done(2)]

    def test_what_was_not_negotiated_is_refused_in_its_turn(self) -> None:
        slow = Slow()
        wire = AskingWire(slow.table)
        assert wire.asks(ask("slow", 1) + '{"exec-oob": "yank"}') == []
        slow.finish()
        words = "QMP input member 'exec-oob' is unexpected"
        assert wire.heard() == [done(1), error(words)]

    def test_a_command_must_allow_it(self) -> None:
        wire = AskingWire(Slow().table, NEGOTIATE_OOB)
        assert wire.asks('{"exec-oob": "slow"}') == [error("The command slow does not support OOB")]

    def test_several_out_of_band_commands_run_at_a_time(self) -> None:
        slow = Slow()
        wire = AskingWire(slow.table, NEGOTIATE_OOB)
        wire.asks(oob("slow-yank", 1) + oob("slow-yank", 2))
        slow.running.pop().callback(None)
        slow.finish()
        assert wire.heard() == [done(2), done(1)]

    def test_out_of_band_commands_wait_for_a_client_that_does_not_read(self) -> None:
        wire = AskingWire(Slow().table, NEGOTIATE_OOB)
        wire.server.pauseProducing()
        assert wire.asks(oob("yank", 1)) == []
        wire.server.resumeProducing()
        assert wire.heard() == [done(1)]

    def test_eight_are_read_ahead_and_then_no_more(self) -> None:
        slow = Slow()
        wire = AskingWire(slow.table)
        wire.asks(ask("slow", 0))
        wire.asks(*(ask("quick", n) for n in range(1, 9)))
        assert wire.transport.producerState == "producing"
        wire.asks(ask("quick", 9) + ask("quick", 10) + ask("quick", 11))
        assert wire.transport.producerState == "paused"
        assert len(wire.server._ahead) == 9
        slow.finish()
        assert wire.heard() == [done(n) for n in range(12)]
        assert wire.transport.producerState == "producing"

    def test_out_of_band_commands_that_run_count_too(self) -> None:
        slow = Slow()
        wire = AskingWire(slow.table, NEGOTIATE_OOB, read_ahead=2)
        wire.asks(oob("slow-yank", 1), oob("slow-yank", 2))
        assert wire.transport.producerState == "producing"
        wire.asks(oob("slow-yank", 3))
        assert wire.transport.producerState == "paused"
        slow.finish()
        assert wire.transport.producerState == "producing"

    @pytest.mark.parametrize("name", ["slow", "slow-yank"])
    def test_what_runs_is_cancelled_when_the_client_is_gone(self, name: str) -> None:
        slow = Slow()
        wire = AskingWire(slow.table, NEGOTIATE_OOB)
        wire.asks(oob(name, 1) if name == "slow-yank" else ask(name, 1))
        wire.breaks()
        assert slow.cancelled == 1
        assert wire.server.state is State.OVER
        assert wire.heard() == []

    @pytest.mark.parametrize("message", [ask("slow", 1), oob("slow-yank", 1)])
    def test_a_client_that_says_no_more_is_answered_and_then_closed(self, message: str) -> None:
        slow = Slow()
        wire = AskingWire(slow.table, NEGOTIATE_OOB)
        wire.asks(message + ask("quick", 2) if "execute" in message else message)
        wire.server.readConnectionLost()
        assert not wire.transport.disconnecting
        slow.finish()
        assert wire.heard() == ([done(1), done(2)] if "execute" in message else [done(1)])
        assert wire.transport.disconnecting
        wire.hangs_up()


class TestEvents:
    def test_they_go_to_every_client_that_has_negotiated(self) -> None:
        wire = AskingWire()
        early = Wire(wire.factory)
        early.heard()
        wire.clock.advance(1.5)
        wire.factory.broadcast("STOP")
        assert wire.heard() == [f'{{{STAMP}, "event": "STOP"}}']
        assert early.heard() == []

    def test_they_have_data_if_there_is_any(self) -> None:
        wire = AskingWire()
        wire.clock.advance(1.5)
        wire.factory.broadcast("RESET", {"guest": False})
        assert wire.heard() == [f'{{{STAMP}, "event": "RESET", "data": {{"guest": false}}}}']

    def test_they_come_while_a_command_runs(self) -> None:
        slow = Slow()
        wire = AskingWire(slow.table)
        wire.asks(ask("slow", 1))
        wire.factory.broadcast("STOP")
        (event,) = wire.heard()
        assert '"STOP"' in event
        slow.finish()
        assert wire.heard() == [done(1)]

    def test_of_the_limited_ones_the_first_and_the_last_of_a_second_are_sent(self) -> None:
        wire = AskingWire()
        for actual in (1, 2, 3):
            wire.factory.broadcast("BALLOON_CHANGE", {"actual": actual})
        (first,) = wire.heard()
        assert '"actual": 1}' in first
        wire.clock.advance(0.9)
        assert wire.heard() == []
        wire.clock.advance(0.1)
        (last,) = wire.heard()
        assert '"actual": 3}' in last
        assert '"seconds": 0' in last

    def test_a_second_begins_with_what_was_held_back(self) -> None:
        wire = AskingWire()
        wire.factory.broadcast("RTC_CHANGE", {"offset": 1})
        wire.factory.broadcast("RTC_CHANGE", {"offset": 2})
        wire.clock.advance(1)
        wire.factory.broadcast("RTC_CHANGE", {"offset": 3})
        assert len(wire.heard()) == 2
        wire.clock.advance(1)
        assert len(wire.heard()) == 1

    def test_after_a_quiet_second_the_next_is_sent_at_once(self) -> None:
        wire = AskingWire()
        wire.factory.broadcast("WATCHDOG")
        wire.clock.advance(1)
        wire.heard()
        assert not wire.clock.getDelayedCalls()
        wire.factory.broadcast("WATCHDOG")
        assert len(wire.heard()) == 1

    @pytest.mark.parametrize(
        ("name", "member"),
        [
            ("VSERPORT_CHANGE", "id"),
            ("QUORUM_REPORT_BAD", "node-name"),
            ("MEMORY_DEVICE_SIZE_CHANGE", "qom-path"),
        ],
    )
    def test_some_are_limited_for_each_device(self, name: str, member: str) -> None:
        wire = AskingWire()
        for device in ("a", "b", "a"):
            wire.factory.broadcast(name, {member: device})
        assert len(wire.heard()) == 2

    def test_the_others_are_not_limited(self) -> None:
        wire = AskingWire()
        wire.factory.broadcast("STOP")
        wire.factory.broadcast("STOP")
        assert len(wire.heard()) == 2

    def test_what_is_held_back_is_forgotten_when_nobody_listens(self) -> None:
        wire = AskingWire()
        wire.factory.doStart()
        wire.factory.broadcast("WATCHDOG")
        wire.factory.doStop()
        assert not wire.clock.getDelayedCalls()


def test_too_many_connections_are_refused() -> None:
    wire = AskingWire(max_connections=1)
    factory: JSONServerFactory = wire.factory
    assert factory.buildProtocol(None) is None


async def _coroutine(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


def _raise(error: Exception) -> Any:
    raise error


def _cyclic() -> list[Any]:
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    return cyclic


@pytest.mark.parametrize("value", ["null", "true", "0", "[]"])
def test_a_value_that_is_no_object_is_answered(value: str) -> None:
    (answer,) = AskingWire().asks(f"{value}\n")
    assert "QMP input must be a JSON object" in answer
