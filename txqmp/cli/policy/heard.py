"""The commands in journals, for a policy to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from txqmp.journal.record import Dialect, Direction, Kind, Record
from txqmp.jsonqmp.grammar import write_command
from txqmp.reports.spans import REPLIES
from txqmp.text.grammar import quote

_DECIDES = (*REPLIES, Kind.VERDICT)
_OURSELVES = {"program": "txqmp"}
"""The peer where a gateway talks to a monitor: no client's words."""


class Heard(NamedTuple):
    """
    A message of a client.

    :ivar message: its bytes; where the journal has no more than its fields, written again.
    """

    record: Record
    dialect: Dialect
    message: bytes


def heard(records: Iterable[Record]) -> Iterator[Heard]:
    """Choose what clients said, with what was no command."""
    for record in records:
        found = _heard(record)
        if found is not None:
            yield found


def undenied(records: Iterable[Record]) -> Iterator[Heard]:
    """Choose what clients said and no policy denied, each when it is answered, or in the end."""
    waiting: dict[tuple[object, ...], Heard] = {}
    for record in records:
        found = _heard(record)
        if found is not None:
            waiting[_place(record, record.seq)] = found
        elif record.kind in _DECIDES:
            decided = waiting.pop(_place(record, record.fields.get("reply_to")), None)
            if decided is not None and record.fields.get("verdict") != "deny":
                yield decided
    yield from waiting.values()


def _heard(record: Record) -> Heard | None:
    if (
        record.direction is not Direction.TO_MONITOR
        or record.dialect is None
        or record.peer == _OURSELVES
    ):
        return None
    message = record.raw if record.raw is not None else _written(record)
    if message is None or not message.strip():
        return None
    return Heard(record, record.dialect, message)


def _place(record: Record, seq: object) -> tuple[object, ...]:
    """What a command and the records that are about it have in common."""
    link = record.fields.get("link")
    own = (record.connection, seq) if link is None else (0, link)
    return (record.run, record.monitor, *own)


def _written(record: Record) -> bytes | None:
    if record.kind is not Kind.COMMAND:
        return None
    name, arguments = str(record.fields.get("command", "")), record.fields.get("arguments")
    if record.dialect == "json":
        known = arguments if isinstance(arguments, dict) else {}
        return write_command(name, known, oob=record.fields.get("oob") is True)
    words = arguments if isinstance(arguments, list) else []
    return " ".join([name, *(quote(str(word)) for word in words)]).encode("ascii", "replace")
