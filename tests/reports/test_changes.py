"""What became of a value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txqmp.reports.changes import Change, changed_lines, changes

SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "b\nc", "1"])
VALUES = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "id", "name"]), below, max_size=4)
    ),
    max_leaves=12,
)


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def told(before: Any, after: Any) -> list[tuple[str, str | None, str | None]]:
    return [(c.path, c.before, c.after) for c in changes(text(before), text(after))]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", "1", "2")]),
        ({"a": {"b": [1]}}, {"a": {"b": [2]}}, [("a.b[0]", "1", "2")]),
        ({"a": 1}, {}, [("a", "1", None)]),
        ({}, {"a": None}, [("a", None, "null")]),
        ({"a": 1, "b": 1}, {"c": 1}, [("a", "1", None), ("b", "1", None), ("c", None, "1")]),
        ({"a": True}, {"a": 1}, [("a", "true", "1")]),
        ({"a": 1}, {"a": 1.0}, [("a", "1", "1.0")]),
        ({"a": "1"}, {"a": 1}, [("a", '"1"', "1")]),
        ({"a": [1]}, {"a": {"b": 1}}, [("a", "[1]", '{"b":1}')]),
        ([], {}, [("", "[]", "{}")]),
    ],
)
def test_of_objects(before: Any, after: Any, expected: Any) -> None:
    assert told(before, after) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # What is new in front moves the others, and changes nothing in them.
        (["b", "c"], ["a", "b", "c"], [("[0]", None, '"a"')]),
        (["a", "b", "c"], ["a", "c"], [("[1]", '"b"', None)]),
        (["a", "b"], ["a", "x"], [("[1]", '"b"', '"x"')]),
        (["a", "b", "c"], ["b", "x"], [("[0]", '"a"', None), ("[2->1]", '"c"', '"x"')]),
        ([{"x": 1}, {"x": 2}], [{"x": 0}, {"x": 1}, {"x": 2}], [("[0]", None, '{"x":0}')]),
        ([[1, 2], [3]], [[1, 2], [4]], [("[1][0]", "3", "4")]),
        ([1, 1, 1], [1, 1], [("[2]", "1", None)]),
    ],
)
def test_of_lists(before: Any, after: Any, expected: Any) -> None:
    assert told(before, after) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            [{"name": "a", "x": 1}, {"name": "b", "x": 2}],
            [{"name": "n", "x": 0}, {"name": "b", "x": 3}],
            [
                ("[name=a]", '{"name":"a","x":1}', None),
                ("[name=b].x", "2", "3"),
                ("[name=n]", None, '{"name":"n","x":0}'),
            ],
        ),
        ([{"cpu-index": 0, "x": 1}], [{"cpu-index": 0, "x": 2}], [("[cpu-index=0].x", "1", "2")]),
        # Names that are no names.
        ([{"id": "", "x": 1}], [{"id": "", "x": 2}], [("[0].x", "1", "2")]),
        (
            [{"id": "a", "x": 1}, {"id": "a"}],
            [{"id": "a", "x": 2}],
            [("[0].x", "1", "2"), ("[1]", '{"id":"a"}', None)],
        ),
        ([{"id": {"y": 1}}], [{"id": {"y": 2}}], [("[0].id.y", "1", "2")]),
        ([{"id": "a"}, 1], [{"id": "b"}, 1], [("[0].id", '"a"', '"b"')]),
    ],
)
def test_elements_are_known_by_their_names(before: Any, after: Any, expected: Any) -> None:
    assert told(before, after) == expected


def test_another_order_is_a_change() -> None:
    first, second = {"name": "a"}, {"name": "b"}
    assert told([first, second], [second, first]) == [
        ("[0]", None, text(second)),
        ("[1]", text(second), None),
    ]


def test_elements_are_in_their_order() -> None:
    before, after = list(range(12)), [99, *range(1, 10), 99, 99]
    assert [path for path, *_ in told(before, after)] == ["[0]", "[10]", "[11]"]
    names = [{"name": f"n{rank}"} for rank in (1, 2, 10, 20)]
    found = [path for path, *_ in told([], names)]
    assert found == ["[name=n1]", "[name=n2]", "[name=n10]", "[name=n20]"]


def test_lines_of_a_text() -> None:
    assert changes(text({"a": "1\n2\n3\n"}), text({"a": "1\nx\n3\n4\n"})) == (
        Change("a", '"1\\n2\\n3\\n"', '"1\\nx\\n3\\n4\\n"', ("-2", "+x", "+4")),
    )
    (added,) = changes(text({}), text({"a": "1\n2"}))
    assert added.lines == ("+1", "+2")
    (other,) = changes(text({"a": "1\n2"}), text({"a": 5}))
    assert other.lines == ()


def test_lines_that_came_and_went() -> None:
    assert changed_lines("", "") == ()
    assert changed_lines("a\nb\nc", "b\nc\nd") == ("-a", "+d")


def test_what_is_nested_too_deeply_is_told_as_a_whole() -> None:
    before, after = ('{"a":' * 700 + end + "}" * 700 for end in "12")
    assert changes(before, after) == (Change("", before, after),)


@given(VALUES, VALUES)
def test_there_is_a_change_if_they_differ(before: Any, after: Any) -> None:
    found = changes(text(before), text(after))
    assert bool(found) == (text(before) != text(after))


@given(VALUES, VALUES)
def test_the_other_way_round(before: Any, after: Any) -> None:
    # Places in lists are told from the left to the right, so the paths may differ.
    there = sorted((str(c.before), str(c.after)) for c in changes(text(before), text(after)))
    back = sorted((str(c.after), str(c.before)) for c in changes(text(after), text(before)))
    assert there == back
