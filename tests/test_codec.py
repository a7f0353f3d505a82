"""Whichever library does it, values and bytes are the same."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txqmp import codec

pytest.importorskip("orjson")

# What orjson writes as the standard library does: not what is tiny.
floats = st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda number: number == 0 or abs(number) >= 1e-4
)
keys = st.text(st.characters())
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | floats | keys,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
numbers = st.from_regex(
    r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)


class Pair(NamedTuple):
    one: int
    two: int


def outcome(function: Callable[[Any], Any], argument: Any) -> str:
    """What comes of a call: its result, to the type and the order, or the error."""
    try:
        return repr(function(argument))
    except (ValueError, TypeError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"


@settings(deadline=None)
@given(values)
def test_the_same_is_written(value: Any) -> None:
    assert codec._orjson_dumps(value) == codec._stdlib_dumps(value)


@settings(deadline=None)
@given(values)
def test_a_final_draft_is_what_is_written(value: Any) -> None:
    draft = codec._orjson_draft(value)
    if codec.is_final(draft):
        assert draft == codec._stdlib_dumps(value)


@settings(deadline=None)
@given(values, st.booleans())
def test_the_same_is_read(value: Any, ascii: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    assert outcome(codec._orjson_loads, data) == outcome(codec._stdlib_loads, data)


@settings(deadline=None)
@given(numbers)
def test_the_same_number_is_read(text: str) -> None:
    data = text.encode()
    assert outcome(codec._orjson_loads, data) == outcome(codec._stdlib_loads, data)


@settings(deadline=None)
@given(
    st.text(
        st.sampled_from('{}[]",:\\udD8c0 1e.-nulltrueNaNInfinity\n\t\x00\x7f\u00e9'), max_size=40
    )
)
def test_the_same_is_refused(text: str) -> None:
    data = text.encode()
    assert outcome(codec._orjson_loads, data) == outcome(codec._stdlib_loads, data)


@pytest.mark.parametrize(
    "data",
    [
        *(b"18446744073709551615", b"18446744073709551616", b"-9223372036854775808"),
        *(b"-9223372036854775809", b"1e999", b"-1e999", b"1e-999", b"NaN", b"-Infinity", b"-0"),
        *(
            b'"\\ud800"',
            b'"\\ud83d\\ude00"',
            b'"\xed\xa0\x80"',
            b"\xff",
            b"\xef\xbb\xbf1",
            b"",
            b"  ",
        ),
        *(b'{"a":1,"b":2,"a":3}', b"01", b"1.", b"[1,]", b"'a'", b'"\x00"', b'"\x7f"', b"1 2"),
        *(b"9" * 4000, b"9" * 5000, b"0." + b"1" * 30),
    ],
)
def test_odd_json(data: bytes) -> None:
    assert outcome(codec._orjson_loads, data) == outcome(codec._stdlib_loads, data)


@pytest.mark.parametrize(
    "value",
    [
        *(
            math.nan,
            [math.inf],
            {"a": None},
            "null",
            "\x7f",
            "\ud800",
            "\u00e9",
            "\u2028",
            "\x00\x1f",
        ),
        *(2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30, -0.0, 1e16, 1e22, 1e15, 5e-324),
        *({1: 2}, {None: 1}, {True: 1}, (1, 2), Pair(1, 2), object(), {1, 2}, b"x", 1j),
    ],
    ids=repr,
)
def test_odd_values(value: Any) -> None:
    assert outcome(codec._orjson_dumps, value) == outcome(codec._stdlib_dumps, value)


@pytest.mark.parametrize("depth", [250, 254, 255, 300, 100_000])
def test_depth(depth: int) -> None:
    value: Any = []
    for _ in range(depth):
        value = [value]
    mine, theirs = outcome(codec._orjson_dumps, value), outcome(codec._stdlib_dumps, value)
    assert mine.partition(":")[0] == theirs.partition(":")[0]


def test_more_depth_than_either_reads() -> None:
    for loads in (codec._orjson_loads, codec._stdlib_loads):
        with pytest.raises((RecursionError, ValueError)):
            loads(b"[" * 100_000)


def test_a_tiny_float_is_the_same_number_in_other_digits() -> None:
    assert codec._stdlib_dumps(5e-05) == b"5e-05"
    assert codec.loads(codec._orjson_dumps(5e-05)) == 5e-05


def test_orjson_is_not_needed() -> None:
    code = (
        "import sys; sys.modules['orjson'] = None\n"
        "from txqmp.codec import draft, dumps, loads\n"
        "assert loads(dumps({'a': [1, None, '\\u00e9']})) == {'a': [1, None, '\\u00e9']}\n"
        "assert draft([]) == b'[]'\n"
        "print(loads.__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout == "_stdlib_loads\n"
