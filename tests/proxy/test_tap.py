"""What a tap hears becomes records: in order, stamped when it was heard, decoded later."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from txqmp.journal.record import Direction, Entry, Kind, Record, Run, encode
from txqmp.journal.redact import redact
from txqmp.proxy import tap as tap_module
from txqmp.proxy.hearing import ITap
from txqmp.proxy.tap import Tap

TEXT = b"+ OK QEMU 0.10.50 QMP 0.1\r\n"
JSON = (
    b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""},'
    b' "capabilities": []}}\r\n'
)


class Turns(Clock):
    """As in a reactor, what is asked for now is done in the next turn: a turn is a second."""

    def callLater(self, when: float, what: Any, *args: Any, **kwargs: Any) -> Any:
        if when:
            return super().callLater(when, what, *args, **kwargs)
        return super().callLater(1, what, *args, **kwargs)


class Tapped:
    """A tap, the time of day, and the records that it made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, link: Any = None, **settings: Any) -> None:
        self.now = 1000.0
        monkeypatch.setattr(tap_module, "time", lambda: self.now)
        monkeypatch.setattr(tap_module, "monotonic", lambda: self.now - 900)
        self.clock = Turns()
        self.records: list[Record] = []
        self.runs: list[Run] = []
        self.tap = Tap(
            self.take,
            self.clock,
            monitor="vm1",
            connection=7,
            peer={"path": "/s"},
            upstream="unix:/m",
            link=link,
            **settings,
        )

    def take(self, entries: list[Entry]) -> None:
        for entry in entries:
            if isinstance(entry, Run):
                self.runs.append(entry)
                self.records += entry.records()
            else:
                self.records.append(entry)

    def turn(self) -> None:
        self.clock.advance(1)

    def turns(self) -> None:
        self.turn()
        self.turn()

    @property
    def kinds(self) -> list[Kind]:
        return [record.kind for record in self.records]

    @property
    def raw(self) -> bytes:
        return b"".join(record.raw or b"" for record in self.records)

    def close(self) -> Record:
        self.tap.closed("enough", "client")
        assert self.clock.getDelayedCalls() == []
        return self.records[-1]


@pytest.fixture
def tapped(monkeypatch: pytest.MonkeyPatch) -> Tapped:
    return Tapped(monkeypatch)


def test_it_is_a_tap(tapped: Tapped) -> None:
    verifyObject(ITap, tapped.tap)


def test_the_first_and_the_last_record(tapped: Tapped) -> None:
    tapped.tap.opened()
    (opened,) = tapped.records
    assert (opened.kind, opened.fields) == (Kind.OPENED, {"upstream": "unix:/m"})
    assert (opened.time, opened.mono, opened.seq) == (1000.0, 100.0, 1)
    assert (opened.direction, opened.dialect, opened.raw) == (None, None, None)
    tapped.tap.to_client(TEXT)
    tapped.tap.to_monitor(b"stop\r\n")
    closed = tapped.close()
    assert closed.kind is Kind.CLOSED
    assert closed.fields == {
        "reason": "enough",
        "ended_by": "client",
        "bytes_to_monitor": 6,
        "bytes_to_client": len(TEXT),
    }


def test_decoding_waits_for_the_next_turn(tapped: Tapped) -> None:
    tapped.tap.to_client(TEXT)
    assert tapped.records == []
    tapped.tap.to_monitor(b"stop\r\n")
    assert len(tapped.clock.getDelayedCalls()) == 1
    tapped.turn()
    assert tapped.kinds == [Kind.GREETING, Kind.COMMAND]
    assert tapped.clock.getDelayedCalls() == []


def test_what_is_heard_in_one_turn_is_recorded_at_once(tapped: Tapped) -> None:
    batches: list[int] = []
    tapped.tap._record = lambda records: batches.append(len(records))
    tapped.tap.to_client(TEXT)
    for _ in range(3):
        tapped.tap.to_monitor(b"stop\r\n")
        tapped.tap.to_client(b"+ OK stop completed\r\n")
    tapped.turn()
    assert batches == [7]


def test_a_record_has_its_place_in_the_conversation(tapped: Tapped) -> None:
    tapped.tap.to_client(TEXT)
    tapped.tap.to_monitor(b"stop\r\n")
    tapped.turns()
    _, command = tapped.records
    assert (command.monitor, command.connection, command.peer) == ("vm1", 7, {"path": "/s"})
    assert (command.direction, command.dialect) == (Direction.TO_MONITOR, "text")
    assert command.raw == b"stop\r\n"


def test_the_time_is_that_of_hearing(tapped: Tapped) -> None:
    tapped.tap.to_client(TEXT)
    tapped.now = 1001.5
    tapped.tap.to_monitor(b"stop\r\n")
    tapped.now = 2000.0
    tapped.turns()
    assert [(r.time, r.mono) for r in tapped.records] == [(1000.0, 100.0), (1001.5, 101.5)]


def test_a_reply_names_its_command_and_the_time_it_took(tapped: Tapped) -> None:
    tapped.tap.opened()
    tapped.tap.to_client(TEXT)
    tapped.tap.to_monitor(b"info name\r\n")
    tapped.now += 0.25
    tapped.tap.to_client(b"= vm1\r\n+ OK info name completed\r\n* EVENT stop\r\n")
    tapped.turns()
    command, output, success, event = tapped.records[2:]
    assert output.fields == {"text": "vm1", "command": "info", "reply_to": command.seq}
    assert success.fields == {
        "completed": "info name", "command": "info", "reply_to": command.seq, "latency": 0.25,
    }  # fmt: skip
    assert event.fields == {"event": "stop"}


def test_the_numbers_have_no_gap_and_the_order_is_that_of_hearing(tapped: Tapped) -> None:
    tapped.tap.opened()
    for part in (b"stop\r", b"\ncont\r\n"):
        tapped.tap.to_monitor(part)
        tapped.turn()
    tapped.tap.to_client(TEXT + b"+ OK stop completed\r\n")
    tapped.turn()
    tapped.tap.to_monitor(b"quit\r\n")
    tapped.tap.to_client(b"+ OK cont completed\r\n")
    tapped.turns()
    tapped.close()
    assert [str(r.kind) for r in tapped.records] == [
        "opened", "command", "command", "greeting", "success", "command", "success", "closed",
    ]  # fmt: skip
    assert [r.seq for r in tapped.records] == list(range(1, 9))


def test_the_answer_to_a_command_that_asks_for_a_secret_is_sensitive(tapped: Tapped) -> None:
    tapped.tap.to_client(TEXT)
    tapped.tap.to_monitor(b"info history\r\n")
    tapped.tap.to_client(b"= 0: 'set_password vnc geheim'\r\n+ OK info history completed\r\n")
    tapped.turns()
    assert [r.sensitive for r in tapped.records] == [False, False, True, False]


# Which dialect it is.


def test_a_brace_first_is_json(tapped: Tapped) -> None:
    tapped.tap.to_client(JSON)
    tapped.turns()
    (greeting,) = tapped.records
    assert (greeting.kind, greeting.dialect) == (Kind.GREETING, "json")


@pytest.mark.parametrize(("greeting", "dialect"), [(TEXT, "text"), (JSON, "json")])
def test_white_space_before_it_tells_nothing(tapped: Tapped, greeting: bytes, dialect: str) -> None:
    for part in (b"\r\n", b"\n", greeting):
        tapped.tap.to_client(part)
        tapped.turns()
    assert tapped.records[-1].kind is Kind.GREETING
    assert {r.dialect for r in tapped.records} == {dialect}
    tapped.close()
    assert tapped.raw == b"\r\n\n" + greeting


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_the_monitor_may_be_slow_to_say_it(tapped: Tapped, size: int) -> None:
    for start in range(0, len(TEXT), size):
        tapped.tap.to_client(TEXT[start : start + size])
        tapped.turns()
    assert tapped.kinds == [Kind.GREETING]


def test_what_the_client_says_before_waits_and_keeps_its_time(tapped: Tapped) -> None:
    tapped.tap.to_monitor(b"stop\r\n")
    tapped.turns()
    assert tapped.records == []
    tapped.now += 5
    tapped.tap.to_client(TEXT)
    tapped.turns()
    assert [(r.kind, r.time) for r in tapped.records] == [
        (Kind.COMMAND, 1000.0),
        (Kind.GREETING, 1005.0),
    ]


def test_another_first_byte_leaves_all_undecoded(tapped: Tapped) -> None:
    tapped.tap.to_monitor(b"hello")
    tapped.tap.to_client(b"SSH-2.0\r\n")
    tapped.tap.to_client(TEXT)
    tapped.turns()
    assert [(r.kind, r.raw, r.dialect) for r in tapped.records] == [
        (Kind.UNDECODED, b"hello", None),
        (Kind.UNDECODED, b"SSH-2.0\r\n", None),
        (Kind.UNDECODED, TEXT, None),
    ]
    assert tapped.records[0].fields == {"problem": "unknown dialect"}


def test_what_was_said_to_a_monitor_that_never_spoke_is_kept(tapped: Tapped) -> None:
    tapped.tap.opened()
    tapped.tap.to_monitor(b"stop\r\n")
    tapped.turns()
    tapped.now += 30
    tapped.close()
    assert tapped.kinds == [Kind.OPENED, Kind.UNDECODED, Kind.CLOSED]
    assert (tapped.records[1].raw, tapped.records[1].time) == (b"stop\r\n", 1000.0)


def test_no_more_than_64_kib_waits_for_a_monitor_to_speak(tapped: Tapped) -> None:
    tapped.tap.to_monitor(b"x" * 65536)
    tapped.turns()
    assert tapped.records == []
    tapped.tap.to_monitor(b"y")
    tapped.turns()
    assert tapped.kinds == [Kind.UNDECODED] * 2
    tapped.tap.to_client(TEXT)
    tapped.turns()
    assert tapped.kinds == [Kind.UNDECODED] * 3


def test_nor_do_64_kib_of_white_space(tapped: Tapped) -> None:
    tapped.tap.to_client(b"\n" * 65537)
    tapped.turns()
    assert tapped.kinds == [Kind.UNDECODED]


# Its end.


def test_what_was_just_heard_is_decoded_before_the_end(tapped: Tapped) -> None:
    tapped.tap.to_client(TEXT)
    tapped.tap.to_monitor(b"quit\r\ninfo na")
    tapped.close()
    assert tapped.kinds == [Kind.GREETING, Kind.COMMAND, Kind.UNDECODED, Kind.CLOSED]
    assert tapped.raw == TEXT + b"quit\r\ninfo na"


@pytest.mark.parametrize("turns", range(4))
def test_no_timer_is_left(tapped: Tapped, turns: int) -> None:
    tapped.tap.to_client(TEXT)
    for _ in range(turns):
        tapped.turn()
    tapped.close()
    assert tapped.kinds == [Kind.GREETING, Kind.CLOSED]


# A time in which nothing was heard.


def test_a_gap_comes_after_what_was_heard_before_it(tapped: Tapped) -> None:
    tapped.tap.opened()
    tapped.tap.to_client(TEXT)
    tapped.tap.gap(990.5, "no connection: it was not there")
    tapped.tap.to_client(b"* EVENT stop\r\n")
    tapped.turns()
    assert tapped.kinds == [Kind.OPENED, Kind.GREETING, Kind.GAP, Kind.EVENT]
    gap = tapped.records[2]
    assert gap.fields == {
        "problem": "no connection: it was not there",
        "since": "1970-01-01T00:16:30.500000Z",
    }
    assert [r.seq for r in tapped.records] == [1, 2, 3, 4]


def test_the_journal_can_write_every_record(tapped: Tapped) -> None:
    conversation: list[Any] = [
        (tapped.tap.to_client, TEXT + b"= \xff\r\n* EVENT x y\r\n"),
        (tapped.tap.to_monitor, b"stop\r\n\xff\r\nquit"),
        (tapped.tap.to_client, b"+ OK stop completed\r\n- BAD no\r\n"),
    ]
    tapped.tap.opened()
    for say, data in conversation:
        say(data)
    tapped.tap.gap(1.0, "x")
    tapped.close()
    assert all(encode(record) for record in tapped.records)


# A number that commands share.


def linked(tapped: Tapped) -> list[tuple[str, Any]]:
    tapped.turns()
    return [(str(r.kind), r.fields.get("link")) for r in tapped.records]


def test_a_command_bears_its_number_and_so_do_its_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    tapped = Tapped(monkeypatch, lambda slot: 17)
    tapped.tap.to_client(TEXT)
    tapped.tap.to_monitor(b"info name\r\n")
    tapped.tap.to_client(b"= vm1\r\n* EVENT stop\r\n+ OK info name completed\r\n")
    assert linked(tapped) == [
        ("greeting", None), ("command", 17), ("output", 17), ("event", None), ("success", 17),
    ]  # fmt: skip


def test_a_reply_bears_the_number_of_its_own_command(monkeypatch: pytest.MonkeyPatch) -> None:
    tapped = Tapped(monkeypatch, lambda slot: {1: 17, 2: 18}[slot.id])
    tapped.tap.to_client(JSON)
    tapped.tap.to_monitor(b'{"execute": "stop", "id": 1}{"execute": "cont", "id": 2}')
    tapped.tap.to_client(b'{"return": {}, "id": 2}\r\n{"return": {}, "id": 1}\r\n')
    assert linked(tapped)[1:] == [
        ("command", 17), ("command", 18), ("success", 18), ("success", 17),
    ]  # fmt: skip


def test_a_command_without_a_number_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    tapped = Tapped(monkeypatch, lambda slot: None)
    tapped.tap.to_client(TEXT)
    tapped.tap.to_monitor(b"stop\r\n")
    tapped.tap.to_client(b"+ OK stop completed\r\n")
    tapped.turns()
    assert ["link" in r.fields for r in tapped.records] == [False] * 3


def test_each_line_that_wants_an_answer_asks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    tapped = Tapped(monkeypatch, lambda slot: asked.append(slot.command))
    tapped.tap.to_client(TEXT)
    tapped.tap.to_monitor(b"stop\r\n\r\n \r\nfoo \xff\r\n" + b"x" * 5000 + b"\r\ncont\r\n")
    tapped.tap.to_client(b"+ OK stop completed\r\n- BAD x\r\n- BAD y\r\n+ OK cont completed\r\n")
    tapped.turns()
    assert len(asked) == 4
    assert (asked[0], asked[-1]) == ("stop", "cont")


def test_many_lines_are_recorded_as_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    tapped = Tapped(monkeypatch, lambda slot: 17)
    tapped.tap.to_client(TEXT)
    tapped.tap.to_monitor(b"info mtree\r\n")
    lines = [b"= line %d\r\n" % number for number in range(100)]
    tapped.tap.to_client(b"".join(lines) + b"+ OK info mtree completed\r\n")
    tapped.turn()
    (run,) = tapped.runs
    assert run.count == 100
    assert [r.seq for r in tapped.records] == list(range(1, 104))
    assert [r.raw for r in tapped.records[2:-1]] == lines
    assert tapped.records[5].fields == {
        "text": "line 3", "command": "info", "reply_to": 2, "link": 17,
    }  # fmt: skip
    assert (tapped.records[-1].kind, tapped.records[-1].seq) == (Kind.SUCCESS, 103)


# Waiting for more.


def test_what_is_heard_is_held_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    tapped = Tapped(monkeypatch, hold=5)
    tapped.tap.to_client(TEXT)
    tapped.clock.advance(4)
    tapped.tap.to_monitor(b"stop\r\n")
    assert tapped.records == []
    tapped.clock.advance(1)
    assert tapped.kinds == [Kind.GREETING, Kind.COMMAND]
    assert tapped.clock.getDelayedCalls() == []


def test_not_while_64_kib_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    tapped = Tapped(monkeypatch, hold=5)
    tapped.tap.to_client(TEXT)
    tapped.tap.to_client(b"= " + b"x" * 40_000 + b"\r\n")
    tapped.clock.advance(0)
    assert tapped.records == []
    tapped.tap.to_client(b"= " + b"x" * 40_000 + b"\r\n")
    assert tapped.records == []
    tapped.clock.advance(0)
    assert tapped.kinds == [Kind.GREETING, Kind.OUTPUT, Kind.OUTPUT]
    tapped.tap.to_monitor(b"stop\r\n")
    tapped.clock.advance(4)
    assert len(tapped.records) == 3


def test_what_is_held_is_decoded_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    tapped = Tapped(monkeypatch, hold=5)
    tapped.tap.to_client(TEXT)
    tapped.close()
    assert tapped.kinds == [Kind.GREETING, Kind.CLOSED]


# Faults.


RESET = b'{"event": "RESET"}\r\n'


def test_a_fault_tells_which_command_it_hit(tapped: Tapped) -> None:
    tapped.tap.to_client(TEXT)
    tapped.tap.to_monitor(b"info status\r\n")
    tapped.tap.to_monitor(b"stop\r\n")
    tapped.tap.fault(Direction.TO_MONITOR, {"fault": "fail", "command": "stop"}, True)
    fault = tapped.records[-1]
    assert (fault.kind, fault.direction, fault.dialect) == (
        Kind.FAULT, Direction.TO_MONITOR, "text",
    )  # fmt: skip
    assert fault.fields == {"fault": "fail", "command": "stop", "reply_to": 3}
    assert (fault.raw, fault.seq, fault.time) == (None, 4, 1000.0)
    tapped.tap.to_client(b"= a\r\n= b\r\n+ OK info status completed\r\n")
    tapped.tap.fault(Direction.TO_CLIENT, {"fault": "split"}, True)
    assert tapped.records[-1].fields == {"fault": "split", "reply_to": 2}
    assert tapped.close().fields["bytes_to_monitor"] == len(b"info status\r\n")


def test_a_fault_that_was_done_to_nothing_that_was_heard(tapped: Tapped) -> None:
    tapped.tap.to_client(TEXT)
    tapped.tap.to_monitor(b"stop\r\n")
    tapped.tap.fault(Direction.TO_CLIENT, {"fault": "stall"})
    assert tapped.kinds == [Kind.GREETING, Kind.COMMAND, Kind.FAULT]
    assert tapped.records[-1].fields == {"fault": "stall"}
    tapped.tap.to_client(b"* EVENT stop\r\n")
    tapped.tap.fault(Direction.TO_CLIENT, {"fault": "split"}, True)
    assert tapped.records[-1].fields == {"fault": "split"}


def test_what_was_withheld_is_read_and_pairs_no_other_reply(tapped: Tapped) -> None:
    tapped.tap.to_client(TEXT)
    tapped.tap.to_monitor(b"info status\r\nstop\r\n")
    withheld = b"= running\r\n+ OK info status completed\r\n"
    tapped.tap.fault(Direction.TO_CLIENT, {"fault": "cut"}, False, withheld, 4)
    tapped.tap.to_client(b"+ OK stop completed\r\n")
    closed = tapped.close()
    fault, success = tapped.records[3:5]
    assert (fault.raw, fault.fields) == (withheld, {"fault": "cut", "reply_to": 2})
    assert (success.kind, success.fields["reply_to"]) == (Kind.SUCCESS, 3)
    assert closed.fields["bytes_to_client"] == len(TEXT) + 4 + len(b"+ OK stop completed\r\n")


@pytest.mark.parametrize(("withheld", "dialect"), [(TEXT, "text"), (JSON, "json")])
def test_a_greeting_that_was_withheld_tells_the_dialect(
    tapped: Tapped, withheld: bytes, dialect: str
) -> None:
    tapped.tap.to_monitor(b"stop\r\n")
    tapped.tap.fault(Direction.TO_CLIENT, {"fault": "drop"}, False, b" " + withheld)
    assert [r.dialect for r in tapped.records] == [dialect, dialect]
    assert tapped.records[-1].kind is Kind.FAULT


def test_a_fault_before_the_dialect_is_known(tapped: Tapped) -> None:
    tapped.tap.to_monitor(b"stop\r\n")
    tapped.tap.fault(Direction.TO_CLIENT, {"fault": "stall"}, True)
    assert [(r.kind, r.dialect, r.fields) for r in tapped.records] == [
        (Kind.FAULT, None, {"fault": "stall"})
    ]


def test_a_secret_that_was_withheld_is_hidden(tapped: Tapped) -> None:
    tapped.tap.to_client(JSON)
    tapped.tap.to_monitor(
        b'{"execute": "qom-get", "arguments": {"path": "/objects/s", "property": "password"}}'
    )
    tapped.tap.fault(Direction.TO_CLIENT, {"fault": "drop"}, False, b'{"return": "x"}\r\n')
    hidden = redact(tapped.records[-1])
    assert hidden.raw is None
    assert hidden.fields == {"fault": "drop", "reply_to": 2, "redacted": True}
    tapped.tap.fault(Direction.TO_CLIENT, {"fault": "drop"}, False, RESET)
    assert redact(tapped.records[-1]).raw == RESET


# Nothing is decoded.


def test_reads_are_recorded_as_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    tapped = Tapped(monkeypatch, decode=False)
    tapped.tap.opened()
    tapped.tap.to_client(TEXT[:10])
    tapped.tap.to_client(TEXT[10:] + b"= x\r\n")
    tapped.tap.to_monitor(b"sto")
    tapped.turn()
    tapped.close()
    assert tapped.kinds == [Kind.OPENED, *[Kind.UNDECODED] * 3, Kind.CLOSED]
    assert [r.raw for r in tapped.records[1:4]] == [TEXT[:10], TEXT[10:] + b"= x\r\n", b"sto"]
    assert {r.dialect for r in tapped.records} == {None}
    assert tapped.records[1].fields == {"problem": "not decoded: recorded as it came"}


def test_a_read_that_is_not_decoded_and_mentions_a_password_is_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tapped = Tapped(monkeypatch, decode=False)
    tapped.tap.to_monitor(b"stop\r\n")
    tapped.tap.to_monitor(b"set_password vnc hunter2\r\n")
    tapped.turn()
    assert [redact(r).raw for r in tapped.records] == [b"stop\r\n", b"[redacted 26 bytes]"]
