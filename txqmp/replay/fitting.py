"""Recorded answers made to fit another client: its ids, its names of descriptors."""

from __future__ import annotations

import json
import re
from typing import Any

from txqmp.errors import ProtocolViolation
from txqmp.jsonqmp import grammar
from txqmp.jsonqmp.grammar import ABSENT, Absent, JSONValue

_NAMED = frozenset(["fd", "fds", "fdname", "str", "vhostfd", "vhostfds"])
_FDSET = re.compile(r"/dev/fdset/([0-9]{1,18})")
_FDSET_IN_RAW = re.compile(rb'(/dev/fdset/|"fdset-id": ?)([0-9]{1,18})(?![0-9.])')
_FD_IN_LINE = re.compile(r"\b((?:vhost)?fds?=|fd:)([^,]+)")

NAMING = {"getfd": "fdname", "add-fd": "fdset-id"}
"""The commands by which a client names a descriptor, and the argument that it does it with."""


def complete(raw: bytes) -> bytes:
    """Give a message the line end that the read it was recorded in did not have."""
    message = raw.lstrip(b" \t\r\n")
    return message if message.endswith(b"\n") else message + b"\r\n"


def fit_id(raw: bytes, old: JSONValue | Absent, new: JSONValue | Absent) -> bytes:
    """
    Give a reply the id of another command; not a byte else of it changes if QEMU wrote it.

    :param old: the id that it has.
    :param new: the id that it is to have.
    """
    was, becomes = _member(old), _member(new)
    if was == becomes:
        return raw
    body = raw.rstrip(b"\r\n")
    end = raw[len(body) :]
    # A failure has its id at the beginning, a success at the end.
    if body.startswith((b'{"id"', b'{"error"')):
        head = _head(was)
        if body.startswith(head):
            return _head(becomes) + body[len(head) :] + end
    else:
        tail = _tail(was)
        if body.endswith(tail):
            return body[: -len(tail)] + _tail(becomes) + end
    return _written_again(body, new) + end


def _head(member: bytes) -> bytes:
    return b"{%b, " % member if member else b"{"


def _tail(member: bytes) -> bytes:
    return b", %b}" % member if member else b"}"


def _member(id: JSONValue | Absent) -> bytes:
    return b"" if id is ABSENT else b'"id": ' + json.dumps(id).encode("ascii")


def _written_again(raw: bytes, id: JSONValue | Absent) -> bytes:
    try:
        message = grammar.parse_server_message(raw)
    except ProtocolViolation:
        return raw
    if isinstance(message, grammar.Success):
        return grammar.write_success(message.value, id)
    if isinstance(message, grammar.Failure):
        return grammar.write_failure(message.error_class, message.description, id)
    return raw


class Names:
    """What a client calls its descriptors, and what they were called in the record."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._sets: dict[int, int] = {}

    def learn(self, given: Any, recorded: Any) -> None:
        """
        A descriptor came by another name than in the record, or by the same.

        :param given: the value of the argument that names it, as the client has it.
        :param recorded: the one in the record.
        """
        if isinstance(given, str) and isinstance(recorded, str):
            self._names[given] = recorded
        elif type(given) is int and type(recorded) is int:
            self._sets[given] = recorded

    def recorded(self, arguments: Any) -> Any:
        """Write a client's arguments with the names of the record."""
        if not self._names and not self._sets:
            return arguments
        if isinstance(arguments, list):
            return [self._word(word) for word in arguments]
        return self._value(arguments, "")

    def _value(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: self._value(member, name) for name, member in value.items()}
        if isinstance(value, list):
            return [self._value(item, key) for item in value]
        if isinstance(value, str):
            if key in _NAMED:
                value = ":".join(self._names.get(name, name) for name in value.split(":"))
            return self._prose(value)
        if key == "fdset-id" and type(value) is int:
            return self._sets.get(value, value)
        return value

    def _word(self, word: str) -> str:
        return self._prose(self._names.get(word, word))

    def _prose(self, text: str) -> str:
        text = _FDSET.sub(lambda match: f"/dev/fdset/{self._set(match[1])}", text)
        return _FD_IN_LINE.sub(lambda match: match[1] + self._listed(match[2]), text)

    def _listed(self, names: str) -> str:
        return ":".join(self._names.get(name, name) for name in names.split(":"))

    def _set(self, digits: str) -> int:
        return self._sets.get(int(digits), int(digits))

    def fit(self, raw: bytes) -> bytes:
        """Write a recorded reply with the client's numbers."""
        given = {old: new for new, old in self._sets.items() if old != new}
        if not given:
            return raw

        def numbered(match: re.Match[bytes]) -> bytes:
            number = int(match[2])
            return match[1] + b"%d" % given.get(number, number)

        return _FDSET_IN_RAW.sub(numbered, raw)
