"""The client of JSON QMP: what arrives, what leaves, and what becomes of each Deferred."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from tests.jsonqmp.client_wire import JSONWire, greeting
from tests.wires import Outcomes, interrupted, pending, result
from txqmp.errors import (
    BoundExceeded,
    CommandFailed,
    CommandInterrupted,
    CommandTimeout,
    ConnectionUnusable,
    GreetingTimeout,
    InvalidCommand,
    ProtocolViolation,
    QueueFull,
)
from txqmp.jsonqmp.client import JSONClientFactory, State
from txqmp.jsonqmp.grammar import Event
from txqmp.monitor.client import IMonitorClient

STOP = {"event": "STOP", "timestamp": {"seconds": 1795342861, "microseconds": 500000}}


def test_it_is_a_monitor_client() -> None:
    assert verifyObject(IMonitorClient, JSONWire().client)


class TestNegotiation:
    def test_without_oob(self) -> None:
        wire = JSONWire(negotiated=False)
        greeted = wire.client.when_greeted()
        wire.tells(greeting())
        assert wire.commands() == [{"execute": "qmp_capabilities", "id": 0}]
        assert pending(greeted)
        wire.tells({"return": {}, "id": 0})
        assert result(greeted).qemu == "7.2.22"
        assert not wire.client.oob
        assert wire.calm

    def test_oob_is_switched_on_where_it_is_offered_and_nothing_else(self) -> None:
        wire = JSONWire(negotiated=False)
        wire.tells(greeting("invented", "oob"))
        enable = {"enable": ["oob"]}
        assert wire.commands() == [{"execute": "qmp_capabilities", "arguments": enable, "id": 0}]
        assert wire.client.oob

    def test_commands_wait_for_its_answer(self) -> None:
        wire = JSONWire(negotiated=False)
        wire.client.execute("stop")
        wire.tells(greeting())
        assert wire.asked() == [("qmp_capabilities", 0)]
        wire.tells({"return": {}, "id": 0})
        assert wire.asked() == [("stop", 1)]

    def test_events_may_come_before_its_answer(self) -> None:
        wire = JSONWire(negotiated=False)
        event = wire.client.wait_for_event("STOP")
        wire.tells(greeting(), STOP, {"return": {}, "id": 0})
        assert result(event).name == "STOP"
        assert wire.client.state is State.IDLE

    def test_white_space_before_the_greeting(self) -> None:
        wire = JSONWire(negotiated=False)
        wire.sends(b"\r\n \t\r\n", b"  " + json.dumps(greeting()).encode() + b" \r\n")
        assert wire.client.state is State.NEGOTIATING

    @pytest.mark.parametrize(
        "answer",
        [
            {"return": {}, "id": 1},
            {"return": {}},
            {"return": {}, "id": "0"},
            {"error": {"class": "GenericError", "desc": "no"}, "id": 0},
            greeting(),
        ],
    )
    def test_any_other_answer_is_a_violation(self, answer: Any) -> None:
        wire = JSONWire(negotiated=False)
        greeted, reply = wire.client.when_greeted(), wire.client.execute("stop")
        wire.tells(greeting(), answer)
        assert isinstance(result(greeted), ProtocolViolation)
        assert isinstance(result(reply), ConnectionUnusable)
        assert wire.transport.aborted
        assert wire.calm

    @pytest.mark.parametrize("line", ["+ OK QEMU 0.10.50 QMP 0.1", "[", "hello}", '"QMP"', "1"])
    def test_no_greeting(self, line: str) -> None:
        wire = JSONWire(negotiated=False)
        greeted = wire.client.when_greeted()
        wire.says(line)
        assert isinstance(result(greeted), ProtocolViolation)

    @pytest.mark.parametrize("said", [[], [greeting()]])
    def test_a_monitor_that_falls_silent_is_given_up(self, said: list[Any]) -> None:
        wire = JSONWire(negotiated=False, greeting_timeout=7.0)
        greeted = wire.client.when_greeted()
        wire.tells(*said)
        wire.clock.advance(6.9)
        assert pending(greeted)
        wire.clock.advance(0.1)
        assert isinstance(result(greeted), GreetingTimeout)
        assert wire.transport.aborted
        assert wire.calm

    def test_a_connection_that_ends_before_it(self) -> None:
        wire = JSONWire(negotiated=False)
        wire.tells(greeting())
        greeted, reply = wire.client.when_greeted(), wire.client.execute("stop")
        wire.hangs_up()
        assert isinstance(result(greeted), ConnectionUnusable)
        assert type(result(reply)) is ConnectionUnusable


class TestCommands:
    def test_a_command_and_its_reply(self) -> None:
        wire = JSONWire()
        reply = wire.client.execute("device_del", {"id": "nic1"})
        assert wire.commands() == [
            {"execute": "device_del", "arguments": {"id": "nic1"}, "id": 1},
        ]
        wire.tells({"return": {"x": [1]}, "id": 1})
        assert result(reply) == {"x": [1]}
        assert wire.calm

    def test_any_mapping_will_do(self) -> None:
        wire = JSONWire()
        wire.client.execute("device_del", MappingProxyType({"id": "a"}))
        assert wire.commands()[0]["arguments"] == {"id": "a"}

    def test_replies_may_come_in_any_order(self) -> None:
        wire = JSONWire()
        replies = [wire.client.execute(name) for name in "abc"]
        assert wire.asked() == [("a", 1), ("b", 2), ("c", 3)]
        wire.tells(*({"return": number, "id": number} for number in (3, 1, 2)))
        assert [result(reply) for reply in replies] == [1, 2, 3]

    def test_unknown_members_are_passed_over(self) -> None:
        wire = JSONWire()
        reply = wire.client.execute("stop")
        wire.tells({"return": {}, "id": 1, "new": True})
        assert result(reply) == {}

    def test_a_failure_has_the_monitor_s_words_and_class(self) -> None:
        wire = JSONWire()
        reply = wire.client.execute("device_del", {"id": "x"})
        wire.tells({"id": 1, "error": {"class": "DeviceNotFound", "desc": "Device 'x' not found"}})
        error = result(reply)
        assert type(error) is CommandFailed
        assert (error.error_class, error.reason) == ("DeviceNotFound", "Device 'x' not found")
        assert error.command == "device_del"
        assert wire.client.state is State.IDLE

    @pytest.mark.parametrize("id", [2, 0, -1, "1", 1.0, True, None, [1], {"a": 1}])
    @pytest.mark.parametrize("kind", ["return", "error"])
    def test_a_reply_with_an_unknown_id_is_a_violation(self, kind: str, id: Any) -> None:
        wire = JSONWire()
        reply = wire.client.execute("stop")
        wire.tells({kind: {"class": "GenericError", "desc": "no"}, "id": id})
        error = result(reply)
        assert interrupted([error]) == ["stop"]
        assert "unknown id" in str(error.reason)
        assert wire.transport.aborted

    def test_an_error_without_an_id_says_why(self) -> None:
        wire = JSONWire()
        reply = wire.client.execute("stop")
        wire.tells({"error": {"class": "GenericError", "desc": "JSON parse error"}})
        error = result(reply)
        assert interrupted([error]) == ["stop"]
        assert str(error.reason) == "a reply without an id: JSON parse error"

    def test_a_reply_comes_once(self) -> None:
        wire = JSONWire()
        first, second = wire.client.execute("a"), wire.client.execute("b")
        wire.tells({"return": 1, "id": 1}, {"return": 2, "id": 1})
        assert result(first) == 1
        assert interrupted([result(second)]) == ["b"]

    def test_a_callback_that_raises_harms_nobody_else(self) -> None:
        wire = JSONWire()
        harmful = wire.client.execute("a").addCallback(lambda _: 1 / 0)
        reply = wire.client.execute("b")
        wire.tells({"return": {}, "id": 1}, {"return": {}, "id": 2})
        assert isinstance(result(harmful), ZeroDivisionError)
        assert result(reply) == {}

    @pytest.mark.parametrize(
        "value", [b"bytes", {1, 2}, object(), float("nan"), float("inf"), "\ud800"]
    )
    def test_what_is_not_json_is_refused_before_a_byte_is_sent(self, value: Any) -> None:
        wire = JSONWire()
        assert isinstance(result(wire.client.execute("x", {"value": value})), InvalidCommand)
        assert wire.commands() == []
        assert wire.client.state is State.IDLE

    def test_nor_what_holds_itself(self) -> None:
        endless: list[Any] = []
        endless.append(endless)
        assert isinstance(result(JSONWire().client.execute("x", {"a": endless})), InvalidCommand)

    def test_too_many_are_refused(self) -> None:
        wire = JSONWire(max_queue=1)
        wire.client.execute("a")
        assert isinstance(result(wire.client.execute("b")), QueueFull)
        assert wire.asked() == [("a", 1)]


class TestWindow:
    def test_no_more_are_sent_ahead(self) -> None:
        wire = JSONWire(window=2)
        for name in "abcd":
            wire.client.execute(name)
        assert wire.asked() == [("a", 1), ("b", 2)]
        wire.tells({"return": {}, "id": 2})
        assert wire.asked() == [("c", 3)]

    def test_qemu_reads_on_after_no_more_than_eight(self) -> None:
        wire = JSONWire()
        for _ in range(20):
            wire.client.execute("stop")
        assert len(wire.asked()) == 8

    def test_what_runs_out_of_band_overtakes(self) -> None:
        wire = JSONWire("oob", window=1)
        for name in "ab":
            wire.client.execute(name)
        urgent = wire.client.execute("migrate-pause", {"a": 1}, oob=True)
        assert wire.commands() == [
            {"execute": "a", "id": 1},
            {"exec-oob": "migrate-pause", "arguments": {"a": 1}, "id": 3},
        ]
        wire.tells({"return": "quick", "id": 3})
        assert result(urgent) == "quick"
        assert wire.asked() == []

    def test_a_monitor_without_it_is_not_asked(self) -> None:
        wire = JSONWire()
        assert isinstance(result(wire.client.execute("a", oob=True)), InvalidCommand)
        assert wire.commands() == []

    def test_before_the_greeting_it_waits(self) -> None:
        wire = JSONWire(negotiated=False)
        wire.client.execute("a", oob=True)
        assert wire.commands() == []
        wire.tells(greeting("oob"), {"return": {}, "id": 0})
        assert wire.asked() == [("qmp_capabilities", 0), ("a", 1)]


class TestTimeouts:
    @pytest.mark.parametrize(
        ("command", "seconds"),
        [
            ("query-block", 30.0),
            ("qom-list", 30.0),
            ("migrate_set_speed", 60.0),
            ("human-monitor-command", None),
            ("dump-guest-memory", None),
            ("stop", 120.0),
            ("QUERY-BLOCK", 120.0),
        ],
    )
    def test_the_table(self, command: str, seconds: float | None) -> None:
        assert JSONClientFactory(Clock()).timeout_of(command) == seconds

    def test_the_first_glob_that_fits(self) -> None:
        factory = JSONClientFactory(Clock(), timeouts={"query-b*": 1.0, "query-*": 2.0})
        commands = ("query-block", "query-name", "stop")
        assert [factory.timeout_of(command) for command in commands] == [1.0, 2.0, None]

    def test_one_for_all(self) -> None:
        factory = JSONClientFactory(Clock(), command_timeout=5.0)
        assert factory.timeout_of("human-monitor-command") == 5.0

    def test_a_command_s_own_goes_before_the_table(self) -> None:
        wire = JSONWire(timeouts={"*": 5.0})
        reply, patient = wire.client.execute("a"), wire.client.execute("b", timeout=50.0)
        wire.clock.advance(5)
        error = result(reply)
        assert isinstance(error, CommandTimeout)
        assert (error.command, error.timeout, error.sent) == ("a", 5.0, True)
        assert pending(patient)

    def test_one_whose_turn_did_not_come_was_not_sent(self) -> None:
        wire = JSONWire(window=1)
        wire.client.execute("a")
        error = wire.client.execute("b", timeout=5.0)
        wire.clock.advance(5)
        assert not result(error).sent
        wire.tells({"return": {}, "id": 1})
        assert wire.asked() == [("a", 1)]

    def test_rule_05_a_late_reply_falls_to_the_command_that_is_gone(self) -> None:
        wire = JSONWire()
        outcomes = Outcomes()
        outcomes.watch("late", wire.client.execute("a", timeout=5.0))
        reply = wire.client.execute("b", timeout=5000.0)
        wire.clock.advance(5)
        wire.clock.advance(1000)
        wire.tells({"return": "late", "id": 1}, {"return": "b's", "id": 2})
        assert [type(outcome) for _, outcome in outcomes.all] == [CommandTimeout]
        assert result(reply) == "b's"
        assert wire.calm

    @pytest.mark.parametrize("kind", ["return", "error"])
    def test_rule_05_so_it_does_when_cancelled(self, kind: str) -> None:
        wire = JSONWire()
        gone, reply = wire.client.execute("a"), wire.client.execute("b")
        gone.cancel()
        assert isinstance(result(gone), CancelledError)
        wire.tells({kind: {"class": "C", "desc": "no"}, "id": 1}, {"return": "b's", "id": 2})
        assert result(reply) == "b's"
        assert wire.calm

    def test_cancelled_before_its_turn_it_is_never_sent(self) -> None:
        wire = JSONWire(window=1)
        replies = [wire.client.execute(name) for name in "abc"]
        replies[1].cancel()
        assert isinstance(result(replies[1]), CancelledError)
        wire.tells({"return": {}, "id": 1})
        assert wire.asked() == [("a", 1), ("c", 3)]


class TestEvents:
    def test_names_ignore_case(self) -> None:
        wire = JSONWire()
        event = wire.client.wait_for_event("stop")
        wire.tells(STOP)
        assert result(event) == Event("STOP", {}, 1795342861.5)

    def test_they_come_between_replies_with_their_data(self) -> None:
        wire = JSONWire()
        got: list[Event] = []
        wire.client.subscribe(None, got.append)
        reply = wire.client.execute("a")
        wire.tells({**STOP, "event": "RTC_CHANGE", "data": {"offset": 1}}, {"return": {}, "id": 1})
        assert [(event.name, event.data) for event in got] == [("RTC_CHANGE", {"offset": 1})]
        assert result(reply) == {}

    def test_a_monitor_whose_clock_failed(self) -> None:
        wire = JSONWire()
        event = wire.client.wait_for_event("STOP")
        wire.tells({"event": "STOP", "timestamp": {"seconds": -1, "microseconds": -1}})
        assert result(event).timestamp is None


class TestTheEnd:
    @pytest.mark.parametrize("reason", [ConnectionDone(), ConnectionLost()])
    def test_rule_18_a_close_after_quit_is_its_success(self, reason: Exception) -> None:
        wire = JSONWire()
        before, reply = wire.client.execute("stop"), wire.client.execute("quit")
        wire.hangs_up(reason)
        assert interrupted([result(before)]) == ["stop"]
        assert result(reply) == {}
        assert wire.calm

    def test_rule_18_an_answer_is_one(self) -> None:
        wire = JSONWire()
        reply = wire.client.execute("quit")
        wire.tells({"event": "SHUTDOWN"}, {"return": {}, "id": 1})
        wire.hangs_up()
        assert result(reply) == {}

    def test_rule_18_not_when_the_client_itself_closed(self) -> None:
        wire = JSONWire()
        reply = wire.client.execute("quit")
        wire.client.close()
        wire.hangs_up()
        assert interrupted([result(reply)]) == ["quit"]

    def test_what_was_sent_is_unknown_and_what_was_not_is_told_so(self) -> None:
        wire = JSONWire(window=2)
        replies = [wire.client.execute(name) for name in "abc"]
        reason = ConnectionLost("cable")
        wire.hangs_up(reason)
        errors = [result(reply) for reply in replies]
        assert interrupted(errors[:2]) == ["a", "b"]
        assert errors[0].reason is reason
        assert type(errors[2]) is ConnectionUnusable
        assert wire.calm

    def test_one_errback_may_cancel_another_command(self) -> None:
        wire = JSONWire()
        first, second = wire.client.execute("a"), wire.client.execute("b")
        first.addErrback(lambda _: second.cancel())
        wire.hangs_up()
        assert isinstance(result(second), CancelledError)
        assert wire.calm

    def test_later_calls_fail_at_once(self) -> None:
        wire = JSONWire()
        wire.hangs_up()
        assert isinstance(result(wire.client.execute("a")), ConnectionUnusable)


class TestLines:
    def test_pretty_printed_messages_go_over_many_lines(self) -> None:
        wire = JSONWire(negotiated=False)
        greeted, event = wire.client.when_greeted(), wire.client.wait_for_event("STOP")
        reply = wire.client.execute("query-name")
        for message in (
            greeting("oob"),
            {"return": {}, "id": 0},
            STOP,
            {"return": {"name": {"a": "}"}, "b": {}}, "id": 1},
        ):
            wire.sends(json.dumps(message, indent=4).replace("\n", "\r\n").encode() + b"\r\n")
        assert result(greeted).qemu == "7.2.22"
        assert result(event).name == "STOP"
        assert result(reply) == {"name": {"a": "}"}, "b": {}}

    @pytest.mark.parametrize("more", ["]", " {", ' {"event": "STOP"}', " x", " {} ", " ["])
    def test_what_follows_a_message_in_its_line_is_a_violation(self, more: str) -> None:
        wire = JSONWire()
        wire.says('{"event": "STOP"}' + more)
        assert wire.transport.aborted

    @pytest.mark.parametrize(
        "line", ["[", "x", '"a', "}", "]", "\x00", "\xff", "'", "{]", "{x\x01"]
    )
    def test_rubbish_is_a_violation_at_once(self, line: str) -> None:
        wire = JSONWire()
        reply = wire.client.execute("stop")
        wire.says(line)
        assert interrupted([result(reply)]) == ["stop"]
        assert wire.transport.aborted

    def test_empty_lines_are_nothing_however_many(self) -> None:
        wire = JSONWire()
        reply = wire.client.execute("stop")
        wire.sends(b"\r\n" * 5000, b'{"return": {}, "id": 1}\r\n')
        assert result(reply) == {}

    def test_rule_12_a_message_at_the_bound_is_read(self) -> None:
        line = json.dumps({"return": "x" * 100, "id": 1})
        wire = JSONWire(max_line=len(line) + 90)
        reply = wire.client.execute("a")
        wire.says(line + " " * 90)
        assert result(reply) == "x" * 100

    def test_rule_12_a_longer_line_ends_the_connection(self) -> None:
        wire = JSONWire(max_line=200)
        reply = wire.client.execute("a")
        wire.sends(b"{" + b" " * 200)
        assert isinstance(result(reply).reason, BoundExceeded)
        assert wire.transport.aborted

    def test_rule_12_so_does_a_longer_message_over_many_lines(self) -> None:
        wire = JSONWire(max_line=200)
        reply = wire.client.execute("a")
        wire.says("{", *['"a": 1,'] * 30)
        reason = result(reply).reason
        assert isinstance(reason, BoundExceeded)
        assert "a message of more than 200 bytes (max_line)" in str(reason)


class TestDescriptors:
    @pytest.fixture
    def descriptor(self) -> Any:
        reading, writing = os.pipe()
        yield writing
        os.close(reading)
        os.close(writing)

    def heard(self, wire: JSONWire) -> list[str]:
        """Commands by the names of their descriptors, and descriptors."""
        return [
            "descriptor" if "descriptor" in message else message["arguments"]["fdname"]
            for message in wire.commands()
        ]

    def test_over_a_unix_socket_only(self, descriptor: int) -> None:
        wire = JSONWire()
        error = result(wire.client.send_fd(descriptor, "getfd", {"fdname": "a"}))
        assert isinstance(error, InvalidCommand)
        assert wire.commands() == []

    def test_a_duplicate_goes_before_its_command_and_is_closed_in_the_end(
        self, descriptor: int
    ) -> None:
        wire = JSONWire(unix=True)
        reply = wire.client.send_fd(descriptor, "getfd", {"fdname": "a"})
        sent, command = wire.commands()
        assert command["execute"] == "getfd"
        assert sent["descriptor"] != descriptor
        assert os.path.sameopenfile(sent["descriptor"], descriptor)
        wire.tells({"return": {}, "id": 1})
        assert result(reply) == {}
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(sent["descriptor"])
        assert wire.calm

    def test_one_at_a_time(self, descriptor: int) -> None:
        wire = JSONWire(unix=True)
        for name in "ab":
            wire.client.send_fd(descriptor, "getfd", {"fdname": name})
        assert self.heard(wire) == ["descriptor", "a"]
        wire.tells({"return": {}, "id": 1})
        assert self.heard(wire) == ["descriptor", "b"]
        wire.tells({"return": {}, "id": 2})

    @pytest.mark.parametrize("how", ["cancel", "time-out"])
    def test_the_next_waits_for_the_reply_even_to_one_that_is_gone(
        self, descriptor: int, how: str
    ) -> None:
        wire = JSONWire(unix=True)
        gone = wire.client.send_fd(descriptor, "getfd", {"fdname": "a"}, timeout=5.0)
        wire.client.send_fd(descriptor, "getfd", {"fdname": "b"})
        if how == "cancel":
            gone.cancel()
            assert isinstance(result(gone), CancelledError)
        else:
            wire.clock.advance(5)
            error = result(gone)
            assert isinstance(error, CommandTimeout)
            assert (error.command, error.timeout, error.sent) == ("getfd", 5.0, True)
        assert self.heard(wire) == ["descriptor", "a"]
        wire.tells({"return": {}, "id": 1})
        assert self.heard(wire) == ["descriptor", "b"]
        wire.tells({"return": {}, "id": 2})

    @pytest.mark.parametrize("window", [1, 8])
    def test_one_that_is_cancelled_before_its_turn_is_not_sent(
        self, descriptor: int, window: int
    ) -> None:
        wire = JSONWire(unix=True, window=window)
        wire.client.send_fd(descriptor, "getfd", {"fdname": "a"})
        gone = wire.client.send_fd(descriptor, "getfd", {"fdname": "b"}, timeout=5.0)
        late = wire.client.send_fd(descriptor, "getfd", {"fdname": "c"}, timeout=5.0)
        wire.client.send_fd(descriptor, "getfd", {"fdname": "d"})
        gone.cancel()
        assert isinstance(result(gone), CancelledError)
        wire.clock.advance(5)
        assert not result(late).sent
        wire.tells({"return": {}, "id": 1})
        assert self.heard(wire) == ["descriptor", "a", "descriptor", "d"]
        wire.tells({"return": {}, "id": 4})

    def test_one_that_waits_for_the_window_goes_with_its_command(self, descriptor: int) -> None:
        wire = JSONWire(unix=True, window=1)
        wire.client.execute("a", {"fdname": "-"})
        gone = wire.client.send_fd(descriptor, "getfd", {"fdname": "a"})
        wire.client.send_fd(descriptor, "getfd", {"fdname": "b"})
        gone.cancel()
        assert isinstance(result(gone), CancelledError)
        assert self.heard(wire) == ["-"]
        wire.tells({"return": {}, "id": 1})
        assert self.heard(wire) == ["descriptor", "b"]
        wire.tells({"return": {}, "id": 3})

    def test_with_a_command_that_is_refused_nothing_is_sent(self, descriptor: int) -> None:
        wire = JSONWire(unix=True, max_queue=1)
        assert isinstance(
            result(wire.client.send_fd(descriptor, "getfd", {"a": b""})), InvalidCommand
        )
        assert isinstance(result(wire.client.send_fd(-1, "getfd")), InvalidCommand)
        wire.client.execute("a", {"fdname": "-"})
        assert isinstance(result(wire.client.send_fd(descriptor, "getfd")), QueueFull)
        assert self.heard(wire) == ["-"]

    def test_the_end_ends_those_that_wait_too(self, descriptor: int) -> None:
        wire = JSONWire(unix=True)
        before = set(Path("/dev/fd").iterdir())
        replies = [wire.client.send_fd(descriptor, "getfd", {"fdname": n}) for n in "ab"]
        wire.hangs_up()
        assert interrupted([result(replies[0])]) == ["getfd"]
        assert isinstance(result(replies[1]), ConnectionUnusable)
        assert isinstance(result(wire.client.send_fd(descriptor, "getfd")), ConnectionUnusable)
        assert set(Path("/dev/fd").iterdir()) == before
        assert wire.calm


MESSAGES = [
    STOP,
    greeting("oob"),
    {"event": "RESET", "data": {"guest": True}},
    *({"return": number, "id": number} for number in range(4)),
    *({"error": {"class": "C", "desc": "no"}, "id": number} for number in range(4)),
    {"error": {"class": "C", "desc": "no"}},
    {"return": {}, "id": "1"},
    {},
]
MESSAGE_LINES = st.tuples(st.sampled_from(MESSAGES), st.sampled_from([None, 2])).map(
    lambda drawn: json.dumps(drawn[0], indent=drawn[1]).encode()
)
LINES = MESSAGE_LINES | st.sampled_from([b"", b"[", b"{", b"{]", b" "]) | st.binary(max_size=40)
STREAMS = st.lists(LINES, max_size=12).map(b"\r\n".join)
BEGUN = json.dumps(greeting("oob")).encode() + b'\r\n{"return": {}, "id": 0}\r\n'
CUTS = st.lists(st.integers(0, 1000), max_size=20)


def conversation(chunks: list[bytes]) -> Any:
    """What a client with some commands makes of a stream that came in pieces."""
    wire = JSONWire(negotiated=False, max_line=300, window=2)
    outcomes = Outcomes()
    events: list[Any] = []
    wire.client.subscribe(None, events.append)
    outcomes.watch("greeting", wire.client.when_greeted())
    for name in "abc":
        outcomes.watch(name, wire.client.execute(name))
    wire.sends(*chunks)
    state, aborted = wire.client.state, wire.transport.aborted
    wire.breaks()
    assert len(outcomes.all) == 4
    assert wire.calm
    told = [(name, type(outcome), str(outcome)) for name, outcome in outcomes.all]
    return state, aborted, wire.commands(), events, told


@given(st.sampled_from([b"", BEGUN]), STREAMS, CUTS)
@example(BEGUN, b'{"return": 1, "id": 1}\r\n{\r\n"event": "A"}\r\n{"a": "x', list(range(400)))
def test_any_bytes_in_any_pieces_are_the_same_and_nothing_is_raised(
    begun: bytes, stream: bytes, places: list[int]
) -> None:
    stream = begun + stream
    at = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(at)]
    assert conversation(chunks) == conversation([stream])


def test_rule_18_quit_is_no_success_when_the_monitor_broke_the_protocol() -> None:
    wire = JSONWire()
    reply = wire.client.execute("quit")
    wire.says("hello")
    wire.hangs_up()
    assert type(result(reply)) is CommandInterrupted
