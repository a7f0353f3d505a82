"""The data of events as ``key=value`` pairs."""

from __future__ import annotations

from typing import Any

import pytest

from txqmp.gateway.events import data_text
from txqmp.text.grammar import split_words


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, ""),
        ({"guest": False, "reason": "host-qmp-quit"}, "guest=off reason=host-qmp-quit"),
        ({"present": True}, "present=on"),
        ({"actual": 134217728}, "actual=134217728"),
        ({"speed": 1.5}, "speed=1.5"),
        ({"nothing": None}, "nothing=null"),
        ({"device": "my disk"}, '"device=my disk"'),
        ({"path": 'a"b'}, r'"path=a\"b"'),
        ({"path": "a\\b"}, r'"path=a\\b"'),
        ({"name": ""}, "name="),
        ({"a": {"b": {"c": 1}}, "d": 2}, "a.b.c=1 d=2"),
        ({"list": ["x", {"y": True}]}, "list.0=x list.1.y=on"),
        ({"empty": {}, "none": [], "z": 0}, "z=0"),
        ({"one": [1]}, "one.0=1"),
    ],
)
def test_pairs(data: dict[str, Any], text: str) -> None:
    assert data_text(data) == text


def test_a_client_can_split_what_it_reads() -> None:
    data = {"device": "a b", "path": 'C:\\x "y"', "tray-open": True}
    assert split_words(data_text(data)) == ["device=a b", 'path=C:\\x "y"', "tray-open=on"]
