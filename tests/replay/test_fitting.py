"""Recorded answers for another client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txqmp.jsonqmp import grammar
from txqmp.jsonqmp.grammar import ABSENT
from txqmp.replay.fitting import Names, complete, fit_id

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
ids = st.just(ABSENT) | json_values


@pytest.mark.parametrize(
    ("raw", "whole"),
    [
        (b"{}\r\n", b"{}\r\n"),
        (b"{}\n", b"{}\n"),
        (b"{}", b"{}\r\n"),
        (b"\r\n{}", b"{}\r\n"),
        (b"+ OK x completed\r\n", b"+ OK x completed\r\n"),
    ],
)
def test_a_message_gets_the_line_end_that_came_in_another_read(raw: bytes, whole: bytes) -> None:
    assert complete(raw) == whole


@given(json_values, ids, ids)
def test_the_id_of_a_success(value: Any, old: Any, new: Any) -> None:
    raw = grammar.write_success(value, old) + b"\r\n"
    assert fit_id(raw, old, new) == grammar.write_success(value, new) + b"\r\n"


@given(st.text(max_size=10), ids, ids)
def test_the_id_of_a_failure(description: str, old: Any, new: Any) -> None:
    raw = grammar.write_failure("GenericError", description, old) + b"\r\n"
    fitted = grammar.write_failure("GenericError", description, new) + b"\r\n"
    assert fit_id(raw, old, new) == fitted


def test_bytes_that_no_other_would_write_stay() -> None:
    raw = b'{"return": {"a":  1.0, "b": "\\u00e5"}, "id": "x-1"}\r\n'
    assert fit_id(raw, "x-1", 7) == b'{"return": {"a":  1.0, "b": "\\u00e5"}, "id": 7}\r\n'
    assert fit_id(raw, "x-1", "x-1") is raw


def test_true_is_not_one() -> None:
    assert fit_id(b'{"return": {}, "id": 1}', 1, True) == b'{"return": {}, "id": true}'


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id": 1, "return": {}}\r\n',
        b'{\n  "return": {},\n  "id": 1\n}\n',
        b'{"return":{},"id":1}',
    ],
)
def test_what_is_written_otherwise_is_written_again(raw: bytes) -> None:
    assert json.loads(fit_id(raw, 1, 2)) == {"return": {}, "id": 2}


def test_a_failure_that_is_written_otherwise() -> None:
    raw = b'{"error": {"class": "G", "desc": "no"}, "id": 1}'
    assert json.loads(fit_id(raw, 1, 2)) == {"error": {"class": "G", "desc": "no"}, "id": 2}


def test_what_is_no_reply_stays() -> None:
    assert fit_id(b'{"event": "X"}', 1, 2) == b'{"event": "X"}'
    assert fit_id(b"nonsense", 1, 2) == b"nonsense"


class TestNames:
    def names(self) -> Names:
        names = Names()
        names.learn("mine", "theirs")
        names.learn(7, 2)
        return names

    def test_without_any_nothing_changes(self) -> None:
        arguments = {"fd": "x"}
        assert Names().recorded(arguments) is arguments

    @pytest.mark.parametrize(
        ("given_", "recorded"),
        [
            ({"fdname": "mine"}, {"fdname": "theirs"}),
            ({"fds": "other:mine"}, {"fds": "other:theirs"}),
            ({"id": "mine", "fd": "mine"}, {"id": "mine", "fd": "theirs"}),
            ({"uri": "fd:mine"}, {"uri": "fd:theirs"}),
            ({"netdev": "tap,fd=mine,id=mine"}, {"netdev": "tap,fd=theirs,id=mine"}),
            ({"addr": {"type": "fd", "str": "mine"}}, {"addr": {"type": "fd", "str": "theirs"}}),
            ({"fdset-id": 7}, {"fdset-id": 2}),
            ({"fdset-id": 8}, {"fdset-id": 8}),
            ({"filename": ["/dev/fdset/7"]}, {"filename": ["/dev/fdset/2"]}),
            ({"size": 7}, {"size": 7}),
        ],
    )
    def test_a_client_s_become_those_of_the_record(self, given_: Any, recorded: Any) -> None:
        assert self.names().recorded(given_) == recorded

    def test_in_words(self) -> None:
        words = ["mine", "fd:mine", "/dev/fdset/7", "7"]
        assert self.names().recorded(words) == ["theirs", "fd:theirs", "/dev/fdset/2", "7"]

    def test_numbers_in_an_answer_become_the_client_s(self) -> None:
        raw = b'{"return": [{"fdset-id": 2, "fds": [{"fd": 2}]}, {"fdset-id": 22}, "/dev/fdset/2"]}'
        assert self.names().fit(raw) == (
            b'{"return": [{"fdset-id": 7, "fds": [{"fd": 2}]}, {"fdset-id": 22}, "/dev/fdset/7"]}'
        )

    def test_an_answer_without_new_numbers_stays(self) -> None:
        raw = b'{"fdset-id": 2}'
        assert Names().fit(raw) is raw
