"""Bytes to messages, reading half: what QEMU 7.2 sends and takes, and everything else."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from txqmp import codec
from txqmp.errors import InvalidCommand, ProtocolViolation
from txqmp.jsonqmp.grammar import (
    ABSENT,
    Command,
    Event,
    Failure,
    Greeting,
    JSONObject,
    Success,
    parse_command,
    parse_server_message,
    write_command,
)
from txqmp.jsonqmp.values import Value, ValueSplitter


def read(raw: bytes) -> tuple[type, object]:
    """A server's message and its kind: named tuples of two kinds can be equal."""
    message = parse_server_message(raw)
    return type(message), message


def problem_of(raw: bytes, parse: Any = parse_command) -> str:
    """Why something cannot be read; the violation holds the bytes themselves."""
    with pytest.raises(ProtocolViolation) as caught:
        parse(raw)
    assert caught.value.line == raw
    return caught.value.problem


# What a server says


def test_greeting() -> None:
    raw = (
        b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, '
        b'"package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}\r\n'
    )
    fields: JSONObject = {
        "version": {
            "qemu": {"micro": 22, "minor": 2, "major": 7},
            "package": "Debian 1:7.2+dfsg-7+deb12u18+b3",
        },
        "capabilities": ["oob"],
    }
    greeting = Greeting("7.2.22", "Debian 1:7.2+dfsg-7+deb12u18+b3", ("oob",), fields)
    assert read(raw) == (Greeting, greeting)


def test_greeting_without_a_package() -> None:
    raw = (
        b'{"QMP": {"version": {"qemu": {"major": 9, "minor": 0, "micro": 1}}, "capabilities": []}}'
    )
    greeting = parse_server_message(raw)
    assert greeting[:3] == ("9.0.1", "", ())


@pytest.mark.parametrize(
    "qmp",
    [
        "1",
        "{}",
        '{"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}}',
        '{"version": {"qemu": {"major": 7, "minor": 2}, "package": ""}, "capabilities": []}',
        '{"version": {"qemu": {"major": 7, "minor": 2, "micro": true}}, "capabilities": []}',
        '{"version": {"qemu": {"major": 7, "minor": 2, "micro": "0"}}, "capabilities": []}',
        '{"version": {"qemu": {"major":7, "minor":2,"micro":0}, "package": 1}, "capabilities": []}',
        '{"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}, "capabilities": {}}',
        '{"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}, "capabilities": [1]}',
    ],
)
def test_no_greeting(qmp: str) -> None:
    problem_of(b'{"QMP": %b}' % qmp.encode(), parse_server_message)


@pytest.mark.parametrize(
    ("raw", "success"),
    [
        (b'{"return": {}}\r\n', Success({})),
        (
            b'{"return": {"running": true}, "id": "libvirt-7"}',
            Success({"running": True}, "libvirt-7"),
        ),
        (b'{"id": 0, "return": ["a", 1, 2.5]}', Success(["a", 1, 2.5], 0)),
        (b'{"return": null, "id": {"a": [1]}}', Success(None, {"a": [1]})),
        (b'{"return": "", "more": 1}', Success("")),
    ],
)
def test_success(raw: bytes, success: Success) -> None:
    assert read(raw) == (Success, success)


def test_an_id_may_be_null_and_that_is_not_none() -> None:
    assert parse_server_message(b'{"return": {}, "id": null}') == Success({}, None)
    assert parse_server_message(b'{"return": {}, "id": null}') != Success({}, ABSENT)


def test_failure() -> None:
    raw = (
        b'{"id": 4, "error": {"class": "CommandNotFound", "desc": "The command nope has not been '
        b'found", "more": 1}}\r\n'
    )
    failure = Failure("CommandNotFound", "The command nope has not been found", 4)
    assert read(raw) == (Failure, failure)


def test_failure_without_an_id() -> None:
    raw = b'{"error": {"class": "GenericError", "desc": "JSON parse error, expecting value"}}\r\n'
    message = parse_server_message(raw)
    assert isinstance(message, Failure)
    assert message.id is ABSENT


@pytest.mark.parametrize(
    "error", [b"1", b"{}", b'{"class": "GenericError"}', b'{"class": "GenericError", "desc": 1}']
)
def test_no_failure(error: bytes) -> None:
    problem_of(b'{"error": %b}' % error, parse_server_message)


def test_event() -> None:
    raw = (
        b'{"timestamp": {"seconds": 1795342861, "microseconds": 879541}, "event": "SHUTDOWN", '
        b'"data": {"guest": false, "reason": "host-qmp-quit"}, "more": 1}\r\n'
    )
    data: JSONObject = {"guest": False, "reason": "host-qmp-quit"}
    assert read(raw) == (Event, Event("SHUTDOWN", data, 1795342861.879541))


def test_event_without_data_or_time() -> None:
    assert read(b'{"event": "STOP"}') == (Event, Event("STOP", {}, None))


def test_event_of_a_server_whose_clock_failed() -> None:
    raw = b'{"event": "STOP", "timestamp": {"seconds": -1, "microseconds": -1}}'
    assert parse_server_message(raw) == Event("STOP", {}, None)


@pytest.mark.parametrize(
    "members",
    [
        '"event": 1',
        '"event": "STOP", "data": []',
        '"event": "STOP", "data": null',
        '"event": "STOP", "timestamp": 17',
        '"event": "STOP", "timestamp": {"seconds": 17}',
        '"event": "STOP", "timestamp": {"seconds": true, "microseconds": 0}',
        '"event": "STOP", "timestamp": {"seconds": 17, "microseconds": "0"}',
        f'"event": "STOP", "timestamp": {{"seconds": 1{"0" * 400}, "microseconds": 0}}',
        f'"event": "STOP", "timestamp": {{"seconds": 17, "microseconds": 1{"0" * 400}}}',
    ],
)
def test_no_event(members: str) -> None:
    problem_of(f"{{{members}}}".encode(), parse_server_message)


@pytest.mark.parametrize(
    "raw", [b"{}", b'{"id": 1}', b'{"return": {}, "error": {}}', b'{"event": "STOP", "return": 1}']
)
def test_a_server_message_is_of_one_kind(raw: bytes) -> None:
    assert problem_of(raw, parse_server_message) == "not one of greeting, return, error and event"


# What a client says


def test_command() -> None:
    raw = b' {"execute": "device_del", "arguments": {"id": "net0"}, "id": 7}\r\n'
    assert parse_command(raw) == Command("device_del", {"id": "net0"}, 7, False)


def test_command_with_nothing_but_a_name() -> None:
    assert parse_command(b'{"execute": "stop"}') == Command("stop", {}, ABSENT, False)


def test_command_out_of_band() -> None:
    raw = b'{"exec-oob": "migrate-pause", "id": null}'
    assert parse_command(raw) == Command("migrate-pause", {}, None, True)


def test_unknown_members_of_a_command_are_passed_over() -> None:
    assert parse_command(b'{"execute": "stop", "control": {}}').name == "stop"


def test_the_last_of_two_members_of_a_name_counts() -> None:
    assert parse_command(b'{"execute": "stop", "id": 1, "id": 2}').id == 2


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"id": 1}',
        b'{"execute": 5}',
        b'{"execute": "stop", "exec-oob": "stop"}',
        b'{"execute": "stop", "arguments": []}',
        b'{"execute": "stop", "arguments": null}',
    ],
)
def test_no_command(raw: bytes) -> None:
    problem_of(raw)


# Strings, as QEMU takes them


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb"'single'", "single"),
        (rb"''", ""),
        (rb"""'say "yes"'""", 'say "yes"'),
        (rb"""'say \"yes\"'""", 'say "yes"'),
        (rb"'it\'s'", "it's"),
        (rb'"it\'s"', "it's"),
        (rb'"it\\\'s"', "it\\'s"),
        (rb"'\\'", "\\"),
        (rb"'\n\u00e9\/'", "\né/"),
        (b"'\xc3\xa9'", "é"),
        (rb"""{"a": "it is 'plain'", "b": 'x'}""", {"a": "it is 'plain'", "b": "x"}),
        (rb"""['"', "'", '\'']""", ['"', "'", "'"]),
    ],
)
def test_quotes(text: bytes, value: object) -> None:
    assert parse_command(b"{'execute': 'x', 'id': %b}" % text).id == value


def test_double_quotes_need_no_translation() -> None:
    assert parse_command(b'{"execute": "x", "id": "it\'s"}').id == "it's"


@pytest.mark.parametrize("text", [b"'a", b"'a\"", b"\"a'", b"'a\\'", b"'\\x'", b"'a'b'", b"'a\nb'"])
def test_no_string(text: bytes) -> None:
    assert problem_of(b"{'execute': 'x', 'id': %b}" % text).startswith("not JSON: ")


def test_surrogate_pairs_are_one_character() -> None:
    assert parse_command(rb'{"execute": "x", "id": "\ud83d\ude00"}').id == "\U0001f600"


def test_an_escaped_backslash_is_no_escape() -> None:
    assert parse_command(rb'{"execute": "x", "id": "\\ud800"}').id == "\\ud800"


@pytest.mark.parametrize(
    "text",
    [rb'"\ud800"', rb'"\uDFFF"', rb"'\ude00\ud83d'", rb'{"\ud800": 1}', b'"\xc3"', b'"\xff"'],
)
def test_what_is_not_unicode(text: bytes) -> None:
    assert problem_of(b'{"execute": "x", "id": %b}' % text) == "not Unicode text"


def test_encoded_surrogates_are_not_unicode() -> None:
    assert problem_of(b'{"execute": "\xed\xa0\x80"}') == "not Unicode text"


# What is no JSON at all


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" \r\n",
        b"{",
        b'{"execute": "stop"} {}',
        b'{"execute": "stop",}',
        b'{"execute": "stop" "id": 1}',
        b'\xef\xbb\xbf{"execute": "stop"}',
        '{"execute": "stop"}'.encode("utf-16"),
        b'{"execute": "stop", "id": NaN}',
        b'{"execute": "stop", "id": -Infinity}',
        b'{"execute": "stop", "id": inf}',
        b"{'execute': 'stop', 'id': Infinity}",
        b"'execute",
    ],
)
def test_no_json(raw: bytes) -> None:
    assert problem_of(raw).startswith(("not JSON: ", "not Unicode text"))


@pytest.mark.parametrize("raw", [b"[]", b"null", b'"execute"', b"1"])
def test_no_object(raw: bytes) -> None:
    assert problem_of(raw) == "not a JSON object"


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"1" * 5000])
def test_numbers_out_of_range(number: bytes) -> None:
    assert problem_of(b'{"execute": "x", "id": %b}' % number) == "a number out of range"


def test_large_numbers() -> None:
    raw = b'{"execute": "x", "id": [18446744073709551615, -9223372036854775808, 1.5e300]}'
    assert parse_command(raw).id == [2**64 - 1, -(2**63), 1.5e300]


@pytest.mark.parametrize("parse", [parse_command, parse_server_message])
def test_nested_too_deeply(parse: Any) -> None:
    depth = 100_000
    assert problem_of(b"[" * depth + b"]" * depth, parse) == "nested too deeply"


# Any bytes

NAMES = st.sampled_from(["execute", "exec-oob", "arguments", "id", "return", "error", "event"])
NAMES |= st.sampled_from(["data", "timestamp", "seconds", "QMP", "version", "qemu", "class"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
)
LIKE_MESSAGES = st.builds(lambda value: json.dumps(value).encode(), JSON)


@given(LIKE_MESSAGES | st.binary(), st.integers(0, 50), st.binary(max_size=2))
@example(b'{"event": "STOP", "timestamp": {"seconds": 1e400}}', 0, b"")
@example(b"{'a': '\\", 50, b"")
def test_nothing_else_is_raised(raw: bytes, place: int, added: bytes) -> None:
    raw = raw[:place] + added + raw[place:]
    with suppress(ProtocolViolation):
        parse_command(raw)
    with suppress(ProtocolViolation):
        parse_server_message(raw)


def in_single_quotes(text: str) -> str:
    """A string as QEMU also takes it."""
    return "'" + json.dumps(text)[1:-1].replace("'", r"\'").replace(r"\"", '"') + "'"


def by_both(raw: bytes) -> list[str]:
    """How a reply is read with orjson, where it is installed, and without."""
    ways = []
    for loads in (codec._fast_loads, None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(codec, "_fast_loads", loads)
            try:
                ways.append(repr(parse_server_message(raw)))
            except ProtocolViolation as violation:
                ways.append(violation.problem)
    return ways


@pytest.mark.parametrize(
    "value",
    [
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
        "[1000000000000000000, 10000000000000000000000]",
        "0.12345678901234567890123",
        "1e999",
        "-1e999",
        "1e-999",
        "-0",
        "-0.0",
        "01",
        "1.",
        "NaN",
        "-Infinity",
        '"\\ud800"',
        '"\\ud83d\\ude00 \\\\ud800"',
        '"\\u0000 \x7f"',
        '"\x01"',
        "'single'",
        '"\\\'"',
        '{"a": 1, "a": 2}',
        "1 2",
        "\v1",
        "[1,]",
        "[" * 3000 + "]" * 3000,
    ],
)
def test_two_ways_to_read(value: str) -> None:
    first, second = by_both(f' {{"return": {value}, "id": 1}}\r\n'.encode())
    assert first == second


@pytest.mark.parametrize("value", [b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b"\xef\xbb\xbf1"])
def test_two_ways_to_read_what_is_no_text(value: bytes) -> None:
    first, second = by_both(b'{"return": %b, "id": 1}' % value)
    assert first == second


@given(st.integers(0, 40), st.integers(-(10**25), 10**25))
def test_whole_numbers_stay_whole_wherever_they_stand(blanks: int, number: int) -> None:
    raw = b'{"return":%b%d,"id":1}' % (b" " * blanks, number)
    assert parse_server_message(raw) == Success(number, 1)
    assert by_both(raw)[0] == by_both(raw)[1]


TEXTS = st.text(st.sampled_from("\"'\\a\n") | st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(TEXTS, st.booleans()), min_size=1))
def test_quotes_of_both_kinds_side_by_side(texts: list[tuple[str, bool]]) -> None:
    written = [in_single_quotes(text) if single else json.dumps(text) for text, single in texts]
    raw = f"{{'execute': 'x', 'id': [{', '.join(written)}]}}".encode()
    assert parse_command(raw).id == [text for text, _ in texts]


# Commands, written


@pytest.mark.parametrize(
    ("command", "raw"),
    [
        (Command("stop", {}), b'{"execute":"stop"}'),
        (Command("stop", {}, 7, True), b'{"exec-oob":"stop","id":7}'),
        (Command("stop", {}, None), b'{"execute":"stop","id":null}'),
        (
            Command("eject", {"id": "é", "force": True}, 1),
            b'{"execute":"eject","id":1,"arguments":{"id":"\\u00e9","force":true}}',
        ),
    ],
)
def test_a_command_is_written_in_few_bytes(command: Command, raw: bytes) -> None:
    assert write_command(*command) == raw


SENT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=4),
)
COMMANDS = st.builds(
    Command, TEXTS, st.dictionaries(TEXTS, SENT, max_size=4), SENT | st.just(ABSENT), st.booleans()
)


@given(COMMANDS)
def test_a_command_that_is_written_is_read_as_it_was(command: Command) -> None:
    raw = write_command(*command)
    assert parse_command(raw) == command
    assert ValueSplitter().feed(raw) == [Value(raw)]


@pytest.mark.parametrize(
    "arguments",
    [
        {"a": float("nan")},
        {"a": [float("-inf")]},
        {"a": b"bytes"},
        {("a",): 1},
        {"a": "\ud800"},
        {"\udfff": 1},
        {"a": "\ud83d\ude00"},
        [1],
        "text",
    ],
)
def test_what_cannot_be_written(arguments: Any) -> None:
    with pytest.raises(InvalidCommand, match="'eject' cannot be written as JSON"):
        write_command("eject", arguments)


@pytest.mark.parametrize("name", ["\ud800", 5, None])
def test_a_name_that_cannot_be_written(name: Any) -> None:
    with pytest.raises(InvalidCommand, match="cannot be written as JSON"):
        write_command(name, {}, 1)


def test_nor_a_number_without_end_or_a_list_in_itself() -> None:
    endless: list[Any] = []
    endless.append(endless)
    for value in (10**5000, endless):
        with pytest.raises(InvalidCommand):
            write_command("eject", {"a": value})
