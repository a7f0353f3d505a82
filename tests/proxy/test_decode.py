"""What goes by becomes messages, replies find their commands, and no byte is left out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import LoggedFailures
from txqmp.journal.record import Direction, Kind
from txqmp.proxy import decode, unanswered
from txqmp.proxy.decode import JSONDecoder, Message, Slot, TextDecoder, UnknownDecoder

TO_MONITOR, TO_CLIENT = Direction.TO_MONITOR, Direction.TO_CLIENT

TEXT_GREETING = b"+ OK QEMU 0.10.50 QMP 0.1\r\n"
JSON_GREETING = (
    b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""},'
    b' "capabilities": ["oob"]}}\r\n'
)


class Talk:
    """A conversation: what each said, and what was made of it."""

    def __init__(self, decoder: TextDecoder | JSONDecoder | UnknownDecoder) -> None:
        self.decoder = decoder
        self.messages: list[Message] = []
        self.slots: list[Slot] = []

    def client(self, *chunks: bytes) -> list[Any]:
        return self._say(TO_MONITOR, chunks)

    def monitor(self, *chunks: bytes) -> list[Any]:
        return self._say(TO_CLIENT, chunks)

    def _say(self, way: Direction, chunks: tuple[bytes, ...]) -> list[Any]:
        made = []
        for chunk in chunks:
            for message, answers in self.decoder.feed(way, chunk):
                self.messages.append(message)
                made.append(self._seen(message, answers))
        return made

    def _seen(self, message: Message, answers: Slot | None) -> Any:
        """Kind and fields; of a reply also the number of the command that it answers."""
        if message.slot is not None:
            self.slots.append(message.slot)
        what = (str(message.kind), *message.fields.values())
        return what if answers is None else (*what, self.slots.index(answers) + 1)

    def over(self) -> list[Any]:
        made = []
        for way in Direction:
            for message in self.decoder.finish(way):
                self.messages.append(message)
                made.append(self._seen(message, None))
        return made

    @property
    def sensitive(self) -> list[bool]:
        return [message.sensitive for message in self.messages]


@pytest.fixture
def text() -> Talk:
    talk = Talk(TextDecoder())
    assert talk.monitor(TEXT_GREETING) == [("greeting", "0.10.50", "0.1")]
    return talk


@pytest.fixture
def qmp() -> Talk:
    talk = Talk(JSONDecoder())
    assert talk.monitor(JSON_GREETING) == [("greeting", "7.2.22", ["oob"])]
    return talk


# QMP 0.1.


def test_every_kind_of_message(text: Talk) -> None:
    assert text.client(b'Set_Link "my nic" up\r\n') == [("command", "set_link", ["my nic", "up"])]
    assert text.monitor(b"+ OK set_link completed\r\n") == [("success", "set_link", 1)]
    assert text.client(b"info network\r\n") == [("command", "info", ["network"])]
    assert text.monitor(b"=   user.0: \r\n") == [("output", "  user.0: ", 2)]
    assert text.monitor(b"* EVENT reboot\r\n") == [("event", "reboot")]
    assert text.monitor(b"* EVENT stop reason=x\r\n") == [("event", "stop", "reason=x")]
    assert text.monitor(b"- ERR no network\r\n") == [("failure", "no network", 2)]
    assert text.client(b"foo\n") == [("command", "foo", [])]
    assert text.monitor(b"- BAD unknown command\r\n") == [("rejection", "unknown command", 3)]
    assert text.monitor(b"* news\r\n") == [("undecoded", "not an event")]
    assert text.monitor(b"?\r\n") == [("undecoded", "not a line of QMP 0.1")]
    assert text.client(b"\r\n") == [("undecoded", "empty line")]


def test_the_raw_bytes_hold_the_end_of_the_line(text: Talk) -> None:
    text.client(b"stop\r\n", b"cont\n", b"\r\n")
    assert [m.raw for m in text.messages[1:]] == [b"stop\r\n", b"cont\n", b"\r\n"]


def test_replies_belong_to_the_commands_in_their_order(text: Talk) -> None:
    text.client(b"stop\r\ncont\r\nquit\r\n")
    completions = b"+ OK cont completed\r\n- ERR x\r\n+ OK\r\n"
    assert [m[-1] for m in text.monitor(completions)] == [1, 2, 3]


@pytest.mark.parametrize("line", [b"st\xffop", b"st\x00op", b'info "', b"a\rb", b"x" * 50])
def test_what_the_server_rejects_has_its_place_in_the_order(
    line: bytes, text: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "MAX_MESSAGE", 40)
    talk = Talk(TextDecoder())
    talk.monitor(TEXT_GREETING)
    (undecoded,) = talk.client(line + b"\r\n")
    assert undecoded[0] == "undecoded"
    talk.client(b"stop\r\n")
    assert talk.monitor(b"- BAD no\r\n- ERR no\r\n") == [
        ("rejection", "no", 1),
        ("failure", "no", 2),
    ]


def test_an_overlong_line_has_one_place_however_many_pieces_it_comes_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decode, "MAX_MESSAGE", 40)
    talk = Talk(TextDecoder())
    pieces = [b"x" * 41, b"y" * 5, b"z\r\n"]
    assert talk.client(*pieces) == [("undecoded", "line too long")] * 3
    assert [m.raw for m in talk.messages] == pieces
    assert len(talk.slots) == 1
    assert talk.client(b"stop\r\n") == [("command", "stop", [])]


def test_an_empty_line_has_none(text: Talk) -> None:
    text.client(b"\r\n  \r\nstop\r\n")
    assert text.monitor(b"+ OK stop completed\r\n") == [("success", "stop", 1)]


def test_a_completion_that_nobody_waits_for_answers_nothing(text: Talk) -> None:
    assert text.monitor(b"= data\r\n+ OK stop completed\r\n") == [
        ("output", "data"),
        ("success", "stop"),
    ]


def test_an_unreadable_completion_ends_the_pairing_for_its_owner_is_not_guessed(
    text: Talk,
) -> None:
    text.client(b"stop\r\ncont\r\n")
    text.monitor(b"+ WELL stop completed\r\n")
    assert text.monitor(b"+ OK cont completed\r\n") == [("success", "cont")]
    text.client(b"quit\r\n")
    assert text.monitor(b"+ OK quit completed\r\n") == [("success", "quit")]


def test_an_unreadable_line_of_another_kind_does_not(text: Talk) -> None:
    text.client(b"stop\r\n")
    text.monitor(b"! what is this?\r\n")
    assert text.monitor(b"+ OK stop completed\r\n") == [("success", "stop", 1)]


def test_a_completion_that_is_too_long_ends_the_pairing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_MESSAGE", 40)
    talk = Talk(TextDecoder())
    talk.monitor(TEXT_GREETING)
    talk.client(b"stop\r\ncont\r\n")
    talk.monitor(b"= " + b"x" * 60, b"+ OK x completed\r\n")
    assert talk.monitor(b"+ OK stop completed\r\n") == [("success", "stop", 1)]
    talk.monitor(b"- ERR " + b"x" * 60 + b"\r\n")
    assert talk.monitor(b"- ERR no\r\n") == [("failure", "no")]


def test_the_first_line_is_the_greeting_and_no_other_is() -> None:
    talk = Talk(TextDecoder())
    assert talk.monitor(b"\r\n") == [("undecoded", "not a line of QMP 0.1")]
    talk.client(b"stop\r\n")
    assert talk.monitor(b"+ OK QEMU 9 QMP 1.0\r\n")[0][0] == "undecoded"
    assert talk.monitor(b"+ OK QEMU 0.10.50 QMP 0.1\r\n") == [
        ("success", "QEMU 0.10.50 QMP 0.1", 1)
    ]


def test_commands_and_lines_in_any_number_of_reads(text: Talk) -> None:
    assert text.client(b"st", b"op\r", b"\ncont\r\ninfo") == [
        ("command", "stop", []),
        ("command", "cont", []),
    ]
    assert text.client(b" status\r\n") == [("command", "info", ["status"])]


def test_what_was_not_ended_is_undecoded(text: Talk) -> None:
    text.client(b"info stat")
    text.monitor(b"= VM sta")
    assert text.over() == [("undecoded", "incomplete line")] * 2
    assert [m.raw for m in text.messages[-2:]] == [b"info stat", b"= VM sta"]


def test_nothing_is_left_of_lines_that_were_ended(text: Talk) -> None:
    text.client(b"info status\r\n")
    assert text.over() == []


# JSON QMP.


def test_every_kind_of_value(qmp: Talk) -> None:
    command = b'{"execute": "eject", "arguments": {"device": "cd"}, "id": 7}'
    assert qmp.client(command) == [("command", "eject", {"device": "cd"}, 7)]
    assert qmp.monitor(b'{"return": {}, "id": 7}\r\n') == [("success", {}, 7, 1)]
    assert qmp.client(b'{"exec-oob": "yank"}') == [("command", "yank", {}, True)]
    error = b'{"error": {"class": "GenericError", "desc": "no"}}\r\n'
    assert qmp.monitor(error) == [("failure", "no", "GenericError", 2)]
    event = b'{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 500000}}\r\n'
    assert qmp.monitor(event) == [("event", "STOP", 1.5)]
    assert qmp.monitor(b'{"event": "RESET", "data": {"guest": true}}') == [
        ("event", "RESET", {"guest": True})
    ]
    assert qmp.monitor(b'{"news": 1}')[0][0] == "undecoded"


def test_clients_end_a_command_with_its_brace(qmp: Talk) -> None:
    stop, cont = b'{"execute": "stop"}', b"{'execute': 'cont'}"
    assert qmp.client(stop + cont + stop[:9], stop[9:]) == [
        ("command", "stop", {}),
        ("command", "cont", {}),
        ("command", "stop", {}),
    ]
    assert [m.raw for m in qmp.messages[1:]] == [stop, cont, stop]


def test_a_monitor_may_print_prettily(qmp: Talk) -> None:
    qmp.client(b'{"execute": "query-name"}')
    pretty = json.dumps({"return": {"name": "vm1"}}, indent=4).encode() + b"\r\n"
    lines = pretty.splitlines(keepends=True)
    assert qmp.monitor(*lines) == [("success", {"name": "vm1"}, 1)]
    assert qmp.messages[-1].raw.strip() == pretty.strip()


IDS = ["a", 1, 1.5, True, None, [], [1, {"x": None}], {"n": "a"}, "", 0, False]


@pytest.mark.parametrize("id", IDS, ids=repr)
def test_an_id_may_be_any_value(qmp: Talk, id: Any) -> None:
    for each in [*IDS, id]:
        if each is not id:
            qmp.client(json.dumps({"execute": "other", "id": each}).encode())
    qmp.client(json.dumps({"execute": "mine", "id": id}).encode())
    (reply,) = qmp.monitor(json.dumps({"return": {}, "id": id}).encode())
    assert reply[-1] == len(IDS)


def test_a_number_may_come_back_in_another_form(qmp: Talk) -> None:
    qmp.client(b'{"execute": "stop", "id": 1.0}')
    assert qmp.monitor(b'{"return": {}, "id": 1}') == [("success", {}, 1, 1)]


def test_replies_find_their_commands_in_any_order(qmp: Talk) -> None:
    qmp.client(b'{"execute": "a", "id": 1}{"execute": "b"}{"exec-oob": "c", "id": 3}')
    assert qmp.monitor(b'{"return": {}, "id": 3}') == [("success", {}, 3, 3)]
    assert qmp.monitor(b'{"return": {}}') == [("success", {}, 2)]
    assert qmp.monitor(b'{"return": {}, "id": 1}') == [("success", {}, 1, 1)]


def test_of_two_commands_with_one_id_the_older_is_answered(qmp: Talk) -> None:
    qmp.client(b'{"execute": "a", "id": 1}{"execute": "b", "id": 1}')
    assert [m[-1] for m in qmp.monitor(b'{"return": {}, "id": 1}' * 2)] == [1, 2]


def test_a_reply_with_an_unknown_id_answers_nothing(qmp: Talk) -> None:
    qmp.client(b'{"execute": "a", "id": 1}')
    assert qmp.monitor(b'{"return": {}, "id": 2}{"return": {}}') == [
        ("success", {}, 2),
        ("success", {}),
    ]


def test_events_come_before_the_reply_of_the_command_that_caused_them(qmp: Talk) -> None:
    qmp.client(b'{"execute": "stop"}')
    assert qmp.monitor(b'{"event": "STOP"}\r\n{"return": {}}\r\n') == [
        ("event", "STOP"),
        ("success", {}, 1),
    ]


ERROR = b'{"error": {"class": "GenericError", "desc": "bad"}}\r\n'


@pytest.mark.parametrize("garbage", [b"]", b"{]}", b"help\n", b"17 ", b'{"id": 3}', b'{"a" "b"}'])
def test_an_error_without_an_id_answers_what_could_not_be_read(qmp: Talk, garbage: bytes) -> None:
    qmp.client(b'{"execute": "stop", "id": 1}')
    made = qmp.client(garbage)
    assert {kind for kind, *_ in made} == {"undecoded"}
    qmp.client(b'{"execute": "cont"}')
    # The reply of a command that was read never belongs to garbage.
    assert qmp.monitor(b'{"return": {}}')[0][-1] == len(qmp.slots)
    assert qmp.monitor(ERROR) == [("failure", "bad", "GenericError", 2)]


def test_garbage_that_comes_in_pieces_is_answered_once(qmp: Talk) -> None:
    qmp.client(b"HEL", b"LO", b" \r\n", b'{"execute": "stop"}')
    errors = qmp.monitor(ERROR + b'{"error": {"class": "E", "desc": "stop failed"}}')
    assert [error[-1] for error in errors] == [1, 2]


def test_white_space_is_no_command(qmp: Talk) -> None:
    assert qmp.client(b" " * 5000) == [("undecoded", "white space")]
    assert qmp.slots == []


def test_a_reply_that_is_too_long_ends_the_pairing_of_those_without_an_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decode, "MAX_MESSAGE", 50)
    talk = Talk(JSONDecoder())
    talk.client(b'{"execute": "a"}{"execute": "b"}{"execute": "c", "id": 1}')
    assert talk.monitor(b'{"return": "%b"}' % (b"x" * 50))[0][0] == "undecoded"
    assert talk.monitor(b'{"return": {}}') == [("success", {})]
    assert talk.monitor(b'{"return": {}, "id": 1}') == [("success", {}, 1, 3)]


def test_other_junk_of_a_monitor_does_not(qmp: Talk) -> None:
    qmp.client(b'{"execute": "stop"}')
    qmp.monitor(b" " * 5000, b"\xff\n", b'{"news": 1}')
    assert qmp.monitor(b'{"return": {}}') == [("success", {}, 1)]


def test_a_value_that_was_not_ended_is_undecoded(qmp: Talk) -> None:
    qmp.client(b'{"execute": "st')
    qmp.monitor(b'{"ret')
    assert qmp.over() == [("undecoded", "incomplete value")] * 2
    assert [m.raw for m in qmp.messages[-2:]] == [b'{"execute": "st', b'{"ret']


def test_a_number_ends_with_the_connection(qmp: Talk) -> None:
    qmp.client(b"17")
    assert qmp.over() == [("undecoded", "not a JSON object")]


# Neither.


def test_of_an_unknown_dialect_all_is_undecoded() -> None:
    talk = Talk(UnknownDecoder())
    assert (
        talk.client(b"\x00") == talk.monitor(b"SSH-2.0\r\n") == [("undecoded", "unknown dialect")]
    )
    assert talk.over() == []


# Secrets.


def test_the_answer_to_a_command_that_asks_for_a_secret_is_sensitive(text: Talk) -> None:
    text.client(b"info history\r\ninfo status\r\n")
    text.monitor(
        b"= 0: 'set_password vnc geheim'\r\n* EVENT stop\r\n+ OK info history completed\r\n"
    )
    text.monitor(b"= VM status: running\r\n+ OK info status completed\r\n")
    assert text.sensitive[3:] == [True, False, False, False, False]


SECRET = b'{"execute": "qom-get", "arguments": {"path": "/o", "property": "password"}, "id": 1}'


def test_so_is_its_answer_in_json(qmp: Talk) -> None:
    qmp.client(SECRET, b'{"execute": "query-name", "id": 2}')
    qmp.monitor(b'{"return": {"name": "a"}, "id": 2}', b'{"return": "geheim", "id": 1}')
    qmp.monitor(b'{"return": "geheim", "id": 1}')
    assert qmp.sensitive[3:] == [False, True, False]


def test_while_a_secret_is_awaited_any_answer_whose_command_is_not_known_may_be_it(
    qmp: Talk,
) -> None:
    qmp.client(SECRET)
    qmp.monitor(b'{"return": "geheim", "id": 2}', b"geheim ", b'{"return": "geheim", "id": 1}')
    qmp.monitor(b'{"return": "name", "id": 2}')
    assert qmp.sensitive[2:] == [True, True, True, False]


def test_and_so_may_an_answer_that_was_cut_off(text: Talk) -> None:
    text.client(b"info history\r\n")
    text.monitor(b"= 0: 'set_password vnc gehei")
    text.over()
    assert text.sensitive[-1]


# Bounds.


def test_too_many_unanswered_commands_end_the_pairing(
    text: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unanswered, "MAX_UNANSWERED", 3)
    text.client(b"a\r\nb\r\nc\r\n")
    assert text.monitor(b"+ OK a completed\r\n") == [("success", "a", 1)]
    text.client(b"d\r\n")
    assert text.monitor(b"+ OK b completed\r\n") == [("success", "b", 2)]
    text.client(b"e\r\nf\r\n")
    assert text.monitor(b"+ OK c completed\r\n") == [("success", "c")]
    text.client(b"g\r\n")
    assert text.monitor(b"= output\r\n") == [("output", "output")]


def test_a_secret_that_was_forgotten_is_still_one(
    text: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unanswered, "MAX_UNANSWERED", 3)
    text.client(b"info history\r\n", b"a\r\n" * 5)
    text.monitor(b"= geheim\r\n")
    assert text.sensitive[-1]


@pytest.mark.parametrize("make", [TextDecoder, JSONDecoder])
def test_no_more_is_held_than_a_message_may_have(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "MAX_MESSAGE", 10_000)
    talk = Talk(make())
    for number in range(1, 100):
        talk.client((b'"' if number == 1 else b"x") + b"x" * 999)
        held = 1000 * number - sum(len(m.raw) for m in talk.messages)
        assert held <= 10_000


# Whatever comes.


def test_a_fault_of_the_decoder_costs_the_pairing_and_no_byte(
    text: Talk, monkeypatch: pytest.MonkeyPatch, logged_failures: LoggedFailures
) -> None:
    text.client(b"stop\r\n")
    monkeypatch.setattr(decode, "reveals_secret", lambda command, arguments: 1 // 0)
    assert text.client(b"cont\r\nqu") == [("undecoded", "the decoder failed")]
    assert text.messages[-1].raw == b"cont\r\n"
    assert len(logged_failures.take(ZeroDivisionError)) == 1
    monkeypatch.undo()
    assert text.client(b"it\r\n") == [("command", "quit", [])]
    assert text.monitor(b"+ OK stop completed\r\n") == [("success", "stop")]


TEXT_PIECES = [
    b"stop\r\n", b"info network\n", b"\r\n", b"info history\r\n", b"\xff\n", b'"\r\n', b"a" * 70,
    TEXT_GREETING, b"= data\r\n", b"=\n", b"+ OK stop completed\r\n", b"- ERR no\r\n",
    b"- BAD no\n", b"* EVENT stop\r\n", b"* x\r\n", b"+ ?\r\n", b"\n", b"\r", b" ",
]  # fmt: skip
JSON_PIECES = [
    b'{"execute": "stop"}', b'{"execute": "a", "id": 1}', b"{'exec-oob': 'b', 'id': [null]}",
    SECRET, JSON_GREETING, b'{"return": {}}\r\n', b'{"return": [], "id": 1}', ERROR,
    b'{"event": "STOP"}', b'{"error": 1}', b"[[[", b"]", b"}", b"17", b"true", b"TRUE", b'"a',
    b"\xff", b"\x00", b"'", b"\\", b"\r\n", b"   ", b"," * 3, b'{"a": "' + b"x" * 70,
    b'{"execute": 5, "id": 1}', b'{"execute": "a", "id": 1e999}', b'{"execute": "\xff"}',
]  # fmt: skip


def streams(pieces: list[bytes]) -> st.SearchStrategy[list[tuple[bool, bytes]]]:
    piece = st.one_of(st.sampled_from(pieces), st.binary(max_size=20))
    return st.lists(st.tuples(st.booleans(), piece), max_size=25)


CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=10)


class Run:
    """What a decoder makes of a conversation, each part of it cut into pieces of some sizes."""

    def __init__(self, make: Any, said: list[tuple[bool, bytes]], cuts: list[int]) -> None:
        self.messages: dict[Direction, list[Message]] = {way: [] for way in Direction}
        self.decoded: list[Any] = []
        self._commands: list[Slot | None] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(decode, "MAX_MESSAGE", 60)
            self._decoder = make()
            self._run(said, itertools.cycle(cuts))

    def _run(self, said: list[tuple[bool, bytes]], cuts: Iterator[int]) -> None:
        for of_client, piece in said:
            way = TO_MONITOR if of_client else TO_CLIENT
            while piece:
                size = next(cuts)
                for message, answers in self._decoder.feed(way, piece[:size]):
                    self._keep(way, message, answers)
                piece = piece[size:]
        for way in Direction:
            for message in self._decoder.finish(way):
                self._keep(way, message, None)

    def _keep(self, way: Direction, message: Message, answers: Slot | None) -> None:
        self.messages[way].append(message)
        if message.kind is not Kind.UNDECODED:
            if message.slot is not None:
                self._commands.append(message.slot)
            owner: object = answers and "what could not be read"
            if answers in self._commands:
                owner = self._commands.index(answers)
            self.decoded.append((message.kind, message.fields, owner, message.sensitive))


def check_bytes(make: Any, said: list[tuple[bool, bytes]], cuts: list[int]) -> None:
    run = Run(make, said, cuts)
    for way in Direction:
        went_by = b"".join(piece for of_client, piece in said if of_client is (way is TO_MONITOR))
        assert b"".join(message.raw for message in run.messages[way]) == went_by


@given(said=streams(TEXT_PIECES), cuts=CUTS)
def test_the_raw_bytes_of_all_lines_are_what_went_by(
    said: list[tuple[bool, bytes]], cuts: list[int]
) -> None:
    check_bytes(TextDecoder, said, cuts)


@given(said=streams(JSON_PIECES), cuts=CUTS)
def test_the_raw_bytes_of_all_values_are_what_went_by(
    said: list[tuple[bool, bytes]], cuts: list[int]
) -> None:
    check_bytes(JSONDecoder, said, cuts)


WHOLE = [1_000_000]


@given(said=streams(TEXT_PIECES), cuts=CUTS)
def test_the_lines_do_not_depend_on_how_the_bytes_came(
    said: list[tuple[bool, bytes]], cuts: list[int]
) -> None:
    assert Run(TextDecoder, said, cuts).decoded == Run(TextDecoder, said, WHOLE).decoded


# Of garbage that comes at once a monitor may make more or fewer errors than of its pieces.
@given(said=streams([piece for piece in JSON_PIECES if piece is not ERROR]), cuts=CUTS)
def test_the_values_do_not_depend_on_how_the_bytes_came(
    said: list[tuple[bool, bytes]], cuts: list[int]
) -> None:
    assert Run(JSONDecoder, said, cuts).decoded == Run(JSONDecoder, said, WHOLE).decoded


# Command data in bulk.


def one_by_one(decoder: TextDecoder, way: Direction, data: bytes) -> list[tuple[Any, ...]]:
    """What is made of a chunk, each line on its own."""
    made = []
    for message, answers in decoder.feed(way, data):
        if message.lines == 1:
            made.append((message, answers and answers.command))
            continue
        lines = message.raw.splitlines(keepends=True)
        assert len(lines) == message.lines
        assert message.fields == {"text": lines[0][2:-2].decode()}
        for raw in lines:
            each = message._replace(fields={"text": raw[2:-2].decode()}, raw=raw, lines=1)
            made.append((each, answers and answers.command))
    return made


BULK = st.lists(
    st.sampled_from([
        b"= " + b"x" * 30 + b"\r\n", b"= y\r\n", b"= \r\n", b"=\r\n", b"=z\r\n", b"= lf\n",
        b"= \t\r\n", b"= \xff\r\n", b"= a\rb\r\n", b"* EVENT stop\r\n", b"+ OK info completed\r\n",
        b"- ERR no\r\n", b"\r\n", b"?\r\n", b" = y\r\n", b"= " + b"y" * 600 + b"\r\n",
    ]) | st.integers(1, 40).map(lambda n: b"= line\r\n" * n),
    max_size=30,
)  # fmt: skip
ASKED = st.lists(
    st.sampled_from([b"info a\r\n", b"info history\r\n", b"x\xff\r\n"]), max_size=6
).map(b"".join)


@given(ASKED, BULK, st.lists(st.integers(0, 3000), max_size=4), st.sampled_from([600, 10**6]))
def test_lines_taken_together_are_those_taken_one_by_one(
    asked: bytes, lines: list[bytes], cuts: list[int], limit: int
) -> None:
    data = b"".join(lines)
    at = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    chunks = [data[start:end] for start, end in itertools.pairwise(at)]
    made = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "MAX_MESSAGE", limit)
        for long in (1, 10**9):
            patch.setattr(decode, "_LONG", long)
            decoder = TextDecoder()
            decoder.feed(TO_CLIENT, TEXT_GREETING)
            decoder.feed(TO_MONITOR, asked)
            said = [each for chunk in chunks for each in one_by_one(decoder, TO_CLIENT, chunk)]
            made.append([(m._replace(slot=None), c) for m, c in said])
    assert made[0] == made[1]


def test_many_lines_of_one_read_are_one_message(text: Talk) -> None:
    text.client(b"info a\r\n")
    lines = b"= some line\r\n" * 100
    assert text.monitor(lines[5:] + b"* EVENT stop\r\n" + lines + b"+ OK info completed\r\n") == [
        ("undecoded", "not a line of QMP 0.1"),
        ("output", "some line", 1),
        ("event", "stop"),
        ("output", "some line", 1),
        ("success", "info", 1),
    ]
    assert [m.lines for m in text.messages[2:]] == [1, 99, 1, 100, 1]


@pytest.mark.parametrize(
    ("make", "command", "reply"),
    [
        (TextDecoder, b"%b\r\n", b"+ OK b completed\r\n"),
        (JSONDecoder, b'{"execute": "%b"}\n', b'{"return": {}}\r\n'),
    ],
)
def test_a_command_that_gets_no_answer(make: Any, command: bytes, reply: bytes) -> None:
    decoder = make()
    if make is TextDecoder:
        decoder.feed(TO_CLIENT, TEXT_GREETING)
    ((first, _),) = decoder.feed(TO_MONITOR, command % b"a")
    ((second, _),) = decoder.feed(TO_MONITOR, command % b"b")
    decoder.withdraw(first.slot)
    decoder.withdraw(first.slot)
    ((_, answers),) = decoder.feed(TO_CLIENT, reply)
    assert answers is second.slot
