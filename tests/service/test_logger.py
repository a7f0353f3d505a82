"""The logger journals monitors that come and go, and leaves nothing behind when it is stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionDone, ConnectionLost
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure

from tests.wires import Transport, pending, result
from txqmp.errors import JournalError
from txqmp.journal.reader import read
from txqmp.journal.record import Kind, Record
from txqmp.journal.writer import Journal
from txqmp.machine.endpoint import MachineEndpoint
from txqmp.monitor.closing import CLOSE_TIMEOUT
from txqmp.proxy import kept
from txqmp.proxy.tap import Tap
from txqmp.service import logger, monitorlog
from txqmp.service.logger import LoggerOptions, LoggerService, makeService
from txqmp.service.monitorlog import MonitorLog

OURS = (kept.__name__, monitorlog.__name__)
GREETING = b"+ OK QEMU 0.10.50 QMP 0.1\r\n"
JSON_GREETING = (
    b'{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}}, "capabilities": []}}\r\n'
)


class Monitor:
    """A monitor, played by the test: the other end of one connection."""

    def __init__(self, protocol: Any) -> None:
        self.transport = Transport()
        self._protocol = protocol
        protocol.makeConnection(self.transport)

    def says(self, data: bytes) -> None:
        self._protocol.dataReceived(data)

    def heard(self) -> bytes:
        data = self.transport.value()
        self.transport.clear()
        return data

    def is_gone(self, error: Exception | None = None) -> None:
        self._protocol.connectionLost(Failure(error or ConnectionLost()))

    @property
    def closed(self) -> bool:
        return self.transport.disconnecting or self.transport.aborted


class Logged:
    """A log of one monitor, its endpoint, its time and its records."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.attempts: list[tuple[Any, Deferred[Any]]] = []
        self.cancelled = 0
        self.records: list[Record] = []
        self._connections = 0
        settings = {"passive": True, **settings}
        self.log = MonitorLog("vm1", self, self._tap, self.clock, **settings)

    def _tap(self) -> Tap:
        self._connections += 1
        return Tap(
            self.records.extend, self.clock, monitor="vm1", connection=self._connections,
            peer={}, upstream="unix:/m",
        )  # fmt: skip

    def connect(self, factory: Any) -> Deferred[Any]:
        """The endpoint."""
        attempt: Deferred[Any] = Deferred(self._cancel)
        self.attempts.append((factory, attempt))
        return attempt

    def _cancel(self, attempt: Deferred[Any]) -> None:
        self.cancelled += 1
        attempt.errback(ConnectingCancelledError(None))

    def refuses(self, reason: str = "nobody listens") -> None:
        _, attempt = self.attempts.pop(0)
        attempt.errback(Refused(string=reason))

    def connects(self, greeting: bytes = b"") -> Monitor:
        factory, attempt = self.attempts.pop(0)
        protocol = factory.buildProtocol(None)
        monitor = Monitor(protocol)
        attempt.callback(protocol)
        if greeting:
            monitor.says(greeting)
        return monitor

    def started(self) -> Monitor:
        self.log.startService()
        return self.connects(GREETING)

    def waits(self) -> float:
        """Let the time until the next attempt pass; how long that was."""
        (call,) = self.clock.getDelayedCalls()
        wait = float(call.getTime() - self.clock.seconds())
        assert not self.attempts
        self.clock.advance(wait)
        assert len(self.attempts) == 1
        return wait

    def turns(self) -> None:
        self.clock.advance(0)

    @property
    def kinds(self) -> list[str]:
        self.turns()
        return [str(record.kind) for record in self.records]

    def is_clean(self) -> bool:
        return not (self.clock.getDelayedCalls() or self.attempts)


def warnings(logs: Any) -> list[str]:
    ours = [e for e in logs if e["log_namespace"] in OURS]
    return [e["log_format"].format(**e) for e in ours if e["log_level"] is LogLevel.warn]


def test_it_journals_the_greeting_and_the_events() -> None:
    logged = Logged()
    with capturedLogs() as logs:
        monitor = logged.started()
    assert [e["log_format"].format(**e) for e in logs if "connected" in e["log_format"]] == [
        "vm1: connected"
    ]
    monitor.says(b"* EVENT reboot\r\n")
    assert logged.kinds == ["opened", "greeting", "event"]
    assert logged.records[-1].fields == {"event": "reboot"}


def test_quiet_is_to_log_no_connection() -> None:
    with capturedLogs() as logs:
        Logged(quiet=True).started()
    assert not [e for e in logs if e["log_namespace"] in OURS]


# Monitors that are not there.


def test_it_tries_again_ever_more_slowly() -> None:
    logged = Logged(max_delay=20.0)
    logged.log.startService()
    waits = []
    for _ in range(20):
        logged.refuses()
        waits.append(logged.waits())
    # Half a second, half as much again each time, and up to a second at random.
    assert 0.5 <= waits[0] <= 2
    assert waits[5] > 4
    assert all(20 <= wait <= 21 for wait in waits[-5:])


def test_a_greeting_makes_it_try_quickly_again() -> None:
    logged = Logged()
    logged.log.startService()
    for _ in range(10):
        logged.refuses()
        logged.waits()
    logged.connects(GREETING).is_gone()
    assert logged.waits() <= 2


def test_why_there_is_no_connection_is_said_once_for_each_reason() -> None:
    logged = Logged()
    with capturedLogs() as logs:
        logged.log.startService()
        for reason in ("nobody listens", "nobody listens", "no such file", "no such file"):
            logged.refuses(reason)
            logged.waits()
        logged.connects(GREETING).is_gone()
        logged.waits()
        logged.refuses("no such file")
    said = [line.removeprefix("vm1: no connection: ") for line in warnings(logs)]
    assert ["nobody listens" in said[0], "no such file" in said[1], "lost" in said[2]] == [True] * 3
    assert "no such file" in said[3]
    assert len(said) == 4


def test_the_time_without_a_connection_becomes_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(monitorlog, "time", lambda: now[0])
    logged = Logged()
    logged.started().is_gone()
    now[0] = 2000.0
    logged.waits()
    logged.refuses("still asleep")
    now[0] = 3000.0
    logged.waits()
    monitor = logged.connects()
    assert logged.kinds == ["opened", "greeting", "closed", "opened"]
    monitor.says(GREETING)
    monitor.says(b"* EVENT stop\r\n")
    assert logged.kinds[4:] == ["greeting", "gap", "event"]
    (gap,) = [r for r in logged.records if r.kind is Kind.GAP]
    assert gap.fields["since"] == "1970-01-01T00:16:40.000000Z"
    assert gap.fields["problem"].startswith("no connection: ")
    assert "still asleep" in gap.fields["problem"]
    assert gap.connection == 2


def test_a_monitor_that_is_there_at_once_leaves_no_gap() -> None:
    logged = Logged()
    logged.started()
    assert "gap" not in logged.kinds


def test_nor_does_one_that_comes_back_leave_an_old_gap() -> None:
    logged = Logged()
    for turn in range(3):
        monitor = logged.started() if turn == 0 else logged.connects(GREETING)
        monitor.is_gone()
        logged.waits()
    assert logged.kinds.count("gap") == 2


def test_an_endpoint_that_raises_is_tried_again() -> None:
    logged = Logged()
    logged.connect = lambda factory: 1 // 0  # type: ignore[assignment,method-assign]
    with capturedLogs() as logs:
        logged.log.startService()
    assert len(warnings(logs)) == 1
    del logged.connect
    logged.waits()


# Monitors that do not greet.


def test_what_is_no_monitor_is_reported_once_and_clearly() -> None:
    logged = Logged(max_delay=20.0)
    waits = []
    with capturedLogs() as logs:
        logged.log.startService()
        for _ in range(10):
            monitor = logged.connects(b"220 mail\r\n")
            assert monitor.transport.aborted
            monitor.is_gone()
            waits.append(logged.waits())
    (warning,) = warnings(logs)
    assert "not the greeting of a monitor" in warning
    assert waits[-1] >= 20


ANSWERS = {
    "query-status": b'{"return": {"status": "paused", "running": false}, "id": %d}\r\n',
    "query-name": b'{"return": {"name": "vm one"}, "id": %d}\r\n',
    "query-uuid": b'{"error": {"class": "GenericError", "desc": "no"}, "id": %d}\r\n',
}


def json_monitor(logged: Logged) -> Monitor:
    """A JSON monitor, up to where the logger has nothing more to ask."""
    logged.log.startService()
    return negotiated(logged)


def negotiated(logged: Logged) -> Monitor:
    monitor = logged.connects(JSON_GREETING)
    assert b"qmp_capabilities" in monitor.heard()
    monitor.says(b'{"return": {}, "id": 0}\r\n')
    for number, (command, answer) in enumerate(ANSWERS.items(), 1):
        assert command in monitor.heard().decode()
        monitor.says(answer % number)
    return monitor


def test_after_each_connection_the_machine_is_asked_what_it_is() -> None:
    logged = Logged(passive=False, heartbeat=0.0)
    monitor = json_monitor(logged)
    monitor.is_gone()
    logged.waits()
    negotiated(logged)
    logged.turns()
    resyncs = [r.fields for r in logged.records if r.kind is Kind.RESYNC]
    assert resyncs == [{"status": "paused", "name": "vm one"}] * 2
    order = [r.kind for r in logged.records if r.connection == 2]
    assert order.index(Kind.GAP) < order.index(Kind.RESYNC)


def test_a_text_monitor_is_asked_in_its_own_words() -> None:
    logged = Logged(passive=False, heartbeat=0.0)
    monitor = logged.started()
    for line, answer in (
        (b"info status\r\n", b"= VM status: running\r\n+ OK info status completed\r\n"),
        (b"info name\r\n", b"+ OK info name completed\r\n"),
        (b"info uuid\r\n", b"= 00-11\r\n+ OK info uuid completed\r\n"),
    ):
        assert monitor.heard() == line
        monitor.says(answer)
    logged.turns()
    (resync,) = [r.fields for r in logged.records if r.kind is Kind.RESYNC]
    assert resync == {"status": "VM status: running", "uuid": "00-11"}


def test_a_monitor_that_hangs_is_found_out_by_the_heartbeat() -> None:
    logged = Logged(passive=False, heartbeat=7.0)
    monitor = json_monitor(logged)
    assert b"query-status" in monitor.heard()
    logged.clock.advance(6.9)
    assert not monitor.transport.aborted
    logged.clock.advance(0.1)
    assert monitor.transport.aborted
    monitor.is_gone()
    closed = logged.records[-1].fields
    assert (closed["ending"], closed["ended_by"]) == ("hung", "client")
    assert "no answer within 7 s" in closed["reason"]


def test_a_monitor_that_answers_is_asked_again_at_the_interval() -> None:
    logged = Logged(passive=False, heartbeat=7.0)
    monitor = json_monitor(logged)
    for number in range(4, 8):
        assert b"query-status" in monitor.heard()
        monitor.says(ANSWERS["query-status"] % number)
        logged.clock.advance(7)
    assert not monitor.transport.aborted


SHUTDOWN = b'{"event": "SHUTDOWN", "data": {"guest": %s, "reason": "%s"}}\r\n'
ENDINGS = [
    (b"", "killed"),
    (SHUTDOWN % (b"true", b"guest-shutdown"), "guest-shutdown"),
    (SHUTDOWN % (b"false", b"host-qmp-quit"), "quit"),
    (SHUTDOWN % (b"false", b"host-signal"), "host-signal"),
    (SHUTDOWN % (b"true", b"guest-panic"), "guest-panicked"),
    (b'{"event": "GUEST_PANICKED", "data": {"action": "pause"}}\r\n', "guest-panicked"),
    (b'{"event": "GUEST_PANICKED", "data": {}}\r\n{"event": "RESET"}\r\n', "killed"),
]


@pytest.mark.parametrize(("last_words", "ending"), ENDINGS)
def test_how_a_machine_ended_is_in_the_journal(last_words: bytes, ending: str) -> None:
    logged = Logged(passive=False, heartbeat=0.0)
    monitor = json_monitor(logged)
    if last_words:
        monitor.says(last_words)
    monitor.is_gone()
    assert logged.records[-1].fields["ending"] == ending
    assert logged.records[-1].fields["ended_by"] == "monitor"


def test_a_connection_that_the_logger_ends_tells_of_no_ending() -> None:
    logged = Logged()
    monitor = logged.started()
    logged.log.stopService()
    assert monitor.transport.aborted
    monitor.is_gone()
    assert "ending" not in logged.records[-1].fields


def test_a_poll_of_a_json_monitor_takes_arguments() -> None:
    logged = Logged(polls=["qom-get path=/machine property=type"], heartbeat=0.0)
    logged.log.startService()
    monitor = logged.connects(JSON_GREETING)
    monitor.heard()
    monitor.says(b'{"return": {}, "id": 0}\r\n')
    assert json.loads(monitor.heard()) == {
        "execute": "qom-get", "arguments": {"path": "/machine", "property": "type"}, "id": 1,
    }  # fmt: skip


def test_a_poll_that_a_json_monitor_cannot_be_asked_is_reported() -> None:
    logged = Logged(polls=["info status"])
    logged.log.startService()
    monitor = logged.connects(JSON_GREETING)
    with capturedLogs() as logs:
        monitor.says(b'{"return": {}, "id": 0}\r\n')
    assert [w for w in warnings(logs) if "cannot ask 'info status'" in w]


def test_it_is_reported_once_and_not_at_each_interval() -> None:
    logged = Logged(polls=["info status"], every=10.0, heartbeat=0.0)
    logged.log.startService()
    with capturedLogs() as logs:
        logged.connects(JSON_GREETING).says(b'{"return": {}, "id": 0}\r\n')
        logged.clock.pump([10.0] * 3)
    assert len([w for w in warnings(logs) if "cannot ask" in w]) == 1


def test_what_is_tried_again_is_named_in_the_log() -> None:
    logged = Logged()
    with capturedLogs() as logs:
        logged.log.startService()
        logged.refuses()
    texts = [formatEvent(event) for event in logs]
    assert [text for text in texts if text.startswith("Scheduling retry 1 to connect vm1 in ")]


def test_a_silent_monitor_is_given_up_and_tried_again() -> None:
    logged = Logged(greeting_timeout=5.0)
    logged.log.startService()
    monitor = logged.connects()
    with capturedLogs() as logs:
        logged.clock.advance(5.0)
    assert monitor.transport.aborted
    assert warnings(logs) == [
        "vm1: no connection: no greeting within 5 s (is another client connected to this monitor?)"
    ]
    monitor.is_gone()
    assert logged.kinds == ["opened", "closed"]
    assert logged.records[-1].fields["ended_by"] == "client"
    logged.waits()


def test_a_connection_that_ends_before_the_greeting_is_tried_again() -> None:
    logged = Logged()
    logged.log.startService()
    with capturedLogs() as logs:
        logged.connects(GREETING[:5]).is_gone(ConnectionDone())
    (warning,) = warnings(logs)
    assert "Connection was closed cleanly." in warning
    logged.waits()


# Polls.


def test_polls_are_sent_at_once_and_then_at_intervals() -> None:
    logged = Logged(polls=["info status", "info name"], every=10.0)
    monitor = logged.started()
    for _ in range(3):
        assert monitor.heard() == b"info status\r\n"
        monitor.says(b"= VM status: running\r\n+ OK info status completed\r\n")
        assert monitor.heard() == b"info name\r\n"
        monitor.says(b"+ OK info name completed\r\n")
        logged.clock.advance(9.9)
        assert monitor.heard() == b""
        logged.clock.advance(0.1)
    polls = ["command", "output", "success", "command", "success"]
    assert logged.kinds[:-1] == ["opened", "greeting", *polls * 3]


@pytest.mark.parametrize("answer", [b"- ERR no\r\n", b"- BAD unknown command\r\n"])
def test_a_poll_that_fails_is_no_reason_to_stop(answer: bytes) -> None:
    logged = Logged(polls=["info balloon", "info name"], every=10.0)
    with capturedLogs() as logs:
        monitor = logged.started()
        for _ in range(3):
            assert monitor.heard() == b"info balloon\r\n"
            monitor.says(answer)
            assert monitor.heard() == b"info name\r\n"
            monitor.says(answer)
            logged.clock.advance(10.0)
    assert warnings(logs) == []


def test_polls_that_are_not_answered_do_not_pile_up() -> None:
    logged = Logged(polls=["info status", "info name"], every=10.0)
    monitor = logged.started()
    sent = [monitor.heard()]
    for _ in range(6):
        logged.clock.advance(10.0)
        sent.append(monitor.heard())
    # Each has its time to be answered in; then the next turn is waited for.
    assert sent == [b"info status\r\n", b"info name\r\n", b""] * 2 + [b"info status\r\n"]
    # A minute after the first was given up on, nobody can tell whose a reply would be.
    assert not monitor.closed
    logged.clock.advance(10.0)
    assert monitor.closed
    monitor.is_gone()
    logged.waits()


def test_not_even_very_frequent_ones() -> None:
    logged = Logged(polls=["info status"], every=0.05)
    monitor = logged.started()
    for _ in range(1000):
        logged.clock.advance(0.05)
    assert monitor.heard().count(b"\r\n") <= 64
    assert len(logged.clock.getDelayedCalls()) < 10


def test_a_late_reply_goes_to_the_poll_that_it_answers() -> None:
    logged = Logged(polls=["info status"], every=10.0)
    monitor = logged.started()
    logged.clock.pump([10.0, 10.0])
    monitor.says(b"+ OK info status completed\r\n" * 2)
    logged.turns()
    commands = [r.seq for r in logged.records if r.kind is Kind.COMMAND]
    replies = [r.fields["reply_to"] for r in logged.records if r.kind is Kind.SUCCESS]
    assert replies == commands


def test_polls_end_with_the_connection_and_begin_with_the_next() -> None:
    logged = Logged(polls=["info status"], every=10.0)
    monitor = logged.started()
    monitor.heard()
    monitor.is_gone()
    assert len(logged.clock.getDelayedCalls()) == 1
    logged.waits()
    assert logged.connects(GREETING).heard() == b"info status\r\n"


# Stopping.


def test_stopped_while_connecting() -> None:
    logged = Logged()
    logged.log.startService()
    with capturedLogs() as logs:
        assert result(logged.log.stopService()) is None
    assert logged.cancelled == 1
    assert warnings(logs) == []
    logged.attempts.clear()
    assert logged.is_clean()


@pytest.mark.parametrize("greeting", [b"", GREETING])
def test_stopped_while_connected(greeting: bytes) -> None:
    logged = Logged(polls=["info status"])
    logged.log.startService()
    monitor = logged.connects(greeting)
    with capturedLogs() as logs:
        stopped = logged.log.stopService()
        assert monitor.closed
        assert pending(stopped)
        monitor.is_gone(ConnectionDone())
    assert result(stopped) is None
    assert warnings(logs) == []
    fields = logged.records[-1].fields
    assert (fields["ended_by"], fields["reason"]) == ("client", "it was stopped")
    assert logged.is_clean()


def test_a_monitor_that_does_not_read_cannot_keep_it_from_stopping() -> None:
    logged = Logged(polls=["info status"])
    monitor = logged.started()
    logged.log.stopService()
    logged.clock.advance(CLOSE_TIMEOUT)
    assert monitor.transport.aborted
    monitor.is_gone()
    assert logged.is_clean()


def test_stopped_while_waiting_to_try_again() -> None:
    logged = Logged()
    logged.log.startService()
    logged.refuses()
    assert result(logged.log.stopService()) is None
    assert logged.is_clean()


def test_stopped_after_the_connection_was_lost() -> None:
    logged = Logged(polls=["info status"])
    logged.started().is_gone()
    assert result(logged.log.stopService()) is None
    assert logged.is_clean()


def test_stopped_while_a_json_monitor_is_being_dropped() -> None:
    logged = Logged()
    logged.log.startService()
    monitor = logged.connects(JSON_GREETING)
    stopped = logged.log.stopService()
    monitor.is_gone()
    assert result(stopped) is None
    assert logged.is_clean()


def test_started_again() -> None:
    logged = Logged()
    monitor = logged.started()
    stopped = logged.log.stopService()
    monitor.is_gone(ConnectionDone())
    assert result(stopped) is None
    logged.started().says(b"* EVENT stop\r\n")
    assert logged.kinds == ["opened", "greeting", "closed", "opened", "greeting", "event"]


# The service.


def journal(folder: Path) -> Journal:
    return Journal(folder / "j", in_thread=lambda work: work())


async def test_it_journals_any_number_of_monitors(tmp_path: Path, running_reactor: Any) -> None:
    monitors = [(name, MachineEndpoint(running_reactor), f"{name}:") for name in ("one", "two")]
    service = LoggerService(
        monitors, journal(tmp_path), running_reactor, polls=["info name"], passive=True
    )
    service.startService()
    clients = [await log.whenConnected() for log in service]
    for wrapper in clients:
        while wrapper.wrappedProtocol.client is None:
            await deferLater(running_reactor, 0)
        await wrapper.wrappedProtocol.client.execute("info", "status")
    await service.stopService()
    records = [record for record in read(tmp_path / "j") if isinstance(record, Record)]
    for number, name in enumerate(("one", "two"), 1):
        mine = [record for record in records if record.monitor == name]
        assert {record.connection for record in mine} == {number}
        assert mine[0].fields == {"upstream": f"{name}:"}
        assert mine[0].peer == {"pid": os.getpid(), "program": "qmp-logger"}
        assert [str(record.kind) for record in mine if record.kind is not Kind.OUTPUT] == [
            "opened", "greeting", "command", "command", "success", "success", "closed",
        ]  # fmt: skip
        assert mine[-1].fields["ended_by"] == "client"


async def test_without_its_journal_it_does_not_start(tmp_path: Path, running_reactor: Any) -> None:
    (tmp_path / "j").mkdir()
    endpoint = Logged()
    service = LoggerService([("one", endpoint, "")], journal(tmp_path), running_reactor)
    with pytest.raises(JournalError):
        service.startService()
    assert endpoint.attempts == []
    await service.stopService()


SETTINGS = [
    ("--every=7", "every", 7.0),
    ("--greeting-timeout=7", "greeting_timeout", 7.0),
    ("--poll=info name", "polls", ["info name"]),
    ("--quiet", "quiet", True),
    ("--heartbeat=7", "heartbeat", 7.0),
    ("--passive", "passive", True),
]


@pytest.mark.parametrize(("argument", "setting", "value"), SETTINGS)
def test_the_options_reach_every_log(
    argument: str, setting: str, value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def make(name: str, endpoint: Any, tap: Any, reactor: Any, **settings: Any) -> MonitorLog:
        given.append((name, settings[setting]))
        return MonitorLog(name, endpoint, tap, reactor, **settings)

    monkeypatch.setattr(logger, "MonitorLog", make)
    options = LoggerOptions()
    options.parseOptions([
        argument, "--connect=a=unix:/a", "--connect=unix:/b", f"--journal={tmp_path}/j",
    ])  # fmt: skip
    makeService(options)
    assert given == [("a", value), ("b", value)]
