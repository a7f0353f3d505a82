"""The one connection to the monitor: ready, lost, slow, back again, or of the other dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.wires import Transport, pending, result
from txqmp.errors import ConnectionUnusable, QueueFull
from txqmp.gateway.upstream import Upstream
from txqmp.journal.record import Kind, Record
from txqmp.jsonqmp.client import JSONClient
from txqmp.jsonqmp.grammar import Event, Greeting
from txqmp.jsonqmp.values import ValueSplitter
from txqmp.proxy.common import IMonitorListener, NoAnswer
from txqmp.proxy.links import Links
from txqmp.proxy.tap import Tap

VERSION = {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}
GREETING = {"QMP": {"version": VERSION, "capabilities": []}}
TEXT = b"+ OK QEMU 0.10.50 QMP 0.1\r\n"


@implementer(IMonitorListener)
class Listener:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def monitor_ready(self, greeting: Greeting) -> None:
        self.heard.append(f"ready {greeting.qemu}")

    def monitor_event(self, event: Event) -> None:
        self.heard.append(f"event {event.name}")

    def monitor_lost(self) -> None:
        self.heard.append("lost")


class Monitor:
    """A monitor, played by the test: the other end of one connection."""

    def __init__(self, protocol: Any) -> None:
        self.transport = Transport()
        self._protocol = protocol
        protocol.makeConnection(self.transport)

    def says(self, *messages: Any) -> None:
        for message in messages:
            data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\r\n"
            self._protocol.dataReceived(data)

    def greets(self) -> None:
        self.says(GREETING, {"return": {}, "id": 0})
        self.asked()

    def asked(self) -> list[dict[str, Any]]:
        splitter = ValueSplitter()
        pieces = splitter.feed(self.transport.value()) + splitter.finish()
        self.transport.clear()
        return [json.loads(piece.raw) for piece in pieces]

    def commands(self) -> list[str]:
        return [message["execute"] for message in self.asked()]

    def returns(self, value: Any, number: int) -> None:
        self.says({"return": value, "id": number})

    def is_gone(self, error: Exception | None = None) -> None:
        self._protocol.connectionLost(Failure(error or ConnectionLost()))


class Line:
    """An upstream, its endpoint, its time and its records."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.links = Links()
        self.listener = Listener()
        self.records: list[Record] = []
        self.attempts: list[tuple[Any, Deferred[Any]]] = []
        self.upstream = Upstream("vm1", self, self._tap, self.clock, links=self.links, **settings)
        self.upstream.listeners.append(self.listener)
        self.upstream.startService()

    def _tap(self) -> Tap:
        return Tap(
            self.records.extend, self.clock, monitor="vm1", connection=1, peer={}, upstream="",
            link=lambda slot: self.links.of_monitor(slot.id),
        )  # fmt: skip

    def connect(self, factory: Any) -> Deferred[Any]:
        """The endpoint."""
        attempt: Deferred[Any] = Deferred()
        self.attempts.append((factory, attempt))
        return attempt

    def connects(self) -> Monitor:
        factory, attempt = self.attempts.pop()
        protocol = factory.buildProtocol(None)
        monitor = Monitor(protocol)
        attempt.callback(protocol)
        return monitor

    def ready(self) -> Monitor:
        monitor = self.connects()
        monitor.greets()
        return monitor

    def waits(self) -> None:
        """Let the time until the next attempt to connect pass."""
        for _ in range(100):
            if self.attempts:
                return
            self.clock.advance(0.1)
        raise AssertionError("it does not try again")

    def ask(self, command: str, arguments: Any = None, link: int | None = None) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.upstream.ask(command, arguments, link))

    def knows(self, command: str, link: int | None = None) -> Deferred[bool]:
        return Deferred.fromCoroutine(self.upstream.knows(command, link))

    @property
    def links_heard(self) -> list[tuple[str, Any]]:
        """The commands in the journal, with their links."""
        self.clock.advance(0)
        self.clock.advance(0)
        commands = [record.fields for record in self.records if record.kind is Kind.COMMAND]
        return [(fields["command"], fields.get("link")) for fields in commands]


def refusal(deferred: Deferred[Any]) -> str:
    error = result(deferred)
    assert type(error) is NoAnswer
    return error.reason


def test_the_listener_is_one() -> None:
    verifyObject(IMonitorListener, Listener())


# It is ready.


def test_it_is_ready_once_it_has_negotiated() -> None:
    line = Line()
    monitor = line.connects()
    known = line.upstream.when_known()
    monitor.says(GREETING)
    assert (line.upstream.ready, line.listener.heard, pending(known)) == (False, [], True)
    monitor.says({"return": {}, "id": 0})
    assert (line.upstream.ready, line.listener.heard) == (True, ["ready 7.2.22"])
    assert result(known) == "json"


def test_who_asks_later_is_told_the_dialect_at_once() -> None:
    line = Line()
    line.ready()
    assert result(line.upstream.when_known()) == "json"


def test_a_command_and_its_return() -> None:
    line = Line()
    monitor = line.ready()
    asked = line.ask("eject", {"device": "cd"})
    assert monitor.asked() == [{"execute": "eject", "arguments": {"device": "cd"}, "id": 1}]
    monitor.returns({"a": 1}, 1)
    assert result(asked) == {"a": 1}


def test_an_error_keeps_its_class_and_words() -> None:
    line = Line()
    monitor = line.ready()
    asked = line.ask("eject", {"device": "cd"})
    monitor.says({"error": {"class": "DeviceNotFound", "desc": "no 'cd'"}, "id": 1})
    error = result(asked)
    assert (error.reason, error.error_class) == ("no 'cd'", "DeviceNotFound")


def test_what_cannot_be_written_is_refused() -> None:
    line = Line()
    monitor = line.ready()
    assert refusal(line.ask("stop", {"a": object()})) != ""
    assert monitor.commands() == []


def test_events_are_handed_on() -> None:
    line = Line()
    line.ready().says({"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 0}})
    assert line.listener.heard == ["ready 7.2.22", "event STOP"]


def test_events_before_it_is_ready_are_when_it_is() -> None:
    line = Line()
    monitor = line.connects()
    monitor.says(GREETING, {"event": "RESUME", "timestamp": {"seconds": 1, "microseconds": 0}})
    assert line.listener.heard == []
    monitor.says({"return": {}, "id": 0})
    assert line.listener.heard == ["ready 7.2.22", "event RESUME"]


# It is not there.


def test_before_it_was_ever_there() -> None:
    line = Line()
    assert refusal(line.ask("stop")) == "monitor is gone"
    line.connects()
    assert refusal(line.ask("stop")) == "monitor is gone"


def test_the_reason_is_kept() -> None:
    line = Line()
    line.attempts.pop()[1].errback(Refused(string="nobody listens"))
    assert "nobody listens" in line.upstream.reason


def test_it_stays_silent() -> None:
    line = Line(greeting_timeout=5)
    monitor = line.connects()
    line.clock.advance(5)
    assert monitor.transport.aborted
    monitor.is_gone(ConnectionDone())
    assert "no greeting within 5 s" in line.upstream.reason
    assert line.listener.heard == []


def test_it_is_lost_with_commands_outstanding() -> None:
    line = Line()
    monitor = line.ready()
    asked = [line.ask("stop"), line.ask("cont")]
    monitor.is_gone()
    assert [refusal(each) for each in asked] == [
        "monitor is gone: whether it carried stop out is unknown",
        "monitor is gone: whether it carried cont out is unknown",
    ]
    assert line.listener.heard == ["ready 7.2.22", "lost"]


def test_those_who_waited_are_told_before_the_listener() -> None:
    line = Line()
    monitor = line.ready()
    line.ask("stop").addErrback(lambda failure: line.listener.heard.append("told"))
    monitor.is_gone()
    assert line.listener.heard == ["ready 7.2.22", "told", "lost"]


def test_what_was_not_sent_yet_was_not_carried_out() -> None:
    line = Line()
    monitor = line.ready()
    asked = [line.ask("stop") for _ in range(9)]
    assert len(monitor.commands()) == 8
    monitor.is_gone()
    assert [refusal(each) for each in asked][-1] == "monitor is gone"


def test_after_it_is_lost() -> None:
    line = Line()
    line.ready().is_gone()
    assert not line.upstream.ready
    assert refusal(line.ask("stop")) == "monitor is gone"


def test_it_quits() -> None:
    line = Line()
    monitor = line.ready()
    asked = line.ask("quit")
    monitor.is_gone(ConnectionDone())
    assert result(asked) == {}


def test_one_that_was_never_ready_is_not_lost() -> None:
    line = Line()
    monitor = line.connects()
    monitor.says(GREETING)
    monitor.is_gone()
    assert line.listener.heard == []


def test_it_comes_back() -> None:
    line = Line()
    line.ready().is_gone()
    line.waits()
    monitor = line.ready()
    asked = line.ask("stop")
    monitor.returns({}, 1)
    assert result(asked) == {}
    assert line.listener.heard == ["ready 7.2.22", "lost", "ready 7.2.22"]


def test_a_monitor_that_breaks_the_protocol_is_lost() -> None:
    line = Line()
    monitor = line.ready()
    asked = line.ask("stop")
    with capturedLogs():
        monitor.says(b"220 mail\r\n")
    assert refusal(asked) == "monitor is gone: whether it carried stop out is unknown"
    assert monitor.transport.aborted


def test_stopping_ends_the_connection_and_the_attempts() -> None:
    line = Line()
    monitor = line.ready()
    stopped = line.upstream.stopService()
    assert monitor.transport.aborted
    monitor.is_gone(ConnectionDone())
    assert not pending(stopped)
    assert line.attempts == []
    line.clock.advance(0)
    line.clock.advance(0)
    assert line.clock.getDelayedCalls() == []


# It is slow.


def test_no_reply_in_time() -> None:
    line = Line()
    line.ready()
    asked = line.ask("query-status")
    line.clock.advance(30)
    assert refusal(asked) == (
        "no reply from the monitor within 30 s: whether it carried query-status out is unknown"
    )
    assert line.upstream.ready


def test_a_late_reply_is_nobody_s() -> None:
    line = Line()
    monitor = line.ready()
    line.ask("query-status").addErrback(lambda failure: None)
    line.clock.advance(30)
    asked = line.ask("query-name")
    monitor.returns({"late": True}, 1)
    monitor.returns({"name": "vm1"}, 2)
    assert result(asked) == {"name": "vm1"}


def test_what_was_not_sent_in_time_is_said_so() -> None:
    line = Line()
    monitor = line.ready()
    for _ in range(8):
        line.ask("human-monitor-command", {"command-line": "x"}).addErrback(lambda failure: None)
    asked = line.ask("query-status")
    assert len(monitor.commands()) == 8
    line.clock.advance(30)
    assert refusal(asked) == (
        "no reply from the monitor within 30 s, and others wait before it: it was not sent"
    )
    monitor.is_gone()


@pytest.mark.parametrize(("settings", "seconds"), [({}, 600), ({"hmp_timeout": 7.5}, 7.5)])
def test_the_human_monitor_has_more_time(settings: dict[str, float], seconds: float) -> None:
    line = Line(**settings)
    line.ready()
    asked = line.ask("human-monitor-command", {"command-line": "savevm"})
    line.clock.advance(seconds - 0.1)
    assert pending(asked)
    line.clock.advance(0.2)
    assert f"within {seconds:g} s: whether" in refusal(asked)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (QueueFull("10000 commands"), "too many commands wait for the monitor"),
        (ConnectionUnusable("it is being closed"), "monitor is gone"),
    ],
)
def test_what_the_client_refuses(
    error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line()
    line.ready()
    monkeypatch.setattr(JSONClient, "execute", lambda *args, **settings: fail(error))
    assert refusal(line.ask("stop", link=17)) == reason
    assert line.links.of_monitor(1) is None


# It speaks the text protocol.


def test_a_text_monitor_is_left_for_good() -> None:
    line = Line()
    monitor = line.connects()
    known = line.upstream.when_known()
    monitor.says(TEXT)
    assert result(known) == "text"
    assert monitor.transport.aborted
    monitor.is_gone(ConnectionDone())
    line.clock.advance(1000)
    assert (line.attempts, line.listener.heard) == ([], [])


def test_a_monitor_that_changes_its_dialect_is_given_up_and_tried_again() -> None:
    line = Line()
    line.ready().is_gone()
    line.waits()
    monitor = line.connects()
    with capturedLogs():
        monitor.says(TEXT)
        assert monitor.transport.aborted
        monitor.is_gone(ConnectionDone())
    changed = "the monitor spoke JSON before, and speaks the text protocol now"
    assert line.upstream.reason == changed
    assert refusal(line.ask("stop")) == "monitor is gone"
    line.waits()
    line.ready()
    assert line.listener.heard == ["ready 7.2.22", "lost", "ready 7.2.22"]


# Waiting for its events.


def test_an_event_is_waited_for() -> None:
    line = Line()
    monitor = line.ready()
    waiting = line.upstream.wait_for_event(lambda event: event.name == "STOP")
    monitor.says({"event": "RESET"})
    assert pending(waiting)
    monitor.says({"event": "STOP"})
    assert result(waiting).name == "STOP"


def test_an_event_that_cannot_come_any_more() -> None:
    line = Line()
    monitor = line.ready()
    waiting = line.upstream.wait_for_event(lambda event: True)
    monitor.is_gone()
    assert refusal(waiting) == "monitor is gone: what became of the command is unknown"


def test_an_event_of_a_monitor_that_is_not_there() -> None:
    assert refusal(Line().upstream.wait_for_event(lambda event: True)) == "monitor is gone"


# What it knows.

COMMANDS = [{"name": "stop"}, {"name": "snapshot-save"}]


@pytest.mark.parametrize(("command", "known"), [("stop", True), ("foo", False)])
def test_whether_it_knows_a_command(command: str, known: bool) -> None:
    line = Line()
    monitor = line.ready()
    asked = line.knows(command)
    assert monitor.commands() == ["query-commands"]
    monitor.returns(COMMANDS, 1)
    assert result(asked) is known


def test_it_is_asked_once_for_each_connection() -> None:
    line = Line()
    monitor = line.ready()
    first = line.knows("stop")
    monitor.returns(COMMANDS, 1)
    assert result(first)
    monitor.asked()
    assert not result(line.knows("foo"))
    assert monitor.commands() == []
    monitor.is_gone()
    line.waits()
    monitor = line.ready()
    again = line.knows("foo")
    assert monitor.commands() == ["query-commands"]
    monitor.returns([{"name": "foo"}], 1)
    assert result(again) is True


def test_what_it_knows_cannot_be_asked_when_it_is_gone() -> None:
    assert refusal(Line().knows("stop")) == "monitor is gone"


# Numbers that link commands in the journal.


def test_a_command_in_the_journal_bears_its_number() -> None:
    line = Line()
    line.ready()
    asked = [line.ask("stop", link=17), line.ask("cont"), line.knows("x", 18)]
    assert line.links_heard[1:] == [("stop", 17), ("cont", None), ("query-commands", 18)]
    assert all(map(pending, asked))
    line.upstream.stopService()


def test_the_numbers_of_the_last_connection_mean_nothing_to_the_next() -> None:
    line = Line()
    monitor = line.ready()
    line.links.expect(1, 17)
    monitor.is_gone()
    line.waits()
    line.ready()
    assert line.links.of_monitor(1) is None


def test_what_is_not_sent_leaves_no_number() -> None:
    line = Line()
    line.ready()
    assert refusal(line.ask("stop", {"a": object()}, 17)) != ""
    assert line.links.of_monitor(1) is None


def test_a_command_after_one_that_could_not_be_written_bears_its_own_number() -> None:
    line = Line()
    line.ready()
    refusal(line.ask("stop", {"a": object()}, 17))
    line.ask("cont", link=18).addErrback(lambda failure: None)
    assert line.links_heard[1:] == [("cont", 18)]


def test_a_command_that_was_sent_just_before_the_end_bears_its_number() -> None:
    line = Line()
    monitor = line.ready()
    asked = line.ask("stop", link=17)
    monitor.is_gone()
    assert refusal(asked)
    assert line.links_heard[1:] == [("stop", 17)]
