"""How a server reads: QEMU's rules, and its words for what is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txqmp.errors import ProtocolViolation
from txqmp.jsonqmp.grammar import ABSENT, Command
from txqmp.jsonqmp.request import MAX_DEPTH, parse_request, read
from txqmp.jsonqmp.values import SKIPPED, Junk, Value, ValueSplitter

CHARACTERS = st.characters(exclude_categories=["Cs"]).filter(
    lambda c: not (ord(c) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(c) <= 0xFDEF)
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(CHARACTERS), inner),
    max_leaves=15,
)


def outcomes(raw: bytes, max_depth: int = MAX_DEPTH) -> list[object]:
    """Values, and the words for what is wrong."""
    return [m.problem if isinstance(m, ProtocolViolation) else m for m in read(raw, max_depth)]


@given(VALUES, st.booleans())
@settings(max_examples=60)
def test_what_json_writes_is_read(value: object, ascii_only: bool) -> None:
    assert outcomes(json.dumps(value, ensure_ascii=ascii_only).encode()) == [value]


TOKENS = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"'", b'"a"', b"1", b"-", b"0", b".", b"e", b"true",
    b" ", b"\n", b"\x00", b"\xff", b"A", b"\\", b"\xc3", b"\xc3\xa9", b'{"a":1}', b"\\u12",
]  # fmt: skip


@given(st.lists(st.sampled_from(TOKENS), max_size=12), st.data())
@settings(max_examples=150)
def test_reader_and_splitter_agree(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cut = data.draw(st.integers(0, len(stream)))
    splitter = ValueSplitter()
    pieces = splitter.feed(stream[:cut]) + splitter.feed(stream[cut:])
    for piece in pieces:
        found = [*read(piece.raw)]
        if isinstance(piece, Value):
            assert len(found) == 1
        elif piece.problem is not SKIPPED:
            assert all(isinstance(message, ProtocolViolation) for message in found)


def test_a_request() -> None:
    raw = b'{"execute": "device_del", "arguments": {"id": "x"}, "id": [1]}'
    assert parse_request(raw) == Command("device_del", {"id": "x"}, [1])


def test_an_out_of_band_request() -> None:
    assert parse_request(b"{'exec-oob': 'yank'}") == Command("yank", {}, ABSENT, True)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"[]", "QMP input must be a JSON object"),
        (b"{}", "QMP input lacks member 'execute'"),
        (b'{"execute": 1}', "QMP input member 'execute' must be a string"),
        (b'{"exec-oob": 1}', "QMP input member 'exec-oob' must be a string"),
        (
            b'{"execute": "a", "exec-oob": "b"}',
            "QMP input member 'exec-oob' clashes with 'execute'",
        ),
        (b'{"execute": "a", "arguments": 1}', "QMP input member 'arguments' must be an object"),
        (b'{"execute": "a", "x": 1}', "QMP input member 'x' is unexpected"),
        (b'{"execute": "a", "execute": "a"}', "JSON parse error, duplicate key"),
    ],
)
def test_what_is_no_request(raw: bytes, problem: str) -> None:
    with pytest.raises(ProtocolViolation) as raised:
        parse_request(raw)
    assert raised.value.problem == problem


def test_without_negotiation_out_of_band_is_unexpected() -> None:
    with pytest.raises(ProtocolViolation, match="'exec-oob' is unexpected"):
        parse_request(b'{"exec-oob": "yank"}', oob=False)


def test_white_space_is_no_message() -> None:
    with pytest.raises(ProtocolViolation, match="not a message"):
        parse_request(b" \n")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"[1,]", "expecting value"),
        (b"{1:2}", "key is not a string in object"),
        (b'{"a" 1}', "missing : in object pair"),
        (b'{"a":1 2}', "expected separator in dict"),
        (b"[1 2]", "expected separator in list"),
        (b"{]", "expecting value"),
        (b"nul", "invalid keyword 'nul'"),
        (b"01", "stray '01'"),
        (b"1.e5", "stray '1.e'"),
        (b"-x", "stray '-x'"),
        (b'"ab\n', "stray '\"ab\n'"),
        (b'"a\x00', "stray '\"a'"),
        (b"\xff", "stray '\N{REPLACEMENT CHARACTER}'"),
        (b'"\\x"', "invalid escape sequence in string"),
        (b'"\\u12"', '\\u12" is not a valid Unicode character'),
        (b'"\\ud800"', "\\ud800 is not a valid Unicode character"),
        (b'"\\ud800\\u0041"', "\\ud800 is not a valid Unicode character"),
        (b'"\\uffff"', "\\uffff is not a valid Unicode character"),
        (b'"\xc3("', "invalid UTF-8 sequence in string"),
        (b'"\xef\xbf\xbf"', "invalid UTF-8 sequence in string"),
        (b"1e999", "number out of range"),
    ],
)
def test_what_is_said_of_bad_json(raw: bytes, problem: str) -> None:
    assert outcomes(raw) == [f"JSON parse error, {problem}"]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (rb'"\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\"', 'é😀/\b\f\n\r\t"\\'),
        (rb"'it\'s'", "it's"),
        (b'"\xc0\x80"', "\0"),
        (b"18446744073709551615", (1 << 64) - 1),
        (b"18446744073709551616", 18446744073709551616.0),
        (b"-9223372036854775809", -9223372036854775808.0),
        (b"-0.5e+1", -5.0),
        (b"0", 0),
    ],
)
def test_what_other_readers_read_otherwise(raw: bytes, value: object) -> None:
    (found,) = read(raw)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("raw", "count"),
    [(b"}}}", 3), (b",:,", 3), (b"}A b,\xff\xff", 5), (b"A b c", 1), (b"{A}", 2), (b"\x01\x02", 2)],
)
def test_each_error_is_told(raw: bytes, count: int) -> None:
    assert len(outcomes(raw)) == count


def test_a_value_too_deep_is_dropped_and_its_brackets_are_too_many() -> None:
    assert outcomes(b"[[1]]", max_depth=1) == [
        "JSON nesting depth limit exceeded",
        1,
        "JSON parse error, expecting value",
        "JSON parse error, expecting value",
    ]


def test_as_deep_as_qemu_allows() -> None:
    raw = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    (piece,) = ValueSplitter().feed(raw)
    assert not isinstance(piece, Junk)
    (value,) = read(piece.raw)
    depth = 1
    while value:
        assert isinstance(value, list)
        (value,) = value
        depth += 1
    assert depth == MAX_DEPTH
