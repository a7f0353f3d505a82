"""A glance tells what decoding tells, and finds the same lines torn."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.example import record
from txqmp.journal.glance import Glance, glance, glances
from txqmp.journal.reader import Torn
from txqmp.journal.record import Kind, Record, encode
from txqmp.journal.sources import Block

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIELDS: dict[str, Any] = {
    "command": "qom-get",
    "event": "STOP",
    "reply_to": 7,
    "latency": 0.000842,
    "class": "GenericError",
    "reason": "no such device",
    "lost": 3,
    "fault": "drop",
    "oob": True,
}
LINE = b'{"v":1,"time":"2026-11-22T10:00:00.123456Z","mono":12.5,"run":"r","monitor":"vm1",'
LINE += b'"connection":1,"seq":1,"kind":"event","event":"STOP"%s}\n'
PLAIN = LINE % b""


def block(*lines: bytes) -> Block:
    return Block("j.jsonl", 11, b"".join(lines))


def seen(*lines: bytes) -> list[Glance | Torn]:
    return list(glances(block(*lines)))


def agrees(one: Glance | Torn, entry: Record | Torn) -> None:
    if isinstance(one, Torn) or isinstance(entry, Torn):
        assert one == entry
        return
    assert one.time == EPOCH + timedelta(microseconds=round(entry.time * 1_000_000))
    envelope = ("mono", "run", "monitor", "connection", "seq", "kind", "direction", "dialect")
    for name in envelope:
        assert getattr(one, name) == getattr(entry, name), name
    assert one.raw == ("" if entry.raw is None else entry.raw.decode("latin-1"))
    assert (json.loads(bytes(one.peer)) if one.peer else None) == entry.peer
    for name in FIELDS:
        told = getattr(one, "reason_class" if name == "class" else name)
        there = entry.fields.get(name, False if name == "oob" else None)
        assert told == (None if there == math.inf else there), name


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("fields", [{}, FIELDS, {**FIELDS, "return": {"a": [1, {"b": None}]}}])
def test_it_tells_what_decoding_tells(kind: Kind, fields: dict[str, Any]) -> None:
    one = record(
        kind, fields=fields, peer={"path": "q.sock", "pid": 7}, dialect="json", raw=b"\xff\x00x\r\n"
    )
    here = block(encode(one))
    ((fast,), (entry,)) = list(glances(here)), list(here.entries())
    agrees(fast, entry)
    assert isinstance(entry, Record)
    agrees(glance(entry), entry)


def test_a_record_with_nothing_that_may_be_left_out() -> None:
    (one,) = seen(encode(record(Kind.GAP, dialect=None, raw=None)))
    assert isinstance(one, Glance)
    assert (one.direction, one.dialect, one.raw, bytes(one.peer)) == (None, None, "", b"")


ODD = {
    "another zone": PLAIN.replace(b"23456Z", b"23456+02:00"),
    "a time without a zone": PLAIN.replace(b"23456Z", b"23456"),
    "no time": PLAIN.replace(b"10:00", b"xx:00"),
    "a newer format": PLAIN.replace(b'"v":1', b'"v":2'),
    "format nought": PLAIN.replace(b'"v":1', b'"v":0'),
    "no version": PLAIN.replace(b'"v":1,', b""),
    "an unknown kind": PLAIN.replace(b'"kind":"event"', b'"kind":"nosuch"'),
    "a number that is true": PLAIN.replace(b'"seq":1', b'"seq":true'),
    "a fraction for a number": PLAIN.replace(b'"seq":1', b'"seq":1.0'),
    "an integer for seconds": PLAIN.replace(b"12.5", b"12"),
    "no bytes": LINE % b',"raw":"\\u0100"',
    "bytes": LINE % b',"raw":"\\u00ff"',
    "half a character": LINE % b',"id":"\\ud800"',
    "half a character in a name": LINE.replace(b"STOP", b"\\ud800") % b"",
    "a huge number": LINE % b',"reply_to":123456789012345678901234567890',
    "an infinite latency": LINE % b',"latency":1e999',
    "not a number": LINE % b',"x":NaN',
    "not UTF-8": LINE % b',"x":"\xff"',
    "UTF-8": LINE % b',"x":"\xc3\xa9"',
    "too deep": LINE % (b',"x":' + b"[" * 5000 + b"]" * 5000),
    "two in a line": PLAIN.strip() + PLAIN,
    "on two lines": PLAIN.replace(b',"kind"', b',\n"kind"'),
    "an empty line": b"\n",
    "an empty line of another system": b"\r\n",
    "a carriage return inside": PLAIN.replace(b",", b",\r", 1),
    "words": b"what is this\n",
    "no object": b"[1]\n",
    "nulls": b"\0" * 40 + b"\n",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_what_is_odd_is_what_it_is_when_decoded(odd: bytes) -> None:
    here = block(PLAIN, odd, PLAIN)
    entries = list(here.entries())
    ones = list(glances(here))
    assert len(ones) == len(entries)
    for one, entry in zip(ones, entries, strict=True):
        agrees(one, entry)


@pytest.mark.parametrize(
    ("field", "value"),
    [("command", 5), ("latency", "x"), ("latency", True), ("reply_to", 1.5), ("oob", 1)],
)
def test_a_field_of_a_strange_type_is_left_out(field: str, value: object) -> None:
    (one,) = seen(encode(record(fields={field: value, "event": "STOP"})))
    assert isinstance(one, Glance)
    assert getattr(one, field) == (False if field == "oob" else None)
    assert one.event == "STOP"


@pytest.mark.parametrize(("seconds", "year"), [(-7e10, 1), (-5.0, 1969), (3e11, 9999)])
def test_a_time_that_datetime_does_not_know_is_the_next_it_does(seconds: float, year: int) -> None:
    assert glance(record(time=seconds)).time.year == year


def test_a_line_that_is_no_record_has_its_number() -> None:
    ones = seen(PLAIN, b"\n", b"torn\n", PLAIN, PLAIN[:50])
    torn = [one for one in ones if isinstance(one, Torn)]
    assert [(one.path, one.line_number) for one in torn] == [("j.jsonl", 13), ("j.jsonl", 15)]
    assert torn[1].problem == "the last line was not finished"
    assert len(ones) == 4


@given(st.data())
def test_whatever_happens_to_a_journal_it_agrees(data: st.DataObject) -> None:
    journal = bytearray(b"".join([LINE % b',"raw":"{\\"event\\": 1}\\r\\n"', PLAIN, PLAIN]))
    for _ in range(data.draw(st.integers(1, 3))):
        journal[data.draw(st.integers(0, len(journal) - 1))] = data.draw(st.integers(0, 255))
    here = Block("j.jsonl", 1, bytes(journal))
    for one, entry in zip(glances(here), here.entries(), strict=True):
        agrees(one, entry)
