"""QEMU's way to write options: ``key=value,key=value``, with commas doubled inside a value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_YES = frozenset(["on", "yes", "true", "y"])
_NO = frozenset(["off", "no", "false", "n"])


class Field(NamedTuple):
    """
    One option of several.

    :ivar raw: as it was written.
    :ivar key: its name.
    :ivar value: without doubled commas.
    """

    raw: str
    key: str
    value: str


def split(text: str, implied: str = "") -> list[Field]:
    """
    Take options apart as QEMU does (``qemu_opts_do_parse``).

    :param implied: the key of a first value that has none.
    """
    fields: list[Field] = []
    rest = text
    while rest:
        head = rest.partition(",")[0]
        name, equals, _ = head.partition("=")
        if equals:
            raw, value, rest = _value(rest, len(name) + 1)
            fields.append(Field(raw, name, value))
        elif implied and not fields:
            raw, value, rest = _value(rest, 0)
            fields.append(Field(raw, implied, value))
        else:
            rest = rest[len(head) + 1 :]
            if head.startswith("no"):
                fields.append(Field(head, head[2:], "off"))
            else:
                fields.append(Field(head, head, "on"))
    return fields


def _value(text: str, start: int) -> tuple[str, str, str]:
    """What begins at a place, up to a comma that is not doubled: raw, value, and the rest."""
    end = start
    while (end := text.find(",", end)) >= 0 and text[end + 1 : end + 2] == ",":
        end += 2
    if end < 0:
        end = len(text)
    return text[:end], text[start:end].replace(",,", ","), text[end + 1 :]


def join(fields: Iterable[Field]) -> str:
    """Write options as they were."""
    return ",".join(field.raw for field in fields)


def written(key: str, value: str) -> Field:
    """Write an option."""
    return Field(f"{key}={value.replace(',', ',,')}", key, value)


def last(fields: Iterable[Field]) -> dict[str, str]:
    """What each option says: of several the last."""
    return {field.key: field.value for field in fields}


def truth(value: str, otherwise: bool) -> bool:
    """
    Read a switch.

    :raises ValueError: it is none.
    """
    if not value:
        return otherwise
    if value in _YES:
        return True
    if value in _NO:
        return False
    raise ValueError(f"{value!r} is neither on nor off")
