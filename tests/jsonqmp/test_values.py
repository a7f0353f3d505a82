"""Bytes to JSON values: scripts of what QEMU 7.2 does, and a model of it, byte by byte."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from txqmp.jsonqmp import values
from txqmp.jsonqmp.values import (
    INCOMPLETE,
    SKIPPED,
    TOO_DEEP,
    TOO_LONG,
    UNBALANCED,
    UNKNOWN_WORD,
    WHITE_SPACE,
    Junk,
    Piece,
    Value,
    ValueSplitter,
)

WHITE = b" \t\r\n"


def split(*chunks: bytes, **bounds: int) -> list[list[tuple[bytes, str | None]]]:
    """What each chunk gives, and at last the end: bytes with their problem, if they have one."""
    splitter = ValueSplitter(**bounds)
    return [
        [(piece.raw, piece.problem if isinstance(piece, Junk) else None) for piece in pieces]
        for pieces in [*(splitter.feed(chunk) for chunk in chunks), splitter.finish()]
    ]


def one(chunk: bytes, **bounds: int) -> list[tuple[bytes, str | None]]:
    """What one chunk gives when nothing is left at the end."""
    pieces, rest = split(chunk, **bounds)
    assert rest == []
    return pieces


def stripped(pieces: Sequence[Piece]) -> list[bytes]:
    """The values, without the white space around them."""
    return [piece.raw.strip(WHITE) for piece in pieces if isinstance(piece, Value)]


# Values


@pytest.mark.parametrize(
    "text",
    [
        b'{"execute": "stop"}',
        b"{'execute': 'stop'}",
        b"[]",
        b'"a string"',
        b"'it\\'s \"one\"'",
        b'{"a": {"b": [{"c": [{"d": {}}]}]}}',
        b'{"a": -1.5e+10, "b": [true, null, 0, 0.25, 12E-3]}',
        b'{"a": "}]\\"\\\\"}',
        b'{"\xc3\xa9": "\x7f\xfd"}',
        b'{"not JSON" 1 2,, maybe}',
    ],
)
def test_a_value_that_says_where_it_ends_waits_for_nothing(text: bytes) -> None:
    assert one(text) == [(text, None)]


@pytest.mark.parametrize("word", [b"true", b"null", b"0", b"-12", b"1.5", b"1e5", b"1.0E-5"])
def test_a_bare_word_or_number_waits_for_what_follows(word: bytes) -> None:
    assert split(word, b"\n") == [[], [(word + b"\n", None)], []]


@pytest.mark.parametrize("word", [b"false", b"-0", b"10", b"2.5", b"1e-5"])
def test_a_bare_word_or_number_ends_with_the_stream(word: bytes) -> None:
    assert split(word) == [[], [(word, None)]]


def test_several_values_in_one_read() -> None:
    assert one(b'{"a":1}{"b":2}\r\n[3]"4"5 true{}') == [
        (b'{"a":1}', None),
        (b'{"b":2}\r\n', None),
        (b"[3]", None),
        (b'"4"', None),
        (b"5 ", None),
        (b"true", None),
        (b"{}", None),
    ]


def test_one_value_in_many_reads() -> None:
    assert split(b'{"exe', b'cute": "st\\', b'"op", "id": -', b"1", b"2", b".5}") == [
        *[[], [], [], [], []],
        [(b'{"execute": "st\\"op", "id": -12.5}', None)],
        [],
    ]


def test_white_space_goes_with_the_value_it_came_with_or_the_next() -> None:
    assert split(b" \n {} \r\n", b"\r\n", b"\t{}", b"\n") == [
        [(b" \n {} \r\n", None)],
        [],
        [(b"\r\n\t{}", None)],
        [],
        [(b"\n", WHITE_SPACE)],
    ]


def test_much_white_space_does_not_wait() -> None:
    assert split(b" " * 4095, b"\n", b"{}") == [
        [],
        [(b" " * 4095 + b"\n", WHITE_SPACE)],
        [(b"{}", None)],
        [],
    ]


@pytest.mark.parametrize("rest", [b'{"a": 1', b"[[]", b'"abc', b"'", b"-", b"1.", b"1e", b"1e+"])
def test_what_is_incomplete_at_the_end(rest: bytes) -> None:
    assert split(b"{}\n" + rest) == [[(b"{}\n", None)], [(rest, INCOMPLETE)]]


def test_the_splitter_begins_afresh_after_the_end() -> None:
    splitter = ValueSplitter()
    splitter.feed(b'[{"a')
    splitter.finish()
    assert splitter.feed(b"]{}") == [Junk(b"]", UNBALANCED), Value(b"{}")]
    assert splitter.finish() == []


# Junk: each of these was tried with QEMU.


@pytest.mark.parametrize(
    ("junk", "problem"),
    [
        (b"HELLO world, ", "unexpected byte 0x48"),
        (b"%p\n", "unexpected byte 0x25"),
        (b"\xef\xbb\xbf", "unexpected byte 0xef"),
        (b"hello\n", UNKNOWN_WORD),
        (b"}\n", UNBALANCED),
        (b"]]}]\n", UNBALANCED),
        (b":,\n", "unexpected byte 0x3a"),
        (b"01\n", "unexpected byte 0x31"),
        (b"-x\n", "unexpected byte 0x78"),
        (b"-{", "unexpected byte 0x7b"),
        (b"1.}\n", "unexpected byte 0x7d"),
        (b"\x01\x02\x00", "unexpected byte 0x01"),
        (b"\xff\xff\xfe", "unexpected byte 0xff"),
        (b"\xff}\x01,X]\n", "unexpected byte 0xff"),
        (b'{"a": \xff', "unexpected byte 0xff"),
        (b'{"a": "b\xff', "unexpected byte 0xff"),
        (b'{"a": "b\\\xff', "unexpected byte 0xff"),
        (b'{"a": "b\nc"\n', "unexpected byte 0x0a"),
        (b"'a\tb' 1 \"2\" x\n", "unexpected byte 0x09"),
        (b'{"a": NaN}\n', "unexpected byte 0x4e"),
        (b'{"a": .5}\n', "unexpected byte 0x2e"),
        (b'{"a": "x" FOO,\r\n', "unexpected byte 0x46"),
        (b'{"a": 1]', UNBALANCED),
        (b"[1}", UNBALANCED),
    ],
)
def test_junk_is_one_piece_and_a_value_can_follow(junk: bytes, problem: str) -> None:
    assert one(junk + b'{"execute": "stop"}') == [(junk, problem), (b'{"execute": "stop"}', None)]


def test_each_unknown_word_is_junk() -> None:
    assert one(b"info status\r\n") == [(b"info ", UNKNOWN_WORD), (b"status\r\n", UNKNOWN_WORD)]


def test_an_unknown_word_ends_with_the_stream() -> None:
    assert split(b"hello") == [[], [(b"hello", UNKNOWN_WORD)]]


@pytest.mark.parametrize("junk", [b"ABC\n", b'{"a": ABC\r\n', b'{"a": "b\nABC\n'])
def test_a_line_end_ends_an_error(junk: bytes) -> None:
    assert [raw for raw, _ in one(junk + b"1 2\n")] == [junk, b"1 ", b"2\n"]


def test_a_bracket_that_spoils_a_number_does_not_end_the_error() -> None:
    assert split(b"-}", b"1 2 {}") == [
        [(b"-}", "unexpected byte 0x7d")],
        [(b"1 2 ", SKIPPED), (b"{}", None)],
        [],
    ]


def test_brackets_are_counted_by_kind() -> None:
    assert one(b"{[}][]") == [(b"{[}]", None), (b"[]", None)]


def test_an_error_is_told_at_once_and_the_rest_of_it_when_it_ends() -> None:
    assert split(b"GARB", b"AGE in", b" many reads\r", b"\n{}") == [
        [(b"GARB", "unexpected byte 0x47")],
        [],
        [(b"AGE in many reads\r", SKIPPED)],
        [(b"\n{}", None)],
        [],
    ]


def test_an_error_inside_what_is_skipped_is_told_at_once() -> None:
    assert split(b"{\xff", b"rest", b"\xff", b"{}") == [
        [(b"{\xff", "unexpected byte 0xff")],
        [],
        [(b"rest", SKIPPED), (b"\xff", "unexpected byte 0xff")],
        [(b"{}", None)],
        [],
    ]


def test_what_is_still_skipped_at_the_end() -> None:
    assert split(b"GARB", b"AGE") == [[(b"GARB", "unexpected byte 0x47")], [], [(b"AGE", SKIPPED)]]


def test_much_that_is_skipped_does_not_wait() -> None:
    assert split(b"X", b"y" * 4095, b"z", b"{}") == [
        [(b"X", "unexpected byte 0x58")],
        [],
        [(b"y" * 4095 + b"z", SKIPPED)],
        [(b"{}", None)],
        [],
    ]


def test_a_stray_bracket_skips_nothing() -> None:
    assert split(b"}", b'"a"') == [[(b"}", UNBALANCED)], [(b'"a"', None)], []]


# Bounds


def test_depth_at_the_bound() -> None:
    assert one(b"[" * 1024 + b"]" * 1024) == [(b"[" * 1024 + b"]" * 1024, None)]


def test_depth_beyond_the_bound() -> None:
    assert one(b"[" * 2000 + b"]" * 2000) == [
        (b"[" * 1025, TOO_DEEP),
        (b"[" * 975 + b"]" * 975, None),
        (b"]" * 1025, UNBALANCED),
    ]


@pytest.mark.parametrize("depth", range(1, 8))
def test_depth_counts_objects_and_arrays(depth: int) -> None:
    text = b'{"a":[' * 4 + b"1" + b"]}" * 4
    deep = b'{"a":[' * (depth // 2) + b'{"a":' * (depth % 2)
    assert one(text, max_depth=8) == [(text, None)]
    assert one(text, max_depth=depth)[0] == (
        deep + (b"[" if depth % 2 else b"{"),
        TOO_DEEP,
    )


def test_length_at_the_bound() -> None:
    assert one(b'  {"a": 12}\n', max_length=9) == [(b'  {"a": 12}\n', None)]
    assert split(b"  ", b'{"a": 1', b"2}", max_length=9)[2] == [(b'  {"a": 12}', None)]


def test_length_beyond_the_bound() -> None:
    assert one(b'{"a": "long"}\r\n{}', max_length=12) == [
        (b'{"a": "long"}\r\n', TOO_LONG),
        (b"{}", None),
    ]


def test_what_follows_a_value_too_long_is_skipped_like_after_any_error() -> None:
    assert split(b'["', b"abcdefgh", b'ij"', b"] 1", max_length=6) == [
        [],
        [(b'["abcdefgh', TOO_LONG)],
        [],
        [(b'ij"', SKIPPED), (b"] ", UNBALANCED)],
        [(b"1", None)],
    ]


@pytest.mark.parametrize("bounds", [{"max_length": 0}, {"max_depth": 0}])
def test_bounds_without_room_are_refused(bounds: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="room"):
        ValueSplitter(**bounds)


@pytest.mark.parametrize("item", [b"[", b'"a', b"X", b" ", b"1", b"a", b"{}", b'["\\'])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_what_waits_is_bounded(item: bytes, size: int) -> None:
    splitter = ValueSplitter(max_length=2000)
    waiting = 0
    for _ in range(20_000 // size):
        waiting += size * len(item)
        waiting -= sum(len(piece.raw) for piece in splitter.feed(item * size))
        assert waiting < 2000 + 4096


# Any bytes, in any chunks

FRAGMENTS = st.sampled_from(
    [b'{"a": [1, {}]}', b"{'b': '\"'}", b'{"a":', b"true", b"nil", b'\\"', b"\\", b"\r\n", b"12"]
    + [bytes([b]) for b in b"{}{}[][]:,\"'\"' \t\n-01.eE+aX\x00\x7f\x80\xfd\xfe\xff"]
)
STREAMS = st.lists(FRAGMENTS | st.binary(max_size=3), max_size=40).map(b"".join)
CUTS = st.lists(st.integers(0, 120), max_size=12)


def cut(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    """The stream in chunks, some of them empty."""
    edges = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


DIGITS = string.digits.encode()
LOWER = string.ascii_lowercase.encode()
PLAIN = bytes(range(0x20, 0xFE))
QEMU_LEXER: dict[str, dict[bytes, str]] = {
    "start": {
        WHITE: "start",
        b"{}[]:,": "token",
        b'"': "double",
        b"'": "single",
        b"-": "sign",
        b"0": "zero",
        DIGITS: "digits",
        LOWER: "word",
    },
    "double": {b'"': "token", b"\\": "double escape", PLAIN: "double"},
    "double escape": {PLAIN: "double"},
    "single": {b"'": "token", b"\\": "single escape", PLAIN: "single"},
    "single escape": {PLAIN: "single"},
    "sign": {b"0": "zero", DIGITS: "digits"},
    "zero": {b".": "point", DIGITS: "error"},
    "digits": {DIGITS: "digits", b".": "point", b"eE": "e"},
    "point": {DIGITS: "fraction"},
    "fraction": {DIGITS: "fraction", b"eE": "e"},
    "e": {DIGITS: "exponent", b"+-": "e sign"},
    "e sign": {DIGITS: "exponent"},
    "exponent": {DIGITS: "exponent"},
    "word": {LOWER: "word"},
    "recovery": {bytes({*PLAIN, *b"\t", 0x7F} - {*b"{}[]:,"}): "recovery"},
}
ENDED_BY_THE_NEXT = {"zero", "digits", "fraction", "exponent", "word"}


class QEMU:
    """What QEMU's lexer and parser make of bytes, one by one: values, and None for errors."""

    def __init__(self, max_depth: int) -> None:
        self.max_depth = max_depth
        self.state = "start"
        self.text = b""
        self.token = b""
        self.depth = {b"{": 0, b"[": 0}

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        for byte in data:
            yield from self.take(byte)

    def take(self, byte: int) -> Iterator[bytes | None]:
        moves = QEMU_LEXER[self.state]
        state = next((moves[bytes_] for bytes_ in moves if byte in bytes_), None)
        if state is None and self.state in {*ENDED_BY_THE_NEXT, "recovery"}:
            if self.state in ENDED_BY_THE_NEXT:
                yield from self.complete()
            self.state = "start"
            yield from self.take(byte)
            return
        if self.token or self.text or self.state != "start" or state != "start":
            self.text += bytes([byte])
        if self.state != "start" or state != "start":
            self.token += bytes([byte])
        if state in {None, "error", "recovery"}:
            if self.state != "recovery":
                yield None
            self.state = "recovery"
            self.clear()
        elif state == "token":
            self.state = "start"
            yield from self.complete()
        else:
            self.state = state

    def complete(self) -> Iterator[bytes | None]:
        token, self.token = self.token, b""
        kind = token.translate(bytes.maketrans(b"}]", b"{["))
        if kind in self.depth:
            self.depth[kind] += 1 if token == kind else -1
        depths = self.depth.values()
        if min(depths) < 0 or sum(depths) > self.max_depth:
            yield None
        elif any(depths):
            return
        elif token in (b":", b",") and self.text == token:
            yield None
        else:
            unknown = token == self.text and re.fullmatch(b"(?!(true|false|null)$)[a-z]+", token)
            yield None if unknown else self.text
        self.clear()

    def clear(self) -> None:
        self.text = self.token = b""
        self.depth = dict.fromkeys(self.depth, 0)


@given(STREAMS, CUTS, st.sampled_from([1, 2, 3, 4, 5, 1024]))
@example(b'{"a": -1.}{"a": 0e5} 0e5 0E5 1.5e+3 ', range(120), 1024)
@example(b'{"a": {"b": {"c": {"d": [1, 2] } } } ]', [], 3)
@example(b'{"a": 1}', [4, 4], 1024)
def test_the_values_are_those_that_qemu_sees(
    stream: bytes, cuts: Sequence[int], max_depth: int
) -> None:
    splitter, qemu = ValueSplitter(max_depth=max_depth), QEMU(max_depth)
    for chunk in cut(stream, cuts):
        pieces, seen = splitter.feed(chunk), list(qemu.feed(chunk))
        assert stripped(pieces) == [value for value in seen if value is not None]
        # Errors are told in the read they came in, if not one by one.
        told = [
            p for p in pieces if isinstance(p, Junk) and p.problem not in (SKIPPED, WHITE_SPACE)
        ]
        assert bool(told) == (None in seen)


@given(STREAMS, CUTS, st.integers(1, 20), st.integers(1, 5))
@example(b'{"a":"bcdefgh"}', [3], 10, 5)
@example(b'{"a":1234567', [11], 10, 5)
@example(b'["abcde"]', [2, 9], 9, 5)
def test_chunks_change_nothing(
    stream: bytes, cuts: Sequence[int], max_length: int, max_depth: int
) -> None:
    whole = ValueSplitter(max_length, max_depth)
    in_chunks = ValueSplitter(max_length, max_depth)
    expected = whole.feed(stream) + whole.finish()
    pieces = [piece for chunk in cut(stream, cuts) for piece in in_chunks.feed(chunk)]
    pieces += in_chunks.finish()
    assert stripped(pieces) == stripped(expected)
    assert b"".join(piece.raw for piece in pieces) == stream
    assert b"".join(piece.raw for piece in expected) == stream
    assert all(piece.raw for piece in pieces)
    assert all(len(value) <= max_length for value in stripped(pieces))


# Work


class Counting:
    """A compiled expression that counts its matches, and the bytes they may look at."""

    calls = 0
    looked_at = 0

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self.pattern = pattern

    def match(self, text: bytes, position: int = 0, limit: int = 1 << 62) -> re.Match[bytes] | None:
        Counting.calls += 1
        Counting.looked_at += min(limit, len(text)) - position
        return self.pattern.match(text, position, limit)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes, int], tuple[int, int]]:
    """Split a stream in chunks of so many bytes; return the matches and the bytes looked at."""
    for name, pattern in list(vars(values).items()):
        if isinstance(pattern, re.Pattern) and name != "_repetition":
            monkeypatch.setattr(values, name, Counting(pattern))

    def run(stream: bytes, size: int) -> tuple[int, int]:
        Counting.calls = Counting.looked_at = 0
        splitter: Any = ValueSplitter(max_depth=1 << 40)
        for start in range(0, len(stream), size):
            splitter.feed(stream[start : start + size])
        splitter.finish()
        return Counting.calls, Counting.looked_at

    return run


@pytest.mark.parametrize(
    "item", [b"a", b"1", b"\\", b"\xff", b"X", b" ", b"[", b"]", b'["', b'{"a":', b"1,", b"{}\r\n"]
)
@pytest.mark.parametrize("first", [b"", b'"', b'{"a": [', b"{'a': '"])
def test_work_grows_with_the_stream_in_small_chunks(
    work: Callable[[bytes, int], tuple[int, int]], first: bytes, item: bytes
) -> None:
    for size in (1, 50):
        _, short = work(first + item * 1000, size)
        _, long = work(first + item * 4000, size)
        assert long < 5 * short


@pytest.mark.parametrize(
    "item", [b"{}\r\n", b"{}", b"[] ", b'"a"', b"1 ", b"a ", b"X\n", b"}\n", b'{"a":[{"b":[]}]}']
)
def test_each_value_takes_a_few_matches(
    work: Callable[[bytes, int], tuple[int, int]], item: bytes
) -> None:
    calls, _ = work(item * 1000, 1 << 20)
    assert calls <= 30 * 1000


def test_a_long_list_takes_few_matches(
    work: Callable[[bytes, int], tuple[int, int]],
) -> None:
    entry = b'{"name": "query-status", "tags": ["a", "b"]}'
    calls, _ = work(b'{"return": [' + b", ".join([entry] * 10_000) + b"]}\r\n", 1 << 20)
    assert calls < 100
