"""Events of JSON QMP as text: what becomes of their data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from txqmp.text.grammar import quote


def data_text(data: Mapping[str, Any]) -> str:
    """
    Write an event's data as ``key=value`` pairs, a space between them.

    What is inside of an object or a list has the names on its way, with dots; text is quoted
    as an argument is (rule 9), true and false are ``on`` and ``off``.
    """
    return " ".join(quote(f"{key}={value}") for key, value in _pairs("", data))


def _pairs(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = [(str(index), part) for index, part in enumerate(value)]
    else:
        yield prefix, _scalar(value)
        return
    for key, part in inside:
        yield from _pairs(f"{prefix}.{key}" if prefix else str(key), part)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else json.dumps(value)
