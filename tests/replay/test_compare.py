"""What was answered differently."""

from __future__ import annotations

from typing import Any

import pytest

from txqmp.replay.compare import IGNORED, NOTHING, Comparison


def parts(recorded: Any, now: Any, *ignored: str) -> Any:
    difference = Comparison((*IGNORED, *ignored)).compare("x", recorded, now)
    return None if difference is None else list(difference.parts)


@pytest.mark.parametrize(
    ("recorded", "now", "found"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}}, [("a.b[1].c", 2, 3)]),
        ({"a": [1]}, {"a": [1, 2]}, [("a[1]", NOTHING, 2)]),
        ({"a": [1, 2]}, {"a": [2]}, [("a[0]", 1, 2), ("a[1]", 2, NOTHING)]),
        ({"return": {}}, {"error": 1}, [("return", {}, NOTHING), ("error", NOTHING, 1)]),
        ({"a": {}}, {"a": []}, [("a", {}, [])]),
        ({"a": "x [redacted]"}, {"a": "hush"}, None),
    ],
)
def test_where_two_answers_differ(recorded: Any, now: Any, found: Any) -> None:
    assert parts(recorded, now) == found


@pytest.mark.parametrize(
    "name", ["timestamp", "thread-id", "rd_total_time_ns", "date-sec", "total-time", "downtime"]
)
def test_what_is_of_the_moment_may_differ(name: str) -> None:
    assert parts({"a": [{name: 1}]}, {"a": [{name: 2}]}) is None
    assert parts({name: 1}, {}) == [(name, "…", NOTHING)]


def test_what_else_may_differ_is_said() -> None:
    assert parts({"pid": 1, "path": "a"}, {"pid": 2, "path": "b"}, "p?d") == [("path", "a", "b")]


def test_in_lines_it_is_told_by_its_key() -> None:
    one = "* CPU #0: thread_id=17, flush_total_time_ns=5 wr=3"
    other = "* CPU #0: thread_id=18, flush_total_time_ns=6 wr=3"
    assert parts([one], [other]) is None
    assert parts([one], [other.replace("wr=3", "wr=4")])[0][0] == "[0]"


def test_nothing_is_ignored_without_names() -> None:
    comparison = Comparison(())
    assert comparison.compare("x", {"timestamp": 1}, {"timestamp": 2}) is not None


def test_what_is_nested_too_deeply() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert parts(deep, deep) == [("", "an answer", "nested too deeply to be compared")]


def test_a_difference_is_shown_in_lines() -> None:
    difference = Comparison().compare("query-x", {"return": {"a": 1}}, {"return": {"b": "ö"}})
    assert difference is not None
    assert difference.lines() == [
        "query-x",
        "  recorded  return.a: 1",
        "  now       return.a: (nothing)",
        "  recorded  return.b: (nothing)",
        '  now       return.b: "ö"',
    ]


def test_long_ones_are_cut() -> None:
    one, other = {"a": "x" * 400}, {"a": "y"}
    difference = Comparison().compare("x", one, other)
    assert difference is not None
    assert difference.lines()[1].endswith("x… (402 characters)")
    many = Comparison().compare("x", list(range(12)), list(range(1, 13)))
    assert many is not None
    assert many.lines()[-1] == "  … and 2 more"
    assert len(many.lines()) == 22


@pytest.mark.parametrize(
    ("sent", "count", "unsent", "summary"),
    [
        (1, 0, 0, "1 command sent, no differences"),
        (3, 1, 0, "3 commands sent, 1 difference"),
        (0, 2, 4, "0 commands sent, 2 differences, 4 not sent"),
    ],
)
def test_the_summary(sent: int, count: int, unsent: int, summary: str) -> None:
    comparison = Comparison()
    comparison.sent, comparison.count, comparison.unsent = sent, count, unsent
    assert comparison.summary() == summary
