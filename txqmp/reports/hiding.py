"""
Taking secrets out of journals that have some, line by line.

What each record may say :mod:`txqmp.journal.redact` knows. That the reply to a command is a secret
the proxy knew from the command; here the commands of each connection are remembered for that.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any

from txqmp.errors import JournalError
from txqmp.journal.confidential import REDACTED
from txqmp.journal.record import Direction, Kind, Record, decode, encode
from txqmp.journal.redact import redact, reveals_secret
from txqmp.reports.spans import REPLIES, Place, place

MAX_WAITING = 100_000
"""Commands of a connection that are remembered until their replies come."""

_GONE = re.compile(rb"\[redacted [0-9]+ bytes\]")
_ANSWERS = (*REPLIES, Kind.OUTPUT)


@dataclass(slots=True)
class _Asked:
    """
    The commands of a connection that have no reply yet.

    :ivar sensitive: whether each asked for a secret, by its number.
    :ivar secrets: how many did.
    :ivar forgotten: there were too many: one of those that did may be forgotten.
    """

    sensitive: dict[int, bool] = field(default_factory=dict)
    secrets: int = 0
    forgotten: bool = False


class Hider:
    """
    Takes the secrets out of journals.

    :param peers: say who the clients were, and where the monitors are.
    :param raw: keep the exact bytes, and so what was not decoded.
    :ivar records: how many were read.
    :ivar changed: how many were not left as they were.
    :ivar dropped: how many lines are no records. Nobody knows what is in them: they are left out.
    """

    def __init__(self, *, peers: bool = True, raw: bool = True) -> None:
        self._peers = peers
        self._raw = raw
        self._connections: dict[Place, _Asked] = {}
        self.records = 0
        self.changed = 0
        self.dropped = 0

    def line(self, line: bytes) -> bytes:
        """
        Read a line of a journal, and write it again.

        :returns: the line as it is where nothing is to be hidden; empty for what is no record.
        """
        body = line.rstrip(b"\r\n")
        if not body:
            return b""
        try:
            record = decode(body)
            hidden = self._hide(record)
            if hidden is record and line.endswith(b"\n") and not _says_twice(body):
                new = line
            else:
                new = encode(hidden)
        except (JournalError, ValueError, TypeError, RecursionError):
            self.dropped += 1
            return b""
        self.records += 1
        self.changed += new.rstrip(b"\r\n") != body
        return new

    def _hide(self, record: Record) -> Record:
        record.sensitive = self._is_sensitive(record)
        new = _redacted(record)
        if not self._peers:
            new = _without_peer(new)
        if not self._raw and new.raw is not None:
            new = replace(new, raw=None, fields={**new.fields, "redacted": True})
        return new

    def _is_sensitive(self, record: Record) -> bool:
        where = place(record)
        if record.kind is Kind.OPENED or record.kind is Kind.CLOSED:
            self._connections.pop(where, None)
            return False
        if record.direction is None:
            return False
        asked = self._connections.setdefault(where, _Asked())
        if record.direction is Direction.TO_MONITOR:
            if record.kind is Kind.COMMAND:
                _remember(asked, record)
            return False
        if record.kind in _ANSWERS or (record.kind is Kind.FAULT and record.raw is not None):
            answers = _answers_secret(asked, record)
            # That a text command was completed says nothing of what it gave.
            return answers and not (record.kind is Kind.SUCCESS and record.dialect == "text")
        # What is not understood may be the answer to anything that waits.
        return record.kind is Kind.UNDECODED and (asked.secrets > 0 or asked.forgotten)


def _remember(asked: _Asked, record: Record) -> None:
    command = str(record.fields.get("command", ""))
    sensitive = reveals_secret(command, record.fields.get("arguments"))
    asked.secrets += sensitive - asked.sensitive.get(record.seq, False)
    asked.sensitive[record.seq] = sensitive
    if len(asked.sensitive) > MAX_WAITING:
        asked.forgotten = asked.forgotten or asked.sensitive.pop(next(iter(asked.sensitive)))


def _answers_secret(asked: _Asked, record: Record) -> bool:
    number, command = record.fields.get("reply_to"), record.fields.get("command")
    if not isinstance(number, int):
        return asked.secrets > 0 or asked.forgotten
    known = asked.sensitive.get(number)
    if known is None:
        # Its command stands in a journal that was not given: what it asked for nobody can tell.
        return asked.forgotten or _may_ask_for_secret(command)
    if record.kind is not Kind.OUTPUT:
        del asked.sensitive[number]
        asked.secrets -= known
    return known


def _may_ask_for_secret(command: Any) -> bool:
    if not isinstance(command, str):
        return True
    name = command.lower().replace("_", "-").lstrip()
    return name.startswith(("qom-get", "info", "human-monitor-command"))


def _redacted(record: Record) -> Record:
    if record.fields.get("redacted") is not True:
        return redact(record)
    # Where the bytes are gone already, the words that say so are not to be taken for bytes.
    raw = record.raw
    if raw is not None and _GONE.fullmatch(raw.rstrip(b"\r\n")):
        bare = replace(record, raw=None)
        new = redact(bare)
        return record if new is bare else replace(new, raw=raw)
    return redact(record)


def _without_peer(record: Record) -> Record:
    upstream = record.fields.get("upstream", REDACTED)
    if record.peer is None and (record.kind is not Kind.OPENED or upstream == REDACTED):
        return record
    fields = {**record.fields, "redacted": True}
    if "upstream" in fields and record.kind is Kind.OPENED:
        fields["upstream"] = REDACTED
    return replace(record, peer=None, fields=fields)


def _says_twice(body: bytes) -> bool:
    """Whether an object names something twice: a reader sees the last, and the first is there."""
    try:
        json.loads(body, object_pairs_hook=_once)
    except _TwiceError:
        return True
    return False


class _TwiceError(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _TwiceError
