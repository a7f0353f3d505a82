r"""
Rules that say which fault is done to which message, and how they are written.

``fail:command=blockdev-add:nth=3:desc=no such file``: the name of a fault, then keys with values, a
colon before each, as in the strings of Twisted's endpoints; ``\`` takes the special meaning of the
character behind it (``docs/faults.rst``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

_PART = re.compile(r"(?:\\.|[^\\:])*+", re.DOTALL)
_PAIR = re.compile(r"((?:\\.|[^\\=])*+)=(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

SPLIT_PAUSE = 0.02
"""Seconds between the pieces of a message, so that a client reads them one by one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    Which fault is done to which messages.

    :ivar text: the rule as it was written.
    :ivar fault: what is done: a name in :data:`FAULTS`.
    :ivar command: a pattern of command names; of commands to fail, or of those whose replies it
        is about. None for any.
    :ivar event: a pattern of the names of events. None for any.
    :ivar nth: only this one of the messages that it is about, from 1 on.
    :ivar every: only each so-and-so-many-th of them.
    :ivar probability: with which each is chosen.
    :ivar connection: only in the conversation of this number.
    :ivar after: how many of them are let go by first.
    :ivar seconds: how long; None where it is for ever.
    :ivar bytes: where a message is cut, how long its pieces are, or how much a client gets.
    :ivar pieces: how many a message is split into.
    :ivar error_class: of the error that a client gets.
    :ivar description: what the error says.
    """

    text: str
    fault: str
    command: str | None = None
    event: str | None = None
    nth: int | None = None
    every: int = 1
    probability: float = 1.0
    connection: int | None = None
    after: int = 0
    seconds: float | None = None
    bytes: int | None = None
    pieces: int = 2
    error_class: str = "GenericError"
    description: str = "injected fault"

    @property
    def is_about_replies(self) -> bool:
        """Whether replies are among the messages that it may be done to."""
        return self.fault not in ("fail", "close") and self.event is None

    def is_about(self, hit: str, names: Iterable[str]) -> bool:
        """
        Whether it is about a message, be it the one that is chosen or not.

        :param hit: ``command``, ``reply``, ``event`` or ``greeting``.
        :param names: what the command, or the event, is called.
        """
        if (hit == "command") is not (self.fault == "fail") or self.fault == "close":
            return False
        if self.event is not None:
            return hit == "event" and _matches(names, self.event)
        if self.command is not None:
            return hit in ("command", "reply") and _matches(names, self.command)
        return True


def _matches(names: Iterable[str], pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _number(least: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not (value.isascii() and value.isdigit() and len(value) < 16 and int(value) >= least):
            raise ValueError(f"a whole number from {least} on")
        return int(value)

    return read


def _seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 < number < 1e9:
        raise ValueError("a time in seconds")
    return number


def _probability(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 < number <= 1:
        raise ValueError("a number from 0 to 1")
    return number


def _pattern(value: str) -> str:
    if not value:
        raise ValueError("a name, or a pattern of names")
    return value


def _error_class(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", value):
        raise ValueError("a word such as GenericError")
    return value


_KEYS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "command": ("command", _pattern),
    "event": ("event", _pattern),
    "nth": ("nth", _number(1)),
    "every": ("every", _number(1)),
    "probability": ("probability", _probability),
    "connection": ("connection", _number(1)),
    "after": ("after", _number(0)),
    "seconds": ("seconds", _seconds),
    "bytes": ("bytes", _number(0)),
    "pieces": ("pieces", _number(2)),
    "class": ("error_class", _error_class),
    "desc": ("description", str),
}
_CHOICE = ("nth", "every", "probability", "connection")
_MESSAGE = ("command", "event", *_CHOICE)

FAULTS: dict[str, tuple[str, ...]] = {
    "close": ("bytes", "probability", "connection"),
    "cut": (*_MESSAGE, "bytes"),
    "delay": (*_MESSAGE, "seconds"),
    "drop": _MESSAGE,
    "duplicate": _MESSAGE,
    "fail": ("command", *_CHOICE, "class", "desc"),
    "split": (*_MESSAGE, "pieces", "bytes", "seconds"),
    "stall": (*_MESSAGE, "after", "seconds"),
}
"""The keys of each fault."""

_WANTED = {"close": "bytes", "delay": "seconds"}
_NOT_TOGETHER = (
    ("command", "event"),
    ("nth", "every"),
    ("nth", "after"),
    ("pieces", "bytes"),
)


def parse_rule(text: str) -> Rule:
    """
    Read a rule.

    :raises ValueError: it is none; the error says which part of it, and what would be.
    """
    name, *parts = _parts(text)
    fault = _unescaped(name)
    if fault not in FAULTS:
        raise ValueError(f"no fault is called {fault!r} (known: {', '.join(FAULTS)})")
    known = FAULTS[fault]
    given: dict[str, Any] = {}
    read: dict[str, Any] = {}
    for part in parts:
        key, value = _pair(fault, known, part)
        if key in given:
            raise ValueError(f"{key} is there twice")
        given[key] = value
        attribute, reader = _KEYS[key]
        try:
            read[attribute] = reader(value)
        except ValueError as error:
            raise ValueError(f"{key} is {error}, not {value!r}") from None
    for one, other in _NOT_TOGETHER:
        if one in given and other in given:
            raise ValueError(f"{one} and {other} do not go together: choose one")
    if fault in _WANTED and _WANTED[fault] not in given:
        raise ValueError(f"{fault} wants {_WANTED[fault]}=")
    if fault == "stall" and given.keys().isdisjoint(("nth", "every", "probability")):
        # Once, and not before each of the messages that follow.
        read["nth"] = read.pop("after", 0) + 1
    if fault == "split":
        if given.get("bytes") == "0":
            raise ValueError("bytes is a whole number from 1 on, not '0'")
        read.setdefault("seconds", SPLIT_PAUSE)
    return Rule(text, fault, **read)


def _parts(text: str) -> list[str]:
    parts = []
    position = 0
    while True:
        match = _PART.match(text, position)
        assert match is not None
        parts.append(match[0])
        position = match.end()
        if position == len(text):
            break
        if text[position] == "\\":
            raise ValueError("there is nothing behind the last backslash")
        position += 1
    # A colon at the end, as in machine:, changes nothing.
    return parts[:-1] if len(parts) > 1 and not parts[-1] else parts


def _pair(fault: str, known: tuple[str, ...], part: str) -> tuple[str, str]:
    match = _PAIR.fullmatch(part)
    if match is None:
        raise ValueError(
            f"{_unescaped(part)!r} is no key=value (the keys of {fault}: {', '.join(known)})"
        )
    key = _unescaped(match[1])
    if key not in known:
        raise ValueError(f"{fault} has no key {key!r} (known: {', '.join(known)})")
    return key, _unescaped(match[2])


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
