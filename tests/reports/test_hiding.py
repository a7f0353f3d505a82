"""An old journal becomes what the proxy would have written without --no-redact."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from tests.journal.example import record
from tests.journal.test_record import records
from tests.journal.test_redact import SECRET
from tests.journal.test_redact import hostile as secrets
from tests.reports.sessions import session
from txqmp.journal.lines import Liner
from txqmp.journal.record import Entry, Kind, Record, decode, encode
from txqmp.journal.sources import Block
from txqmp.proxy.reread import disagreement
from txqmp.proxy.tap import Tap
from txqmp.reports import hiding
from txqmp.reports.check import Checker
from txqmp.reports.hiding import Hider
from txqmp.reports.schema import Validator

TEXT = b"+ OK QEMU 0.10.50 QMP 0.1\r\n"
JSON = (
    b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""},'
    b' "capabilities": []}}\r\n'
)


def hidden(lines: bytes, **settings: bool) -> bytes:
    hider = Hider(**settings)
    return b"".join(map(hider.line, lines.splitlines(keepends=True)))


class Conversation:
    """A conversation as a proxy would journal it, with and without its secrets."""

    def __init__(self, greeting: bytes) -> None:
        self._clock = Clock()
        self._open, self._redacted = Liner("0a1b2c3d", False), Liner("0a1b2c3d", True)
        self.whole = self.redacted = b""
        self.tap = Tap(
            self._take, self._clock, monitor="vm1", connection=1, peer={}, upstream="unix:m"
        )
        self.tap.opened()
        self.monitor(greeting)

    def _take(self, entries: list[Entry]) -> None:
        self.whole += self._open.text(entries)[0]
        self.redacted += self._redacted.text(entries)[0]

    def client(self, data: bytes) -> None:
        self.tap.to_monitor(data)
        self._clock.advance(1)

    def monitor(self, data: bytes) -> None:
        self.tap.to_client(data)
        self._clock.advance(1)


def json_talk(talk: Conversation) -> None:
    talk.client(b'{"execute": "qom-get", "arguments": {"path": "/s", "property": "data"}, "id": 1}')
    talk.client(b'{"execute": "query-status", "id": 2}')
    talk.monitor(b'{"return": {"status": "running"}, "id": 2}\r\n')
    talk.monitor(b'hunter2\r\n{"return": "hunter2"}\r\n')
    talk.monitor(b'{"return": "hunter2", "id": 1}\r\n{"return": {}, "id": 9}\r\n')
    talk.monitor(b"is no JSON\r\n")
    talk.client(b'{"execute": "set_password", "arguments": {"password": "hunter2"}}')
    talk.monitor(b'{"error": {"class": "GenericError", "desc": "set_password hunter2"}}\r\n')
    talk.client(b'{"execute": "object-add", "arguments": {"qom-type": "secret", "data": "hunter2"')
    talk.client(b"]}\xff")
    talk.client(
        b'{"execute": "human-monitor-command", "arguments": {"command-line":"info history"}}'
    )
    talk.monitor(b'{"return": "0: \'change vnc password hunter2\'\\r\\n"}\r\n')


def text_talk(talk: Conversation) -> None:
    talk.client(b"info history\r\ninfo status\r\n")
    talk.monitor(b"= 0: 'info vnc hunter2'\r\n= 1\r\n= 2\r\n= 3\r\n+ OK info history completed\r\n")
    talk.monitor(b"= VM status: running\r\n+ OK info status completed\r\n")
    talk.client(b"change vnc password hunter2\r\nqom_get /s data\r\n")
    talk.monitor(b"- ERR hunter2 is no password=hunter2\r\n- BAD hunter2\r\n")


@pytest.mark.parametrize(("greeting", "talk"), [(JSON, json_talk), (TEXT, text_talk)])
def test_it_is_what_the_proxy_would_have_written(greeting: bytes, talk: Any) -> None:
    conversation = Conversation(greeting)
    talk(conversation)
    conversation.tap.closed("it is over", "client")
    assert b"hunter2" in conversation.whole
    assert hidden(conversation.whole) == conversation.redacted


@pytest.mark.parametrize(("greeting", "talk"), [(JSON, json_talk), (TEXT, text_talk)])
def test_what_the_proxy_wrote_redacted_stays_byte_for_byte(greeting: bytes, talk: Any) -> None:
    conversation = Conversation(greeting)
    talk(conversation)
    conversation.tap.closed("it is over", "client")
    assert hidden(conversation.redacted) == conversation.redacted


# What is too deep cannot be written; of a reply alone nobody knows that a secret was asked for.
RECORDED = [(what, one) for what, one in secrets() if what != "too deep" and not one.sensitive]


@pytest.mark.parametrize(("what", "one"), RECORDED, ids=[what for what, _ in RECORDED])
def test_no_secret_is_left(what: str, one: Record) -> None:
    once = hidden(encode(one))
    assert SECRET.encode() not in once
    assert decode(once.rstrip()).fields["redacted"] is True
    assert hidden(once) == once


def reply(seq: int, to: int, command: str = "qom-get") -> Record:
    fields = {"return": SECRET, "command": command, "reply_to": to, "latency": 0.0}
    raw = b'{"return": "hunter2"}\r\n'
    return record(Kind.SUCCESS, seq=seq, dialect="json", fields=fields, raw=raw)


def asking(seq: int, name: str = "data", **changes: Any) -> Record:
    fields = {"command": "qom-get", "arguments": {"path": "/s", "property": name}}
    return record(Kind.COMMAND, seq=seq, dialect="json", fields=fields, **changes)


def is_left(*said: Record) -> list[bool]:
    """Of each record, whether the secret is still there."""
    hider = Hider()
    return [SECRET.encode() in hider.line(encode(one)) for one in said]


def test_a_reply_whose_command_is_not_there_may_be_a_secret() -> None:
    assert is_left(
        reply(2, 1), reply(3, 1, "query-name"), reply(4, 1, "human-monitor-command")
    ) == [*(False, True, False)]


def test_a_second_reply_to_the_same_command_may_be_one_too() -> None:
    assert is_left(asking(1, "type"), reply(2, 1), reply(3, 1)) == [False, True, False]


def test_a_reply_that_belongs_to_nothing_is_hidden_while_a_secret_is_waited_for() -> None:
    stray = reply(2, 1)
    stray.fields.pop("reply_to")
    assert is_left(stray, asking(1), stray, reply(3, 1), stray) == [True, *[False] * 3, True]


def test_connections_are_told_apart() -> None:
    other = replace(asking(1, "type"), connection=2)
    assert is_left(asking(1), other, replace(reply(2, 1), connection=2), reply(2, 1)) == [
        *(False, False, True, False)
    ]


def test_a_command_that_stands_there_twice_asked_once() -> None:
    stray = reply(3, 1)
    stray.fields.pop("reply_to")
    assert is_left(asking(1), asking(1), reply(2, 1), stray) == [*[False] * 3, True]


def test_what_a_connection_asked_for_is_forgotten_with_it() -> None:
    over = record(Kind.CLOSED, seq=2)
    stray = reply(1, 1)
    stray.fields.pop("reply_to")
    assert is_left(asking(1), over, stray) == [False, False, True]


def test_what_is_too_much_to_remember_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hiding, "MAX_WAITING", 2)
    plain = [asking(seq, "type") for seq in (2, 3)]
    assert is_left(asking(1), *plain, reply(4, 3), reply(5, 1, "query-name")) == [
        *[False] * 3,
        *(True, False),
    ]


def test_a_secret_that_a_fault_kept_back_is_hidden() -> None:
    fault = replace(reply(2, 1), kind=Kind.FAULT)
    assert is_left(asking(1), fault, reply(3, 1, "query-name")) == [False, False, True]
    assert is_left(asking(1, "type"), fault) == [False, True]


def test_lines_that_are_no_records_are_left_out_and_counted() -> None:
    hider = Hider()
    line = encode(record(fields={"event": "STOP"}))
    assert hider.line(b'{"v":1,"password":"hunter2"\n') == b""
    assert hider.line(line[:-20]) == b""
    assert hider.line(b"\n") == b""
    assert hider.line(line) == line
    assert (hider.records, hider.changed, hider.dropped) == (1, 0, 2)


def test_the_first_of_two_keys_of_one_name_is_not_kept() -> None:
    line = encode(record(fields={"event": "STOP"}))
    twice = line.replace(b'"event":', b'"event":"hunter2","event":')
    assert decode(twice.rstrip()).fields == {"event": "STOP"}
    hider = Hider()
    assert hider.line(twice) == line
    assert hider.changed == 1


def test_what_is_plain_stays_byte_for_byte_odd_as_it_is() -> None:
    line = b' {"kind":"event", ' + encode(record(fields={"event": "STOP"}))[1:-2] + b" }\n"
    line = line.replace(b'"kind":"event",', b"", 1)
    assert hidden(line) == line


def test_the_last_line_gets_its_end() -> None:
    line = encode(record(fields={"event": "STOP"}))
    assert hidden(line[:-1]) == line


def test_who_the_clients_were() -> None:
    said = hidden(b"".join(map(encode, session("text"))), peers=False)
    for line in said.splitlines():
        value = json.loads(line)
        assert "peer" not in value
        assert value["redacted"] is True
    assert b"machine:" not in said
    assert hidden(said, peers=False) == said


def test_without_the_bytes() -> None:
    said = hidden(b"".join(map(encode, session("secrets"))), raw=False)
    assert b'"raw"' not in said
    assert said.count(b'"redacted":true') == 26
    assert hidden(said, raw=False) == said


lines = st.lists(records.map(encode) | st.binary(max_size=40), max_size=5).map(b"\n".join)


@given(lines, st.booleans(), st.booleans())
def test_twice_is_as_good_as_once(journal: bytes, peers: bool, raw: bool) -> None:
    once = hidden(journal, peers=peers, raw=raw)
    assert hidden(once, peers=peers, raw=raw) == once


SAID_IN_JSON = [
    b'{"execute": "qom-get", "arguments": {"path": "/", "property": "key"}}',
    b"}",
    b'{"return": "hunter2"}\r\n',
    b'{"return": {}, "id": 1}\r\n',
    b"password\xff\r\n",
    b'{"execute": "query-status", "id": 1}',
    b'{"event": "STOP"}\r\n',
    b'{"execute": "set_password", "arguments": {"password": "hunter2"}, "id": 1}',
    b'{"error": {"class": "a", "desc": "set_password hunter2"}, "id": 1}\r\n',
    JSON,
]
SAID_IN_TEXT = [
    b"info history\r\n",
    b"= 1 hunter2\r\n" * 5,
    b"+ OK info history completed\r\n",
    b"change vnc password hunter2\r\n",
    b"- ERR password=hunter2\r\n",
    b"stop\r\n",
    b'a "b\r\n',
    b"- BAD\xff\r\n",
    b"* EVENT stop\r\n",
    TEXT,
]
spoken = st.one_of(
    st.tuples(st.just(greeting), st.lists(st.tuples(st.booleans(), st.sampled_from(words))))
    for greeting, words in ((JSON, SAID_IN_JSON), (TEXT, SAID_IN_TEXT))
)


def conversation(greeting: bytes, said: list[tuple[bool, bytes]]) -> Conversation:
    held = Conversation(greeting)
    for by_client, data in said:
        (held.client if by_client else held.monitor)(data)
    held.tap.closed("it is over", "client")
    return held


def test_a_completion_of_an_unknown_text_command_is_no_secret() -> None:
    # The line that cannot be read may have been an answer: none is paired after it.
    said = [
        (False, b"- BAD\xff\r\n"),
        (True, b"info history\r\n"),
        (False, b"+ OK info history completed\r\n"),
    ]
    held = conversation(TEXT, said)
    assert hidden(held.whole) == held.redacted


@given(spoken)
def test_whatever_was_said_it_is_what_the_proxy_would_have_written(
    said: tuple[bytes, list[tuple[bool, bytes]]],
) -> None:
    held = conversation(*said)
    assert hidden(held.whole) == held.redacted
    assert hidden(held.redacted) == held.redacted


@given(spoken, st.booleans(), st.booleans())
def test_whatever_was_said_the_journal_is_whole_before_and_after(
    said: tuple[bytes, list[tuple[bool, bytes]]], peers: bool, raw: bool
) -> None:
    held = conversation(*said)
    for journal in (held.whole, hidden(held.whole, peers=peers, raw=raw)):
        checker = Checker(Validator().problem, disagreement)
        found = [*checker.check(Block("j", 1, journal)), *checker.end()]
        assert [one for one in found if not one.note] == []
