"""The fields of a record are what its bytes say, or that is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.journal.example import json_command, json_reply, record, text_command, text_output
from txqmp.journal.record import Kind, Record
from txqmp.proxy.reread import disagreement

GREETING = {"qemu": "0.10.50", "qmp": "0.1"}


def said(kind: Kind, raw: bytes, dialect: str, **fields: Any) -> Record:
    return record(kind, dialect=dialect, raw=raw, fields=fields)


AGREE = [
    json_command("stop", {}, id=7),
    json_reply({"a": [1.5, None]}),
    text_command("set_link foo down"),
    text_output("  user.0: "),
    said(Kind.GREETING, b"+ OK QEMU 0.10.50 QMP 0.1\r\n", "text", **GREETING),
    said(Kind.EVENT, b"* EVENT stop\r\n", "text", event="stop"),
    said(Kind.SUCCESS, b"+ OK stop completed\r\n", "text", completed="stop", reply_to=1),
    said(Kind.EVENT, b'{"event": "STOP"}\r\n', "json", event="STOP"),
    said(Kind.EVENT, b'{"event": "STOP"}', "json", event="STOP", link=4, descriptors=1),
]
DISAGREE = [
    ("raw says otherwise of command", said(Kind.COMMAND, b"stop\r\n", "text", command="cont")),
    (
        "raw says otherwise of id",
        replace(json_command("stop", {}), raw=b'{"execute": "stop", "id": 1}'),
    ),
    ("raw says otherwise of return", replace(json_reply({}), raw=b'{"return": {"a": 1}}')),
    ("raw is no event", said(Kind.EVENT, b"+ OK stop completed\r\n", "text", event="stop")),
    ("raw is 2 messages", said(Kind.EVENT, b"* EVENT a\r\n* EVENT b\r\n", "text", event="a")),
    ("raw is 0 messages", said(Kind.EVENT, b"", "json", event="a")),
    ("raw is no success", replace(json_reply({}), raw=b'{"retu')),
]


@pytest.mark.parametrize("one", AGREE, ids=lambda one: f"{one.dialect} {one.kind}")
def test_they_are(one: Record) -> None:
    assert disagreement(one) == ""


@pytest.mark.parametrize(("where", "one"), DISAGREE, ids=[where for where, _ in DISAGREE])
def test_they_are_not(where: str, one: Record) -> None:
    assert disagreement(one) == where


@pytest.mark.parametrize(
    "one",
    [
        said(Kind.EVENT, b"", "text", event="a", redacted=True),
        said(Kind.COMMAND, b"stop\r\n", "text", problem="the decoded fields cannot be written"),
        said(Kind.UNDECODED, b"?", "json", problem="not JSON"),
        record(Kind.EVENT, dialect="json", fields={"event": "a"}),
        record(Kind.EVENT, raw=b"?", fields={"event": "a"}),
        record(Kind.CLOSED, raw=b"?", dialect="json"),
    ],
)
def test_where_that_cannot_be_told_nothing_is(one: Record) -> None:
    assert disagreement(one) == ""


def test_a_completion_is_no_greeting_even_if_it_looks_like_one() -> None:
    line = b"+ OK QEMU 0.10.50 QMP 0.1\r\n"
    completed = said(Kind.SUCCESS, line, "text", completed="QEMU 0.10.50 QMP 0.1")
    assert disagreement(completed) == ""
    greeting = replace(completed, kind=Kind.GREETING, fields=GREETING)
    assert disagreement(greeting) == ""
