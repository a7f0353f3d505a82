"""Lines that are written at a glance are those that would be written with care."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.journal.example import json_command, json_reply, record, text_command, text_output
from tests.journal.test_record import records
from tests.journal.test_redact import HOSTILE
from txqmp.journal import lines as lines_module
from txqmp.journal.lines import Liner
from txqmp.journal.record import Entry, Kind, Record, Run, decode, encode
from txqmp.journal.redact import redact

RUN = "0a1b2c3d"


def with_care(given: Record, redacting: bool = True) -> bytes:
    given = replace(given, run=RUN)
    return encode(redact(given) if redacting else given)


@pytest.mark.parametrize("case", HOSTILE)
def test_what_must_be_hidden_is_hidden(case: str) -> None:
    assert Liner(RUN, True).lines([HOSTILE[case]]) == [with_care(HOSTILE[case])]


def test_a_batch_of_good_and_bad() -> None:
    liner = Liner(RUN, True)
    batch = [each for bad in HOSTILE.values() for each in (text_command("stop"), bad)]
    for _ in range(2):
        assert liner.lines(batch) == [with_care(each) for each in batch]


@settings(deadline=None)
@given(st.lists(records, max_size=6), st.booleans())
def test_any_batch(batch: list[Record], redacting: bool) -> None:
    liner = Liner(RUN, redacting)
    expected = [with_care(each, redacting) for each in batch]
    for _ in range(2):
        assert liner.lines(batch) == expected


def test_what_is_remembered_is_not_mixed_up() -> None:
    # The fields of the one look like the raw bytes of the other.
    same = record(fields={"event": "X"}, raw=b'{"event":"X"}')
    liner = Liner(RUN, True)
    other = [
        record(raw=b'{"event":"X"}'),
        record(fields={"event": "X"}),
        record(raw=b"{}"),
        record(),
    ]
    for _ in range(2):
        assert liner.lines([same, *other]) == [with_care(each) for each in [same, *other]]


def test_a_sensitive_record_is_no_other_though_it_looks_so() -> None:
    liner = Liner(RUN, True)
    plain, sensitive = text_output("x"), text_output("x", sensitive=True)
    assert liner.lines([plain, sensitive]) == [with_care(plain), with_care(sensitive)]
    assert b'"raw"' not in liner.lines([sensitive])[0]


def test_harmless_fields_do_not_vouch_for_raw_nor_raw_for_fields() -> None:
    liner = Liner(RUN, True)
    good = json_command("stop")
    said = replace(good, raw=b'{"execute":"stop","password":"hunter2"}')
    told = replace(good, fields={"command": "stop", "id": {"password": "hunter2"}})
    for batch in ([good, said, told], [said], [told]):
        assert b"hunter2" not in b"".join(liner.lines(batch))


@pytest.mark.parametrize("redacting", [True, False])
@pytest.mark.parametrize(
    "value",
    [None, math.nan, "\x7f", "null", "\u00e9", 2**70, {"a": [None]}, (1, 2)],
    ids=repr,
)
def test_what_is_written_one_way_only(value: Any, redacting: bool) -> None:
    given = json_reply(value) if value is not math.nan else record(fields={"return": value})
    if value is math.nan:
        (line,) = Liner(RUN, redacting).lines([given])
        assert "not JSON compliant" in decode(line).fields["problem"]
    else:
        assert Liner(RUN, redacting).lines([given]) == [with_care(given, redacting)]


def test_undecoded_bytes_with_nuls_between_the_letters() -> None:
    given = record(Kind.UNDECODED, fields={"problem": "x"}, raw="password x".encode("utf-16-le"))
    (line,) = Liner(RUN, True).lines([given])
    assert decode(line).raw == b"[redacted 20 bytes]"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "_REMEMBERED", 1000)
    liner = Liner(RUN, True)
    for number in range(100):
        given = text_output(f"{number:050d}")
        assert liner.lines([given]) == [with_care(given)]
    assert sum(map(len, liner._told)) < 2000
    assert len(liner._said) < 30


def test_the_place_of_a_record_is_its_own() -> None:
    one, other = {"path": "/a"}, {"path": "/b"}
    batch = [
        record(peer=one, seq=1), record(peer=other, seq=2), record(peer=None, seq=3),
        record(peer=one, connection=2), record(peer=one, monitor="vm2"), record(peer=one, time=5.0),
        record(peer=one, time=5.0, mono=7.0), record(peer=one, time=4.999999), record(peer={}),
    ]  # fmt: skip
    assert Liner(RUN, True).lines(batch) == [with_care(each) for each in batch]


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**13), min_size=2, max_size=5))
def test_each_time_is_its_own(microseconds: list[int]) -> None:
    batch = [record(time=n / 1e6, mono=n / 1e6) for n in microseconds]
    lines = map(decode, Liner(RUN, True).lines(batch))
    assert [(line.time, line.mono) for line in lines] == [(each.time, each.mono) for each in batch]


@pytest.mark.parametrize("changes", [{"time": math.nan}, {"time": -1.0}, {"mono": math.inf}])
def test_a_record_beyond_help_is_left_out(changes: dict[str, float]) -> None:
    batch = [record(seq=1), record(seq=2, **changes), record(seq=3)]
    assert [decode(line).seq for line in Liner(RUN, True).lines(batch)] == [1, 3]


# Many lines of command data, taken together.

WORDS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
ODD = st.sampled_from(
    ["", " ", "\\", '"', "\\r\\n= ", "x\\", "null", "password=hunter2", "a: key=1", "[redacted]"]
)
TEXTS = st.lists(WORDS | ODD, min_size=2, max_size=80)


def run_of(texts: list[str], **changes: Any) -> Run:
    raw = b"".join(b"= %b\r\n" % text.encode() for text in texts)
    more = {"command": changes.pop("command", "info"), "reply_to": 7, **changes.pop("more", {})}
    joint = text_output(texts[0], seq=9, peer={"path": "/p"}, **changes)
    return Run(replace(joint, fields={"text": texts[0], **more}, raw=raw), len(texts))


@settings(deadline=None)
@given(TEXTS, st.booleans(), st.sampled_from(["info", "qom-list", "x\x7f", "\u00e9"]))
def test_a_run_is_written_as_its_records_are(
    texts: list[str], redacting: bool, command: str
) -> None:
    run = run_of(texts, command=command)
    records = run.records()
    assert [each.raw for each in records] == [f"= {text}\r\n".encode() for text in texts]
    assert [each.fields["text"] for each in records] == texts
    expected = b"".join(with_care(each, redacting) for each in records)
    assert Liner(RUN, redacting).text([run]) == (expected, len(texts), 0)


@settings(deadline=None)
@given(TEXTS)
def test_half_a_run_is_a_run(texts: list[str]) -> None:
    run = run_of(texts)
    one, other = run.halves()
    assert one.count + other.count == run.count
    assert one.records() + other.records() == run.records()


def test_one_secret_in_a_long_run_is_hidden() -> None:
    texts = [f"line {number}" for number in range(1000)]
    texts[700] = "password=hunter2"
    run = run_of(texts)
    data, count, lost = Liner(RUN, True).text([run])
    assert (count, lost) == (1000, 0)
    assert b"hunter2" not in data
    assert data == b"".join(with_care(each) for each in run.records())


def test_runs_and_records_stay_in_their_order() -> None:
    first, last = text_command("info mtree"), text_command("stop")
    harmless, suspect = run_of(["a"] * 5), run_of(["password=x"] * 5, more={"link": 3})
    entries: list[Entry] = [first, harmless, last, suspect, suspect, harmless, last]
    one_by_one = [
        each for entry in entries for each in ([entry] if isinstance(entry, Record) else
                                               entry.records())
    ]  # fmt: skip
    expected = b"".join(map(with_care, one_by_one))
    assert Liner(RUN, True).text(entries) == (expected, len(one_by_one), 0)


def test_a_run_that_answers_what_asked_for_a_secret_is_not_written() -> None:
    data, count, _ = Liner(RUN, True).text([run_of(["geheim"] * 5, sensitive=True)])
    assert (count, b"geheim" in data) == (5, False)


@pytest.mark.parametrize("changes", [{"time": math.nan}, {"more": {"seq": 1}}])
def test_a_run_beyond_help_is_treated_as_its_records_are(changes: dict[str, Any]) -> None:
    run = run_of(["a"] * 40, **changes)
    lines = Liner(RUN, True).lines(run.records())
    entries = [text_command("stop"), run]
    data, count, lost = Liner(RUN, True).text(entries)
    assert (count, lost) == (len(lines) + 1, 40 - len(lines))
    assert data.endswith(b"".join(lines))
