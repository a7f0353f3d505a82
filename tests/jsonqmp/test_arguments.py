"""What is typed, and the command of JSON QMP that it is."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txqmp.errors import InvalidCommand
from txqmp.jsonqmp.arguments import parse_line, parse_value, parse_words
from txqmp.jsonqmp.grammar import Command


@pytest.mark.parametrize(
    ("line", "name", "arguments"),
    [
        ("query-status", "query-status", {}),
        ("  device_del\tid=net1  ", "device_del", {"id": "net1"}),
        ("migrate uri=tcp:[::1]:4444", "migrate", {"uri": "tcp:[::1]:4444"}),
        ("x a=b=c", "x", {"a": "b=c"}),
        ("x a=", "x", {"a": ""}),
        ("x a.b=1 a.c.d=2 e=3", "x", {"a": {"b": 1, "c": {"d": 2}}, "e": 3}),
        ('x a={"b":1} a.c=2', "x", {"a": {"b": 1, "c": 2}}),
        ('x a="b c" d=\'e "f"\'', "x", {"a": "b c", "d": 'e "f"'}),
        (r'x a="b \" c"', "x", {"a": 'b " c'}),
        ("x a={'b':'c d'} e=[1,'2']", "x", {"a": {"b": "c d"}, "e": [1, "2"]}),
    ],
)
def test_a_line_is_a_name_and_arguments(line: str, name: str, arguments: dict[str, Any]) -> None:
    assert parse_line(line) == Command(name, arguments)


def test_a_line_that_begins_with_a_brace_is_the_whole_command() -> None:
    line = " {'exec-oob': 'yank', \"arguments\": {\"instances\": []}, 'id': 7}"
    assert parse_line(line) == Command("yank", {"instances": []}, 7, True)


def test_what_a_shell_took_apart_keeps_its_spaces() -> None:
    words = ["human-monitor-command", "command-line=info block -v"]
    assert parse_words(words) == Command(words[0], {"command-line": "info block -v"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1.5e3", -1500.0),
        ("true", True),
        ("null", None),
        ('"7"', "7"),
        ("'7'", "7"),
        ("{'a':[1,{}]}", {"a": [1, {}]}),
        ("True", "True"),
        ("truth", "truth"),
        ("0x10", "0x10"),
        ("007", "007"),
        ("1e999", "1e999"),
        ("NaN", "NaN"),
        ("52:54:00:12:34:56", "52:54:00:12:34:56"),
        ("1,2", "1,2"),
        ("{'a':1", "{'a':1"),
        ("{'a'}", "{'a'}"),
        ("å", "å"),
    ],
)
def test_a_value_is_json_or_a_string(text: str, value: object) -> None:
    read = parse_value(text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("text", ['1},"id":{"a":1', '1,"value":2', "1}}", "{}}{"])
def test_a_value_stays_inside_its_argument(text: str) -> None:
    assert parse_value(text) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner)
        ),
    )
)
def test_json_is_read_as_json(value: object) -> None:
    assert parse_value(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "begins with its name"),
        ("a=b", "begins with its name"),
        ("x y", "'y' is no argument"),
        ("x =1", "'' is no name"),
        ("x a..b=1", "'a..b' is no name"),
        ("x a=1 a=2", "'a' is there twice"),
        ("x a=1 a.b=2", "'a' in 'a.b' has a value already"),
        ("x a.b=1 a=2", "'a' is there twice"),
        ('x a="b', "a quotation does not end"),
        ("x it's", "a quotation does not end"),
        ("{'execute': 'x'", "not a command of JSON QMP: not JSON"),
        ("{'execute': 1}", "not a command of JSON QMP: 'execute' is"),
        ("{'execute': 'a'} {'execute': 'b'}", "not a command of JSON QMP: not JSON"),
        ("x a=\udcff", "is not Unicode text"),
        ("{'execute': '\udcff'}", "is not Unicode text"),
    ],
)
def test_what_is_no_command_is_refused(line: str, says: str) -> None:
    with pytest.raises(InvalidCommand) as caught:
        parse_line(line)
    assert says in str(caught.value)


@given(st.text())
def test_nothing_that_is_typed_raises_anything_else(line: str) -> None:
    with suppress(InvalidCommand):
        parse_line(line)
