"""The client of QMP 0.1: what arrives, what leaves, and what becomes of each Deferred."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from zope.interface.verify import verifyObject

from tests.conftest import LoggedFailures
from tests.text.ends import GREETING, ClientWire
from tests.wires import Outcomes, interrupted, pending, result
from txqmp.errors import (
    CommandFailed,
    CommandInterrupted,
    CommandRejected,
    CommandTimeout,
    ConnectionUnusable,
    EventTimeout,
    GreetingTimeout,
    InvalidCommand,
    ProtocolViolation,
    QueueFull,
)
from txqmp.monitor.client import IMonitorClient
from txqmp.text.client import Reply, State, TextClient, TextClientFactory
from txqmp.text.grammar import Event, Greeting


def test_it_is_a_monitor_client() -> None:
    assert verifyObject(IMonitorClient, ClientWire().client)


class TestGreeting:
    def test_rule_17_it_is_the_first_line(self) -> None:
        wire = ClientWire(greeted=False)
        greeted = wire.client.when_greeted()
        wire.says("+ OK QEMU 0.10.50 (Debian 1) QMP 0.1")
        assert result(greeted) == Greeting("0.10.50 (Debian 1)", "0.1")
        assert wire.client.greeting == Greeting("0.10.50 (Debian 1)", "0.1")
        assert wire.calm

    def test_rule_17_other_versions_0_x_are_accepted_with_a_warning(self) -> None:
        wire = ClientWire(greeted=False)
        with capturedLogs() as logs:
            wire.says("+ OK QEMU 1.0 QMP 0.9")
        assert [(e["log_level"], e["version"]) for e in logs] == [(LogLevel.warn, "0.9")]
        assert wire.client.state is State.IDLE

    def test_rule_17_the_known_version_warns_of_nothing(self) -> None:
        with capturedLogs() as logs:
            ClientWire()
        assert logs == []

    @pytest.mark.parametrize("line", ["+ OK QEMU 9 QMP 1.0", "+ OK stop completed", "", "hello"])
    def test_rule_17_anything_else_is_a_protocol_failure(self, line: str) -> None:
        wire = ClientWire(greeted=False)
        greeted = wire.client.when_greeted()
        wire.says(line)
        assert isinstance(result(greeted), ProtocolViolation)
        assert wire.transport.aborted
        assert wire.calm

    def test_rule_24_a_json_monitor_is_told_apart(self) -> None:
        wire = ClientWire(greeted=False)
        wire.says('{"QMP": {"version": {}, "capabilities": []}}')
        assert "JSON QMP" in str(result(wire.client.when_greeted()))

    def test_commands_before_it_wait_for_it(self) -> None:
        wire = ClientWire(greeted=False)
        reply = wire.client.execute("stop")
        assert wire.heard() == []
        wire.says(GREETING)
        assert wire.heard() == ["stop"]
        wire.says("+ OK stop completed")
        assert result(reply) == Reply("stop", (), "stop")

    def test_a_silent_monitor_is_given_up(self) -> None:
        wire = ClientWire(greeted=False, greeting_timeout=7.0)
        greeted, reply = wire.client.when_greeted(), wire.client.execute("stop")
        wire.clock.advance(6.9)
        assert pending(greeted)
        wire.clock.advance(0.1)
        error = result(greeted)
        assert isinstance(error, GreetingTimeout)
        assert error.timeout == 7.0
        assert isinstance(result(reply), ConnectionUnusable)
        assert wire.transport.aborted
        assert wire.heard() == []
        assert wire.calm

    def test_a_connection_that_ends_before_it_fails_those_who_wait(self) -> None:
        wire = ClientWire(greeted=False)
        greeted, reply = wire.client.when_greeted(), wire.client.execute("stop")
        wire.hangs_up()
        assert isinstance(result(greeted), ConnectionUnusable)
        assert isinstance(result(reply), ConnectionUnusable)
        assert wire.calm

    def test_no_one_needs_to_wait_for_it(self) -> None:
        wire = ClientWire(greeted=False)
        wire.hangs_up()
        assert wire.client.greeting is None

    def test_what_a_greeted_callback_asks_comes_after_what_waits(self) -> None:
        wire = ClientWire(greeted=False)
        wire.client.when_greeted().addCallback(lambda _: wire.client.execute("cont"))
        wire.client.execute("stop")
        wire.says(GREETING)
        assert wire.heard() == ["stop", "cont"]


class TestReplies:
    def test_rule_23_success_without_data_is_normal(self) -> None:
        wire = ClientWire()
        reply = wire.client.execute("info", "name")
        wire.says("+ OK info name completed")
        assert result(reply) == Reply("info name", (), "info name")
        assert result(reply).text == ""

    def test_data_lines_belong_to_the_reply(self) -> None:
        wire = ClientWire()
        reply = wire.client.execute("info", "network")
        wire.says("= VLAN 0 devices:", "=   user.0: ", "=", "+ OK info network completed")
        assert result(reply).lines == ("VLAN 0 devices:", "  user.0: ", "")
        assert result(reply).text == "VLAN 0 devices:\n  user.0: \n"

    def test_rule_03_replies_fall_to_commands_in_order(self) -> None:
        wire = ClientWire()
        replies = [wire.client.execute(c) for c in ("a", "b", "c")]
        wire.says("= 1", "+ OK a completed", "- ERR 2", "= 3", "- BAD 3")
        assert result(replies[0]).lines == ("1",)
        assert result(replies[1]).command == "b"
        assert result(replies[2]).lines == ("3",)

    def test_rule_02_replies_are_not_matched_by_their_words(self) -> None:
        wire = ClientWire()
        first, second = wire.client.execute("stop"), wire.client.execute("cont")
        wire.says("+ OK cont completed", "+ OK whatever")
        assert result(first) == Reply("stop", (), "cont")
        assert result(second) == Reply("cont", (), "whatever")

    def test_an_error_carries_its_reason_and_command(self) -> None:
        wire = ClientWire()
        reply = wire.client.execute("set_link", "foo", "down")
        wire.says("- ERR could not find network device 'foo'")
        error = result(reply)
        assert type(error) is CommandFailed
        assert error.reason == "could not find network device 'foo'"
        assert error.command == "set_link foo down"

    def test_rule_16_an_error_carries_the_lines_before_it(self) -> None:
        wire = ClientWire()
        reply = wire.client.execute("commit", "all")
        wire.says("= ide0-hd0: done", "- ERR device is locked")
        assert result(reply).lines == ("ide0-hd0: done",)

    def test_a_rejection_is_told_from_a_failure(self) -> None:
        wire = ClientWire()
        reply = wire.client.execute("foo")
        wire.says("= ?", "- BAD unknown command")
        error = result(reply)
        assert type(error) is CommandRejected
        assert (error.reason, error.command, error.lines) == ("unknown command", "foo", ("?",))

    def test_the_connection_survives_errors(self) -> None:
        wire = ClientWire()
        replies = [wire.client.execute(c) for c in ("foo", "set_link", "stop")]
        wire.says("- BAD no", "- ERR no", "+ OK stop completed")
        assert [type(result(r)) for r in replies] == [CommandRejected, CommandFailed, Reply]
        reply = wire.client.execute("stop")
        wire.says("+ OK stop completed")
        assert result(reply).command == "stop"

    def test_a_reply_s_callback_may_ask_again(self) -> None:
        wire = ClientWire()
        again = wire.client.execute("stop").addCallback(lambda _: wire.client.execute("cont"))
        wire.says("+ OK stop completed")
        assert wire.heard() == ["stop", "cont"]
        wire.says("+ OK cont completed")
        assert result(again).command == "cont"

    def test_a_callback_that_raises_harms_nobody_else(self) -> None:
        wire = ClientWire()
        harmful = wire.client.execute("a").addCallback(lambda _: 1 / 0)
        reply = wire.client.execute("b")
        wire.says("+ OK a completed", "+ OK b completed")
        assert isinstance(result(harmful), ZeroDivisionError)
        assert result(reply).command == "b"


class TestCommands:
    def test_arguments_are_quoted_where_they_need_it(self) -> None:
        wire = ClientWire()
        wire.client.execute("change", "ide1-cd0", 'my "disk".iso', 3)
        assert wire.heard() == [r'change ide1-cd0 "my \"disk\".iso" 3']

    def test_a_whole_line_is_sent_as_it_is(self) -> None:
        wire = ClientWire()
        wire.client.execute_line('change vnc "a b"')
        assert wire.heard() == ['change vnc "a b"']

    @pytest.mark.parametrize("argument", ["a\nquit", "a\rquit", "a\x00", "é"])
    def test_rule_09_what_cannot_be_sent_is_refused_before_a_byte_is(self, argument: str) -> None:
        wire = ClientWire()
        assert isinstance(result(wire.client.execute("eject", argument)), InvalidCommand)
        assert isinstance(result(wire.client.execute_line(argument)), InvalidCommand)
        assert wire.heard() == []
        assert wire.client.state is State.IDLE

    def test_rule_11_an_empty_line_is_refused_for_it_would_get_no_reply(self) -> None:
        wire = ClientWire()
        assert isinstance(result(wire.client.execute_line("  ")), InvalidCommand)
        assert wire.heard() == []

    def test_rule_04_commands_are_sent_ahead_within_the_window(self) -> None:
        wire = ClientWire(window=2)
        for command in "abc":
            wire.client.execute(command)
        assert wire.heard() == ["a", "b"]
        wire.says("+ OK a completed")
        assert wire.heard() == ["c"]

    def test_too_many_are_refused(self) -> None:
        wire = ClientWire(max_queue=1)
        first = wire.client.execute("a")
        assert isinstance(result(wire.client.execute("b")), QueueFull)
        wire.says("+ OK a completed")
        assert result(first).command == "a"

    @pytest.mark.parametrize("setting", ["window", "max_queue"])
    def test_bounds_of_nothing_are_refused(self, setting: str) -> None:
        with pytest.raises(ValueError, match=setting):
            TextClientFactory(Clock(), **{setting: 0})


class TestTimeouts:
    def test_of_one_command(self) -> None:
        wire = ClientWire()
        reply = wire.client.execute("info", "balloon", timeout=5.0)
        wire.clock.advance(5)
        error = result(reply)
        assert isinstance(error, CommandTimeout)
        assert error.command == "info balloon"

    def test_one_whose_turn_did_not_come_was_not_sent(self) -> None:
        wire = ClientWire(window=1)
        replies = [wire.client.execute(name, timeout=5.0) for name in ("first", "second")]
        wire.clock.advance(5)
        assert [result(reply).sent for reply in replies] == [True, False]

    def test_of_one_line(self) -> None:
        wire = ClientWire()
        reply = wire.client.execute_line("info balloon", timeout=5.0)
        wire.clock.advance(5)
        assert isinstance(result(reply), CommandTimeout)

    def test_the_factory_s_holds_where_the_call_does_not_say(self) -> None:
        wire = ClientWire(command_timeout=5.0)
        reply, patient = wire.client.execute("a"), wire.client.execute("b", timeout=50.0)
        wire.clock.advance(5)
        assert isinstance(result(reply), CommandTimeout)
        assert pending(patient)

    def test_rule_05_a_late_reply_falls_to_the_command_that_is_gone(self) -> None:
        wire = ClientWire()
        outcomes = Outcomes()
        late = outcomes.watch("late", wire.client.execute("info", "balloon", timeout=5.0))
        reply = wire.client.execute("info", "name")
        wire.says("= ball")
        wire.clock.advance(5)
        wire.says("= oon", "+ OK info balloon completed", "= vm", "+ OK info name completed")
        assert late.called
        assert outcomes.names == ["late"]
        assert result(reply).lines == ("vm",)
        assert wire.calm

    def test_rule_05_so_it_does_when_cancelled(self) -> None:
        wire = ClientWire()
        gone, reply = wire.client.execute("a"), wire.client.execute("b")
        gone.cancel()
        assert isinstance(result(gone), CancelledError)
        wire.says("= a's", "- ERR a's", "= b's", "+ OK b completed")
        assert result(reply).lines == ("b's",)

    def test_rule_05_if_it_never_comes_the_connection_says_that_it_is_not_usable(self) -> None:
        wire = ClientWire(late_reply_timeout=60.0)
        gone, behind = wire.client.execute("a", timeout=5.0), wire.client.execute("b")
        wire.clock.advance(5)
        wire.clock.advance(60)
        assert isinstance(result(gone), CommandTimeout)
        assert interrupted([result(behind)]) == ["b"]
        assert wire.transport.aborted
        refused = result(wire.client.execute("c"))
        assert isinstance(refused, ConnectionUnusable)
        assert "the reply to 'a' is still owed after 60 s" in str(refused)
        assert wire.calm

    def test_rule_05_a_slow_command_is_not_punished_for_an_impatient_one(self) -> None:
        wire = ClientWire(late_reply_timeout=60.0)
        slow = wire.client.execute("savevm")
        assert wire.client.execute("info", "status", timeout=5.0).addErrback(lambda _: None)
        wire.clock.pump([5, 600])
        assert not wire.transport.aborted
        wire.says("+ OK savevm completed")
        assert result(slow).command == "savevm"


class TestEvents:
    @pytest.mark.parametrize("script", [["E", "D", "OK"], ["D", "E", "D", "OK"], ["OK", "E"]])
    def test_rule_06_they_may_come_anywhere_between_lines(self, script: list[str]) -> None:
        lines = {"E": "* EVENT reboot", "D": "= data", "OK": "+ OK info x completed"}
        wire = ClientWire()
        event = wire.client.wait_for_event("reboot")
        reply = wire.client.execute("info", "x")
        wire.says(*(lines[step] for step in script))
        assert result(event) == Event("reboot")
        assert result(reply).lines == ("data",) * script.count("D")

    def test_rule_06_and_before_any_command(self) -> None:
        wire = ClientWire()
        event = wire.client.wait_for_event("reboot")
        wire.says("* EVENT reboot")
        assert result(event) == Event("reboot")

    @pytest.mark.parametrize("name", ["REBOOT", "reset", "Reset"])
    def test_rule_07_names_ignore_case_and_aliases(self, name: str) -> None:
        wire = ClientWire()
        event = wire.client.wait_for_event("Reboot")
        wire.says(f"* EVENT {name}")
        assert result(event).name == name

    def test_rule_22_star_lines_that_are_no_events_are_ignored(self) -> None:
        wire = ClientWire()
        got: list[Event] = []
        wire.client.subscribe(None, got.append)
        wire.says("* NOTE something new", "*", "* EVENT", "* EVENT stop")
        assert got == [Event("stop")]

    def test_rule_22_unknown_events_are_ignored_unless_wanted(self) -> None:
        hooked: list[Event] = []
        wire = ClientWire(unknown_event=hooked.append)
        wire.client.subscribe("stop", lambda _: None)
        wire.says("* EVENT stop", "* EVENT invented tomorrow=1")
        assert hooked == [Event("invented", "tomorrow=1")]

    def test_rule_22_without_a_hook_they_are_nobody_s(self) -> None:
        wire = ClientWire()
        wire.says("* EVENT invented")
        assert wire.client.state is State.IDLE

    def test_a_hook_that_fails_is_logged(self, logged_failures: LoggedFailures) -> None:
        wire = ClientWire(unknown_event=lambda _: 1 / 0)
        wire.says("* EVENT stop")
        assert len(logged_failures.take(ZeroDivisionError)) == 1
        assert wire.client.state is State.IDLE

    def test_a_method_in_its_place_that_fails_is_logged(
        self, logged_failures: LoggedFailures
    ) -> None:
        class Careless(TextClient):
            def unknownEventReceived(self, event: Event) -> None:
                raise ZeroDivisionError

        wire = ClientWire()
        wire.client.__class__ = Careless
        wire.says("* EVENT stop")
        assert len(logged_failures.take(ZeroDivisionError)) == 1
        assert wire.client.state is State.IDLE

    def test_a_subscriber_that_fails_harms_nothing(self, logged_failures: LoggedFailures) -> None:
        wire = ClientWire()
        reply = wire.client.execute("a")
        wire.client.subscribe(None, lambda _: 1 / 0)
        wire.says("* EVENT stop", "+ OK a completed")
        assert result(reply).command == "a"
        assert len(logged_failures.take(ZeroDivisionError)) == 1

    def test_a_subscriber_may_ask(self) -> None:
        wire = ClientWire()
        wire.client.subscribe("stop", lambda _: wire.client.execute("info", "status"))
        wire.says("* EVENT stop")
        assert wire.heard() == ["info status"]

    def test_waiting_may_take_too_long(self) -> None:
        wire = ClientWire()
        event = wire.client.wait_for_event("reboot", timeout=5.0)
        wire.clock.advance(5)
        assert isinstance(result(event), EventTimeout)

    def test_waiting_ends_with_the_connection(self) -> None:
        wire = ClientWire()
        event = wire.client.wait_for_event("reboot", timeout=5.0)
        wire.hangs_up()
        assert isinstance(result(event), ConnectionUnusable)
        assert isinstance(result(wire.client.wait_for_event("reboot")), ConnectionUnusable)
        assert wire.calm

    async def test_a_queue_of_them_ends_with_the_connection(self) -> None:
        wire = ClientWire()
        queue = wire.client.events("stop")
        wire.says("* EVENT stop", "* EVENT cont", "* EVENT STOP")
        wire.hangs_up()
        assert [event.name async for event in queue] == ["stop", "STOP"]

    async def test_a_queue_made_after_the_end_is_empty(self) -> None:
        wire = ClientWire()
        wire.hangs_up()
        assert [event async for event in wire.client.events()] == []


class TestTheEnd:
    def test_each_command_that_was_sent_has_an_unknown_outcome(self) -> None:
        wire = ClientWire()
        first, second = wire.client.execute("info", "block"), wire.client.execute("stop")
        wire.says("= ide0")
        reason = ConnectionLost("cable")
        wire.hangs_up(reason)
        errors = [result(first), result(second)]
        assert interrupted(errors) == ["info block", "stop"]
        assert [error.lines for error in errors] == [("ide0",), ()]
        assert all(error.reason is reason for error in errors)
        assert wire.calm

    def test_one_that_was_not_sent_is_told_so(self) -> None:
        wire = ClientWire(window=1)
        sent, unsent = wire.client.execute("a"), wire.client.execute("b")
        wire.hangs_up()
        assert interrupted([result(sent)]) == ["a"]
        assert type(result(unsent)) is ConnectionUnusable
        assert wire.heard() == ["a"]

    def test_later_calls_fail_at_once(self) -> None:
        wire = ClientWire()
        wire.hangs_up()
        error = result(wire.client.execute("a"))
        assert isinstance(error, ConnectionUnusable)
        assert "the connection is over" in str(error)
        assert wire.heard() == []

    def test_each_refusal_is_an_exception_of_its_own(self) -> None:
        wire = ClientWire(late_reply_timeout=1.0)
        wire.client.execute("a", timeout=1.0).addErrback(lambda _: None)
        wire.clock.pump([1, 1])
        errors = [result(wire.client.execute("b")) for _ in range(2)]
        assert errors[0] is not errors[1]
        assert str(errors[0]) == str(errors[1])

    def test_asking_again_in_the_errback_neither_loops_nor_hangs(self) -> None:
        wire = ClientWire()
        asked: list[str] = []

        def again(failure: Any) -> Deferred[Any]:
            asked.append(type(failure.value).__name__)
            return wire.client.execute("again")

        replies = [wire.client.execute(c).addErrback(again) for c in "ab"]
        wire.hangs_up()
        assert [type(result(reply)) for reply in replies] == [ConnectionUnusable] * 2
        assert asked == ["CommandInterrupted"] * 2

    def test_one_errback_may_cancel_another_command(self) -> None:
        wire = ClientWire()
        first, second = wire.client.execute("a"), wire.client.execute("b")
        first.addErrback(lambda _: second.cancel())
        wire.hangs_up()
        assert isinstance(result(second), CancelledError)
        assert wire.calm

    def test_who_waits_for_the_end_is_told_last(self) -> None:
        wire = ClientWire()
        outcomes = Outcomes()
        outcomes.watch("end", wire.client.when_disconnected())
        outcomes.watch("command", wire.client.execute("a"))
        outcomes.watch("event", wire.client.wait_for_event("stop"))
        wire.hangs_up()
        assert outcomes.names == ["command", "event", "end"]
        assert isinstance(outcomes["end"], ConnectionDone)

    def test_rule_22_a_violation_fails_everything_with_that_reason(self) -> None:
        wire = ClientWire()
        first, second = wire.client.execute("a"), wire.client.execute("b")
        ended = wire.client.when_disconnected()
        wire.says("hello")
        errors = [result(first), result(second)]
        assert interrupted(errors) == ["a", "b"]
        assert all(isinstance(error.reason, ProtocolViolation) for error in errors)
        assert wire.transport.aborted
        assert pending(ended)
        wire.hangs_up()
        assert result(ended) is errors[0].reason

    @pytest.mark.parametrize("line", ["+ OK a completed", "- ERR no", "- BAD no", "= data"])
    def test_rule_22_so_does_a_reply_that_nobody_waits_for(self, line: str) -> None:
        wire = ClientWire()
        wire.says(line)
        assert wire.transport.aborted
        error = result(wire.client.execute("a"))
        assert "a reply that nobody is waiting for" in str(error)

    def test_rule_10_so_does_a_carriage_return_inside_a_line(self) -> None:
        wire = ClientWire()
        reply = wire.client.execute("a")
        wire.says("= one\rtwo", "+ OK a completed")
        assert isinstance(result(reply).reason, ProtocolViolation)

    def test_nothing_after_a_violation_is_read(self) -> None:
        wire = ClientWire()
        got: list[Event] = []
        wire.client.subscribe(None, got.append)
        wire.sends(b"hello\r\n* EVENT stop\r\n", b"* EVENT cont\r\n")
        assert got == []

    def test_a_violation_is_logged_with_the_line_as_a_value(self) -> None:
        wire = ClientWire()
        with capturedLogs() as logs:
            wire.says("{format} me\x1b")
        (event,) = logs
        assert event["log_level"] is LogLevel.warn
        assert "format} me" not in event["log_format"]
        assert str(event["error"]).endswith(r"'{format} me\x1b'")


class TestClosing:
    def test_it_ends_with_the_reason(self) -> None:
        wire = ClientWire()
        closed = wire.client.close()
        assert wire.transport.disconnecting
        assert pending(closed)
        wire.hangs_up()
        assert isinstance(result(closed), ConnectionDone)
        assert wire.calm

    def test_nothing_more_is_sent(self) -> None:
        wire = ClientWire()
        wire.client.close()
        error = result(wire.client.execute("a"))
        assert str(error) == "the connection is being closed"
        assert wire.heard() == []

    def test_what_has_no_reply_by_then_is_unknown(self) -> None:
        wire = ClientWire()
        reply = wire.client.execute("a")
        wire.client.close()
        wire.hangs_up()
        assert interrupted([result(reply)]) == ["a"]

    def test_a_monitor_that_does_not_read_is_aborted_in_the_end(self) -> None:
        wire = ClientWire()
        wire.client.close()
        wire.clock.advance(10)
        assert wire.transport.aborted
        assert isinstance(result(wire.client.execute("a")), ConnectionUnusable)

    def test_closing_twice_and_after_the_end(self) -> None:
        wire = ClientWire()
        closed = [wire.client.close(), wire.client.close()]
        wire.hangs_up()
        closed.append(wire.client.close())
        assert [type(result(c)) for c in closed] == [ConnectionDone] * 3

    def test_closing_after_a_violation_waits_for_the_end(self) -> None:
        wire = ClientWire()
        wire.says("hello")
        closed = wire.client.close()
        assert not wire.transport.disconnecting
        wire.breaks()
        assert isinstance(result(closed), ProtocolViolation)

    def test_closing_before_there_is_a_connection_closes_nothing(self) -> None:
        client = TextClientFactory(Clock()).buildProtocol(None)
        assert pending(client.close())

    def test_closing_before_the_greeting(self) -> None:
        wire = ClientWire(greeted=False)
        greeted, closed = wire.client.when_greeted(), wire.client.close()
        wire.hangs_up()
        assert isinstance(result(greeted), ConnectionUnusable)
        assert isinstance(result(closed), ConnectionDone)
        assert wire.calm


class TestQuit:
    @pytest.mark.parametrize("command", ["quit", "QUIT", "q"])
    @pytest.mark.parametrize("reason", [ConnectionDone(), ConnectionLost()])
    def test_rule_18_a_close_without_a_reply_is_success(
        self, command: str, reason: Exception
    ) -> None:
        wire = ClientWire()
        reply = wire.client.execute(command)
        wire.says("= bye")
        wire.hangs_up(reason)
        assert result(reply) == Reply(command, ("bye",), "")

    def test_rule_18_an_answer_is_one(self) -> None:
        wire = ClientWire()
        reply = wire.client.execute("quit")
        wire.says("+ OK quit completed")
        wire.hangs_up()
        assert result(reply) == Reply("quit", (), "quit")

    def test_rule_18_only_for_quit_itself(self) -> None:
        wire = ClientWire()
        before, reply, behind = (wire.client.execute(c) for c in ("stop", "quit", "cont"))
        wire.hangs_up()
        assert interrupted([result(before), result(behind)]) == ["stop", "cont"]
        assert result(reply).command == "quit"

    def test_rule_18_not_when_it_was_never_sent(self) -> None:
        wire = ClientWire(window=1)
        before, unsent = wire.client.execute("stop"), wire.client.execute("quit")
        wire.hangs_up()
        assert interrupted([result(before)]) == ["stop"]
        assert type(result(unsent)) is ConnectionUnusable

    def test_rule_18_not_when_the_client_itself_closed(self) -> None:
        wire = ClientWire()
        reply = wire.client.execute("quit")
        wire.client.close()
        wire.hangs_up()
        assert interrupted([result(reply)]) == ["quit"]

    def test_rule_18_not_when_the_monitor_broke_the_protocol(self) -> None:
        wire = ClientWire()
        reply = wire.client.execute("quit")
        wire.says("hello")
        wire.hangs_up()
        assert type(result(reply)) is CommandInterrupted
