"""A recorded client asks again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError  # noqa: A004
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from zope.interface import implementer

from tests.replay.example import JSON, JSON_GREETING, TEXT, TEXT_GREETING, recorded
from tests.wires import Wire
from txqmp.errors import GreetingTimeout, MonitorError, ProtocolViolation
from txqmp.journal.record import Dialect, Record
from txqmp.journal.redact import redact
from txqmp.replay import asker
from txqmp.replay.compare import Comparison
from txqmp.replay.factory import replay_factory
from txqmp.replay.recording import Recording
from txqmp.replay.resend import resend
from txqmp.replay.script import read_script
from txqmp.testing import Pair


def command(name: str, **more: Any) -> str:
    return json.dumps({"execute": name, **more})


@implementer(IStreamClientEndpoint)
class Here:
    """An endpoint whose monitor is the test: a wire."""

    def __init__(self) -> None:
        self.wire: Any = None

    def connect(self, factory: Any) -> Deferred[Any]:
        self.wire = Wire(factory)
        return succeed(self.wire.protocol)


class Asking:
    """A conversation that is held again, before a monitor that is the test."""

    def __init__(
        self, dialogue: str | list[Record], dialect: Dialect = "json", **settings: Any
    ) -> None:
        records = recorded(dialogue, dialect) if isinstance(dialogue, str) else dialogue
        self.clock = Clock()
        self.comparison = Comparison()
        self.shown: list[str] = []
        here = Here()
        self.done = Deferred.fromCoroutine(
            resend(
                read_script(records, dialect),
                here,
                self.clock,
                self.comparison,
                lambda difference: self.shown.extend(difference.lines()),
                timeout=5.0,
                **settings,
            )
        )
        self.wire = here.wire

    def hears(self) -> list[str]:
        """The commands that have come."""
        data = self.wire.transport.value().decode("latin-1")
        self.wire.transport.clear()
        return [line for line in data.split("\r\n") if line]

    def answers(self, *lines: str) -> list[str]:
        """Say something; the commands that come then."""
        self.wire.says(*lines)
        return self.hears()

    def ends(self) -> Any:
        """It closes the connection; its result."""
        assert self.wire.transport.disconnecting
        self.wire.hangs_up()
        results: list[Any] = []
        self.done.addBoth(results.append)
        assert not self.clock.getDelayedCalls()
        return results[0]


SHORT = f"""
    0 S: {JSON_GREETING}
    1 C: {command("stop", id="a")}
    1.5 S: {{"event": "STOP"}}
    2 S: {{"return": {{}}, "id": "a"}}
    4 C: {command("query-status", id="b")}
    5 S: {{"return": {{"status": "paused"}}, "id": "b"}}
    6 X: client
"""


def test_the_same_commands_in_order_with_their_ids() -> None:
    asking = Asking(SHORT)
    assert asking.hears() == []
    assert asking.answers(JSON_GREETING) == [command("stop", id="a")]
    assert asking.answers('{"event": "STOP"}') == []
    assert asking.answers('{"return": {}, "id": "a"}') == [command("query-status", id="b")]
    assert asking.answers('{"return": {"status": "paused"}, "id": "b"}') == []
    assert asking.ends() is None
    assert asking.shown == []
    assert asking.comparison.summary() == "2 commands sent, no differences"


def test_an_event_is_waited_for_before_the_next_command() -> None:
    asking = Asking(SHORT)
    asking.answers(JSON_GREETING)
    assert asking.answers('{"return": {}, "id": "a"}') == []
    assert asking.answers('{"event": "STOP"}') == [command("query-status", id="b")]
    asking.answers('{"return": {"status": "paused"}, "id": "b"}')
    asking.ends()
    assert asking.shown == []


def test_an_event_that_does_not_come_is_waited_for_once() -> None:
    twice = SHORT.replace('5 S: {"ret', '4.5 S: {"event": "STOP"}\n5 S: {"ret')
    asking = Asking(twice)
    asking.answers(JSON_GREETING)
    assert asking.answers('{"return": {}, "id": "a"}') == []
    asking.clock.advance(5)
    assert asking.hears() == [command("query-status", id="b")]
    asking.answers('{"return": {"status": "paused"}, "id": "b"}')
    asking.ends()
    assert asking.shown == ["event STOP", "  recorded  {}", "  now       (nothing)"] * 2


def test_an_event_that_was_not_recorded() -> None:
    asking = Asking(SHORT)
    asking.answers(JSON_GREETING)
    asking.answers('{"event": "STOP"}', '{"event": "RESET", "data": {"guest": true}}')
    asking.answers('{"return": {}, "id": "a"}')
    asking.answers('{"return": {"status": "paused"}, "id": "b"}')
    asking.ends()
    assert asking.shown == [
        "event RESET", "  recorded  (nothing)", '  now       {"data": {"guest": true}}',
    ]  # fmt: skip


def test_an_event_after_the_end_of_the_record_is_no_difference() -> None:
    asking = Asking(SHORT)
    asking.answers(JSON_GREETING)
    asking.answers('{"event": "STOP"}', '{"return": {}, "id": "a"}')
    asking.wire.sends(b'{"return": {"status": "paused"}, "id": "b"} {"event": "STOP"}\r\n')
    asking.ends()
    assert asking.shown == []


def test_what_is_answered_differently() -> None:
    asking = Asking(SHORT)
    asking.answers(JSON_GREETING.replace("22", "23"))
    asking.answers('{"event": "STOP", "data": {"why": 1}}')
    asking.answers('{"id": "a", "error": {"class": "GenericError", "desc": "no"}}')
    asking.answers('{"return": {"status": "running"}, "id": "b"}')
    asking.ends()
    assert asking.shown == [
        "greeting",
        "  recorded  version.qemu.micro: 22",
        "  now       version.qemu.micro: 23",
        "stop",
        "  recorded  return: {}",
        "  now       return: (nothing)",
        "  recorded  error: (nothing)",
        '  now       error: {"class": "GenericError", "desc": "no"}',
        "event STOP",
        "  recorded  data.why: (nothing)",
        "  now       data.why: 1",
        "query-status",
        '  recorded  return.status: "paused"',
        '  now       return.status: "running"',
    ]
    assert asking.comparison.count == 4


def test_no_answer_is_the_last() -> None:
    asking = Asking(SHORT)
    asking.answers(JSON_GREETING)
    asking.clock.advance(5)
    asking.ends()
    assert asking.shown[:3] == [
        "stop", '  recorded  "an answer"', '  now       "no answer within 5 s"',
    ]  # fmt: skip
    assert asking.comparison.summary() == "1 command sent, 1 difference, 1 not sent"


def test_the_monitor_ends_it_before() -> None:
    asking = Asking(SHORT)
    asking.answers(JSON_GREETING)
    asking.wire.hangs_up()
    assert asking.shown == [
        "stop",
        "  recorded  return: {}",
        "  now       return: (nothing)",
        "  recorded  end: (nothing)",
        '  now       end: "the monitor closed the connection"',
    ]
    assert asking.comparison.unsent == 1
    assert asking.done.called
    assert not asking.clock.getDelayedCalls()


ENDING = f'S: {JSON_GREETING}\nC: {command("quit")}\nS: {{"return": {{}}}}\nX: monitor'


def test_the_monitor_ends_it_where_it_did() -> None:
    asking = Asking(ENDING)
    asking.answers(JSON_GREETING)
    asking.answers('{"return": {}}')
    assert not asking.done.called
    asking.wire.hangs_up()
    assert asking.done.called
    assert asking.shown == []


def test_the_monitor_does_not_end_it_where_it_did() -> None:
    asking = Asking(ENDING)
    asking.answers(JSON_GREETING)
    asking.answers('{"return": {}}')
    asking.clock.advance(5)
    asking.ends()
    assert asking.shown == [
        "the end", '  recorded  "the monitor closed the connection"', '  now       "it did not"',
    ]  # fmt: skip


def test_the_end_in_the_place_of_an_answer() -> None:
    asking = Asking(f"S: {JSON_GREETING}\nC: {command('quit')}\nX: monitor")
    assert asking.answers(JSON_GREETING) == [command("quit")]
    asking.wire.hangs_up()
    assert asking.shown == []


def test_what_is_hidden_or_was_not_answered_is_not_sent() -> None:
    password = command("set_password", arguments={"protocol": "vnc", "password": "hush"})
    records = recorded(
        f'S: {JSON_GREETING}\nC: {password}\nS: {{"return": {{}}}}\nC: {command("stop")}'
    )
    asking = Asking([redact(record) for record in records])
    assert asking.answers(JSON_GREETING) == []
    asking.ends()
    assert asking.comparison.summary() == "0 commands sent, no differences, 2 not sent"


def test_a_secret_answer_is_not_compared() -> None:
    records = recorded(f'S: {JSON_GREETING}\nC: {command("x")}\nS: {{"return": 1}}\nX: client')
    records[-2].raw = None
    asking = Asking(records)
    asking.answers(JSON_GREETING)
    asking.answers('{"return": 2}')
    asking.ends()
    assert asking.shown == []


def test_as_slow_as_the_client_was() -> None:
    asking = Asking(SHORT, speed=2.0)
    assert asking.answers(JSON_GREETING) == [command("stop", id="a")]
    assert asking.answers('{"event": "STOP"}', '{"return": {}, "id": "a"}') == []
    asking.clock.advance(0.99)
    assert asking.hears() == []
    asking.clock.advance(0.02)
    assert asking.hears() == [command("query-status", id="b")]
    asking.answers('{"return": {"status": "paused"}, "id": "b"}')
    asking.ends()


class TestText:
    def test_the_same(self) -> None:
        asking = Asking(TEXT, "text")
        assert asking.answers(TEXT_GREETING) == ["info status"]
        assert asking.answers("= VM status: running", "+ OK info status completed") == ["stop"]
        assert asking.answers("* EVENT stop", "+ OK stop completed") == ["info  STATUS"]
        assert asking.answers("= VM status: paused", "+ OK info status completed") == [
            "set_link foo down"
        ]
        assert asking.answers("- ERR could not find network device 'foo'") == ["foo"]
        asking.answers("* NEWS", "- BAD unknown command")
        asking.ends()
        assert asking.shown == []

    def test_not_the_same(self) -> None:
        asking = Asking(TEXT, "text")
        asking.answers("+ OK QEMU 0.11.0 QMP 0.1")
        asking.answers("= VM status: paused", "+ OK info status completed")
        asking.answers("* EVENT stop", "- ERR no")
        asking.answers("- BAD what?")
        asking.answers("+ OK set_link completed")
        asking.answers("- ERR foo")
        asking.ends()
        assert [line for line in asking.shown if not line.startswith("  ")] == [
            "greeting", "info status", "stop", "info STATUS", "set_link foo down", "foo",
        ]  # fmt: skip
        assert asking.shown[3:9] == [
            "info status",
            '  recorded  data[0]: "VM status: running"',
            '  now       data[0]: "VM status: paused"',
            "stop",
            '  recorded  OK: "stop"',
            "  now       OK: (nothing)",
        ]


class TestWhatIsNoMonitor:
    @pytest.mark.parametrize(
        ("dialect", "dialogue", "said"),
        [
            ("json", JSON, TEXT_GREETING),
            ("text", TEXT, JSON_GREETING),
            ("text", TEXT, "x" * 100),
            ("json", JSON, "[1]"),
        ],
    )
    def test_it_speaks_otherwise(self, dialect: Any, dialogue: str, said: str) -> None:
        asking = Asking(dialogue, dialect)
        asking.answers(said)
        assert isinstance(asking.ends().value, ProtocolViolation)

    def test_it_stays_silent(self) -> None:
        asking = Asking(JSON)
        asking.clock.advance(5)
        assert isinstance(asking.ends().value, GreetingTimeout)

    def test_it_leaves(self) -> None:
        asking = Asking(JSON)
        asking.wire.hangs_up()
        outcome: list[Any] = []
        asking.done.addErrback(outcome.append)
        assert str(outcome[0].value) == "the connection is over: Connection was closed cleanly."

    def test_it_breaks_the_protocol_later(self) -> None:
        asking = Asking(SHORT)
        asking.answers(JSON_GREETING)
        asking.answers("nonsense{")
        assert isinstance(asking.ends().value, ProtocolViolation)

    def test_it_says_too_much(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(asker, "MAX_ANSWER", 400)
        asking = Asking(SHORT)
        asking.answers(JSON_GREETING)
        for _ in range(20):
            asking.answers('{"event": "NEWS", "data": {"a": "bbbbbbbbbbbbb"}}')
        assert str(asking.ends().value) == "more than 400 bytes, and no reply (MAX_ANSWER)"

    async def test_it_is_not_there(self) -> None:
        @implementer(IStreamClientEndpoint)
        class Nowhere:
            def connect(self, factory: Any) -> Deferred[Any]:
                return fail(ConnectionRefusedError())

        with pytest.raises(MonitorError, match="cannot connect: Connection was refused"):
            await resend(
                read_script(recorded(JSON), "json"), Nowhere(), Clock(), Comparison(), print
            )


@pytest.mark.parametrize(("dialogue", "dialect"), [(JSON, "json"), (TEXT, "text")])
@pytest.mark.parametrize("mode", ["strict", "loose"])
def test_a_replay_is_asked_again(dialogue: str, dialect: Any, mode: Any) -> None:
    """Both ways at once: the recorded client and the recorded monitor."""
    clock = Clock()
    recording = Recording(recorded(dialogue, dialect))
    server = replay_factory(recording, clock, mode=mode, speed=0)

    @implementer(IStreamClientEndpoint)
    class Replayed:
        def connect(self, factory: Any) -> Deferred[Any]:
            self.pair = Pair(factory.buildProtocol(None), server.buildProtocol(None), clock)
            return succeed(self.pair.client)

    replayed, comparison = Replayed(), Comparison()
    script = recording.script(recording.conversations[0])
    done = Deferred.fromCoroutine(resend(script, replayed, clock, comparison, print))
    replayed.pair.flush()
    assert done.called
    assert (comparison.sent, comparison.count) == (len(script.exchanges), 0)
    assert list(server.replay.unasked()) == []
    assert not clock.getDelayedCalls()
