"""A journal is read line by line, and what is wrong with it is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journal.example import TIME
from txqmp.journal.record import Direction, Kind, Record, encode
from txqmp.journal.sources import Block
from txqmp.reports import check
from txqmp.reports.check import Checker

WHOLE = {
    "reason": "",
    "ended_by": "client",
    "bytes_to_monitor": 0,
    "bytes_to_client": 0,
}


def line(seq: int, kind: Kind, *, at: float = 0.0, **changes: Any) -> bytes:
    """A record, as many milliseconds after the first as its number unless told otherwise."""
    time = TIME + at if at else TIME + seq / 1000
    direction = {Kind.COMMAND: Direction.TO_MONITOR, Kind.CLOSED: None, Kind.OPENED: None}
    values: dict[str, Any] = {
        "time": time,
        "mono": 10 + time - TIME,
        "monitor": "vm1",
        "connection": 1,
        "direction": direction.get(kind, Direction.TO_CLIENT),
        "run": "0a1b2c3d",
        "dialect": "json",
        **changes,
    }
    return encode(Record(seq=seq, kind=kind, **values))


def command(seq: int, name: str = "stop", **changes: Any) -> bytes:
    return line(seq, Kind.COMMAND, fields={"command": name, "arguments": {}}, **changes)


def reply(seq: int, to: int | None, **changes: Any) -> bytes:
    fields: dict[str, Any] = {"return": {}}
    if to is not None:
        fields |= {"command": "stop", "reply_to": to, "latency": (seq - to) / 1000}
    return line(seq, Kind.SUCCESS, fields=fields, **changes)


def event(seq: int, **changes: Any) -> bytes:
    return line(seq, Kind.EVENT, fields={"event": "STOP"}, **changes)


def opened(seq: int = 1, **changes: Any) -> bytes:
    return line(seq, Kind.OPENED, fields={"upstream": "unix:m"}, **changes)


def closed(seq: int, **changes: Any) -> bytes:
    return line(seq, Kind.CLOSED, fields=WHOLE, **changes)


def checker() -> Checker:
    return Checker(lambda value: "", lambda record: "")


def findings(*lines: bytes, by: Checker | None = None) -> list[str]:
    by = by or checker()
    found = [*by.check(Block("j", 1, b"".join(lines))), *by.end()]
    return [f"{one.line}: {'note: ' * one.note}{one.what}: {one.text}" for one in found]


def test_a_whole_journal() -> None:
    by = checker()
    assert findings(opened(), command(2), event(3), reply(4, 2), closed(5), by=by) == []
    assert (by.records, by.connections) == (5, 1)


def test_lines_that_are_no_records_are_torn() -> None:
    assert findings(event(1), b'{"v":1,"ti\n', b"7\n", b"\n", event(2)[:-9]) == [
        "2: torn: not a line of JSON: Unterminated string starting at",
        "3: torn: not a JSON object",
        "5: torn: the last line was not finished",
    ]


def test_what_the_schema_says_is_told_and_the_record_is_looked_at_all_the_same() -> None:
    by = Checker(lambda value: "event is missing", lambda record: "raw is no event")
    assert findings(event(1), event(3), by=by) == [
        "1: schema: event is missing",
        "1: raw: raw is no event",
        "2: schema: event is missing",
        "2: raw: raw is no event",
        "2: missing: vm1#1: record 2 is missing before this one",
    ]
    assert by.problems == {"schema": 2, "raw": 2, "missing": 1}


def test_what_no_reader_takes_is_against_the_schema_whatever_that_says() -> None:
    assert findings(event(1).replace(b'"v":1', b'"v":2')) == [
        "1: schema: the record is of format 2; this txqmp reads formats up to 1"
    ]


def test_lost_records_are_counted_by_the_journal() -> None:
    told = {"lost": 3, "problem": "disk full"}
    gap = line(0, Kind.GAP, monitor="", connection=0, direction=None, fields=told)
    one = line(0, Kind.GAP, connection=0, direction=None, fields={**told, "lost": 1})
    assert findings(gap, one) == [
        "1: lost: 3 records lost here: disk full",
        "2: lost: 1 record lost here: disk full",
    ]


def test_a_logger_without_a_connection_has_lost_nothing() -> None:
    gap = line(2, Kind.GAP, direction=None, fields={"problem": "no connection: refused"})
    assert findings(opened(), gap) == [
        "2: note: lost: nothing was heard for a while: no connection: refused"
    ]


def test_numbers_that_are_missing_and_numbers_that_come_again() -> None:
    assert findings(event(1), event(3), event(7), event(7), event(5, at=0.1), event(8, at=0.2)) == [
        "2: missing: vm1#1: record 2 is missing before this one",
        "3: missing: vm1#1: records 4 to 6 are missing before this one",
        "4: order: vm1#1: seq 7 comes again",
        "5: order: vm1#1: seq 5 comes after 7",
    ]


def test_connections_are_told_apart() -> None:
    other = {"connection": 2}
    run = {"run": "ffffffff"}
    name = {"monitor": "vm2"}
    assert findings(event(1), event(1, **other), event(1, **run), event(1, **name), event(2)) == []


def test_a_journal_that_begins_in_the_middle() -> None:
    assert findings(event(5), reply(6, 3), event(7)) == [
        "1: note: missing: vm1#1 begins with seq 5: what was before stands elsewhere, if anywhere",
        "2: note: reply: the command of this success, seq 3, stands before the journal begins",
    ]


def test_time_goes_forward() -> None:
    assert findings(event(1), event(2, mono=5.0), event(3), event(4, time=TIME, mono=20.0)) == [
        "2: stamp: vm1#1: mono goes back by 5.001000 s",
        "4: note: stamp: vm1#1: the clock was set back by 0.003000 s",
    ]


def test_a_latency_is_what_the_stamps_say() -> None:
    lie = line(3, Kind.SUCCESS, fields={"reply_to": 2, "latency": 0.5})
    assert findings(event(1), command(2), lie) == [
        "3: stamp: latency is 0.500000 s, and 0.001000 s by the stamps"
    ]


def test_replies_that_answer_nothing() -> None:
    assert findings(command(1), reply(2, 1), reply(3, 1), reply(4, 2), reply(5, None)) == [
        "3: reply: reply_to 1 is no command that waits for a success",
        "4: reply: reply_to 2 is no command that waits for a success",
        "5: note: reply: a success that belongs to no command",
    ]


def test_output_may_come_as_often_as_it_likes() -> None:
    outputs = [
        line(seq, Kind.OUTPUT, fields={"text": "", "reply_to": to}) for seq, to in ((2, 1), (3, 1))
    ]
    stray = line(5, Kind.OUTPUT, fields={"text": "", "reply_to": 1})
    assert findings(command(1), *outputs, reply(4, 1), stray) == [
        "5: reply: reply_to 1 is no command that waits for an output"
    ]


def test_what_was_not_understood_may_be_answered_and_need_not() -> None:
    junk = {"fields": {"problem": "not JSON"}, "direction": Direction.TO_MONITOR}
    lines = [line(seq, Kind.UNDECODED, **junk) for seq in (1, 2)]
    assert findings(*lines, reply(3, 1)) == []


def test_commands_without_a_reply_are_told_of_where_they_stand() -> None:
    lines = [command(1, "cont"), command(2, "quit"), closed(3), command(1, "stop", connection=2)]
    assert findings(*lines) == [
        "1: note: unanswered: cont has no reply: the connection was closed",
        "2: note: unanswered: quit has no reply: the connection was closed",
        "4: note: unanswered: stop has no reply: the journal ends",
    ]


def test_text_commands_are_answered_in_their_order() -> None:
    text = {"dialect": "text"}
    lines = [command(1, "cont", **text), command(2, **text), reply(3, 2, **text)]
    assert findings(*lines) == ["3: unanswered: cont, seq 1, was passed over"]


def test_json_commands_are_not() -> None:
    assert findings(command(1), command(2), reply(3, 2), reply(4, 1)) == []


def test_the_commands_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "MAX_WAITING", 2)
    assert findings(command(1), command(2), command(3), reply(4, 1), reply(5, 3)) == [
        "4: reply: reply_to 1 is no command that waits for a success",
        "2: note: unanswered: stop has no reply: the journal ends",
    ]


def test_a_connection_that_is_over_is_forgotten() -> None:
    by = checker()
    for number in range(1, 4):
        assert findings(opened(connection=number), closed(2, connection=number), by=by) == []
    assert by.connections == 3
    assert not by._open


def test_a_command_that_met_with_a_fault_need_not_be_answered() -> None:
    fault = line(2, Kind.FAULT, fields={"fault": "drop", "rule": "r", "reply_to": 1})
    text = {"dialect": "text"}
    lines = [command(1, **text), fault, command(3, **text), reply(4, 3, **text), closed(5)]
    assert findings(*lines) == []
