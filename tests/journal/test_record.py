from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.journal.example import TIME, record
from txqmp.errors import JournalError
from txqmp.journal.record import SCHEMA, Direction, Kind, Record, decode, encode, iso_time

ENVELOPE = {
    *("v", "time", "mono", "run", "monitor", "connection", "seq"),
    *("peer", "direction", "dialect", "kind", "raw"),
}
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4)
    ),
    max_leaves=12,
)
field_names = st.text(st.characters()).filter(lambda name: name not in ENVELOPE)
microseconds = st.integers(0, (1 << 32) * 1_000_000)
"""Until 2106: a float of seconds does not hold later ones exactly."""

records = st.builds(
    Record,
    time=microseconds.map(lambda n: n / 1_000_000),
    mono=st.integers(0, 10**13).map(lambda n: n / 1_000_000),
    monitor=st.text(st.characters()),
    connection=st.integers(0, 10**9),
    seq=st.integers(0, 10**9),
    kind=st.sampled_from(Kind),
    fields=st.dictionaries(field_names, json_values, max_size=5),
    peer=st.none() | st.dictionaries(st.text(st.characters()), json_values, max_size=3),
    direction=st.none() | st.sampled_from(Direction),
    dialect=st.sampled_from([None, "text", "json"]),
    raw=st.none() | st.binary(max_size=300),
    run=st.text("0123456789abcdef", min_size=8, max_size=8),
)


@settings(deadline=None)
@given(records)
def test_a_record_comes_back_as_it_was_written(written: Record) -> None:
    assert decode(encode(written)) == written


@settings(deadline=None)
@given(records)
def test_a_record_is_one_line_of_ascii(written: Record) -> None:
    line = encode(written)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.endswith(b"}\n")
    assert b"\r" not in line


def test_the_line_of_the_documentation() -> None:
    line = encode(
        record(
            Kind.COMMAND,
            seq=2,
            dialect="text",
            peer={"address": "127.0.0.1", "port": 4444},
            fields={"command": "stop", "arguments": []},
            raw=b"stop\r\n",
            run="0a1b2c3d",
        )
    )
    assert line == (
        b'{"v":1,"time":"2026-11-22T10:00:00.123456Z","mono":12.5,"run":"0a1b2c3d",'
        b'"monitor":"vm1","connection":1,"seq":2,"peer":{"address":"127.0.0.1","port":4444},'
        b'"direction":"to-monitor","dialect":"text","kind":"command",'
        b'"command":"stop","arguments":[],"raw":"stop\\r\\n"}\n'
    )


def test_what_is_none_is_left_out() -> None:
    line = json.loads(encode(record(Kind.OPENED, fields={"upstream": "unix:x"})))
    assert {"peer", "direction", "dialect", "raw"}.isdisjoint(line)


def test_a_null_of_the_peer_is_kept() -> None:
    assert json.loads(encode(record(fields={"id": None})))["id"] is None


def test_each_character_of_raw_is_a_byte() -> None:
    line = json.loads(encode(record(raw=bytes(range(256)))))
    assert line["raw"].encode("latin-1") == bytes(range(256))


def test_sensitive_is_not_written() -> None:
    assert b"sensitive" not in encode(record(sensitive=True))


def test_mono_is_rounded_to_microseconds() -> None:
    assert json.loads(encode(record(mono=1.23456789)))["mono"] == 1.234568


@pytest.mark.parametrize("name", sorted(ENVELOPE))
def test_a_field_cannot_pose_as_the_envelope(name: str) -> None:
    with pytest.raises(JournalError, match=name):
        encode(record(fields={name: "forged"}))


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -1.0, 253_402_300_799.0], ids=["nan", "inf", "-1", "9999"]
)
def test_a_time_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="out of range"):
        iso_time(value)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_number_that_json_lacks_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(record(fields={"id": value}))


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1.9999999, "1970-01-01T00:00:02.000000Z"),
        (951_782_400.5, "2000-02-29T00:00:00.500000Z"),
        (TIME, "2026-11-22T10:00:00.123456Z"),
    ],
)
def test_time_is_iso_8601_in_utc(time: float, text: str) -> None:
    assert iso_time(time) == text


def changed(**changes: Any) -> bytes:
    value = json.loads(encode(record(dialect="text", raw=b"x", run="0a1b2c3d", peer={})))
    value.update(changes)
    return json.dumps({k: v for k, v in value.items() if v is not ...}).encode()


def test_unknown_keys_are_kept_as_fields() -> None:
    assert decode(changed(colour="green")).fields["colour"] == "green"


def test_a_time_of_another_zone_is_understood() -> None:
    assert decode(changed(time="2026-11-22T12:00:00.123456+02:00")).time == TIME


def test_a_newer_format_is_refused_by_name() -> None:
    with pytest.raises(JournalError, match=f"format {SCHEMA + 1}; .* up to {SCHEMA}"):
        decode(changed(v=SCHEMA + 1))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"", "not a line of JSON"),
        (b"{", "not a line of JSON"),
        (b'{"v":1}x', "not a line of JSON"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "not a line of JSON"),
        (b'{"v":' + b"9" * 5000 + b"}", "not a line of JSON"),
        (b'{"v":1,"mono":NaN}', "NaN is not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "no version"),
        (changed(v=True), "no version"),
        (changed(v=0), "no version"),
        (changed(v="1"), "no version"),
        (changed(time=...), "it has no time"),
        (changed(time=12), "its time is of the wrong type"),
        (changed(time="yesterday"), "Invalid isoformat"),
        (changed(time="2026-11-22T10:00:00"), "no zone"),
        (changed(mono="1"), "its mono is of the wrong type"),
        (changed(mono=10**400), "too large"),
        (changed(run=None), "it has no run"),
        (changed(monitor=1), "its monitor is of the wrong type"),
        (changed(connection=True), "its connection is of the wrong type"),
        (changed(seq=1.5), "its seq is of the wrong type"),
        (changed(kind="rumour"), "'rumour'"),
        (changed(peer="me"), "its peer is of the wrong type"),
        (changed(direction="up"), "'up'"),
        (changed(dialect="morse"), "unknown dialect"),
        (changed(raw="\u0100"), "latin-1"),
        (changed(raw=1), "its raw is of the wrong type"),
    ],
)
def test_what_is_not_a_record_is_refused(line: bytes, problem: str) -> None:
    with pytest.raises(JournalError) as refused:
        decode(line)
    assert problem in str(refused.value)
    assert len(str(refused.value)) < 300
