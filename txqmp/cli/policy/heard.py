"""The commands in journals, for a policy to look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from txqmp.journal.reader import Torn
from txqmp.journal.record import Dialect, Direction, Kind, Record
from txqmp.journal.sources import Sources
from txqmp.jsonqmp.grammar import write_command
from txqmp.text.grammar import quote

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


def heard(sources: Sources) -> Iterator[Heard]:
    """
    Read what clients said, with what was no command.

    :raises JournalError: a journal cannot be read.
    """
    for entry in sources.entries():
        if (
            isinstance(entry, Torn)
            or entry.direction is not Direction.TO_MONITOR
            or entry.dialect is None
            or entry.peer == _OURSELVES
        ):
            continue
        message = entry.raw if entry.raw is not None else _written(entry)
        if message is not None and message.strip():
            yield Heard(entry, entry.dialect, message)


def _written(record: Record) -> bytes | None:
    if record.kind is not Kind.COMMAND:
        return None
    name, arguments = str(record.fields.get("command", "")), record.fields.get("arguments")
    if record.dialect == "json":
        known = arguments if isinstance(arguments, dict) else {}
        return write_command(name, known, oob=record.fields.get("oob") is True)
    words = arguments if isinstance(arguments, list) else []
    return " ".join([name, *(quote(str(word)) for word in words)]).encode("ascii", "replace")
