"""A journal as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.test_record import records
from tests.reports.sessions import GOLDEN, HOSTILE, hostile, session
from txqmp.journal.record import Kind, Record
from txqmp.reports.rows import Chosen
from txqmp.reports.table import write_records, write_spans

Write = Callable[[Iterable[Record], Chosen | None, BinaryIO], None]


def written(write: Write, said: Iterable[Record], chosen: Chosen | None = None) -> bytes:
    out = io.BytesIO()
    write(said, chosen, out)
    return out.getvalue()


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


@pytest.mark.parametrize("name", ["text", "secrets"])
def test_a_row_for_each_command(name: str) -> None:
    assert written(write_spans, session(name)) == (GOLDEN / f"{name}.spans.csv").read_bytes()


def test_a_row_for_each_record() -> None:
    assert written(write_records, session("text")) == (GOLDEN / "text.records.csv").read_bytes()


def test_what_a_row_says() -> None:
    command = rows(written(write_spans, session("secrets")))[1]
    assert command["command"] == "query-status"
    assert json.loads(command["answer"])["status"] == "running"
    assert command["outcome"] == "success"
    assert float(command["latency"]) > 0


def test_the_bytes_can_be_had_again() -> None:
    said = session("secrets")
    for row, record in zip(rows(written(write_records, said)), said, strict=True):
        raw = json.loads(row["raw"]).encode("latin-1") if row["raw"] else None
        assert raw == record.raw
        assert json.loads(row["fields"]) == record.fields


def test_a_filter_keeps_a_command_whole() -> None:
    chosen = rows(written(write_spans, session("secrets"), lambda one: "class" in one.fields))
    assert [row["command"] for row in chosen] == ["device_del", "set_password", "", ""]
    assert json.loads(chosen[0]["arguments"]) == {"id": "net9"}


def test_a_filter_of_records() -> None:
    events = rows(written(write_records, session("text"), lambda one: one.kind is Kind.EVENT))
    assert [row["event"] for row in events] == ["stop", "cont", "shutdown"]


def test_a_number_is_no_formula() -> None:
    reply = next(one for one in session("secrets") if one.seq == 6)
    reply.fields["return"] = -5
    (row,) = rows(written(write_spans, [reply]))
    assert row["answer"] == "-5"


@pytest.mark.parametrize("write", [write_records, write_spans])
def test_nothing_that_a_peer_sends_is_run_by_a_spreadsheet(write: Write) -> None:
    for row in rows(written(write, [one for one in hostile() if one.kind is not Kind.UNDECODED])):
        for name, cell in row.items():
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), name


def test_a_formula_is_told_by_an_apostrophe() -> None:
    (row, *_) = rows(written(write_spans, hostile()))
    assert row["command"] == "'" + HOSTILE.encode("utf-8", "backslashreplace").decode("utf-8")


@given(st.sampled_from([write_records, write_spans]), st.lists(records, max_size=4))
def test_whatever_was_recorded_can_be_written(write: Write, said: list[Record]) -> None:
    written(write, said)
