"""Replies find their commands, whatever the ids are."""

from __future__ import annotations

from typing import Any

from txqmp.proxy.unanswered import Slot, Unanswered


def nested(innermost: Any, as_list: bool) -> Any:
    """More deeply than Python goes to compare two."""
    value = innermost
    for _ in range(2000):
        value = [value] if as_list else {"a": value, "b": []}
    return value


def test_ids_may_be_nested_deeply() -> None:
    ids = [
        (innermost, as_list)
        for innermost in (1, 2, "a", None, [], {}, [1], [1, 2], {"b": 1}, {"a": 2})
        for as_list in (False, True)
    ]
    unanswered = Unanswered()
    slots = [unanswered.add(Slot("stop", nested(*each))) for each in ids]
    assert unanswered.take_id(nested(3, True), False) is None
    assert [unanswered.take_id(nested(*each), False) for each in reversed(ids)] == slots[::-1]
