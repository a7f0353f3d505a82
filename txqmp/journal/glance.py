"""
Records read for counting: the fields that a tally wants, and no more.

msgspec reads them some ten times as fast as :func:`txqmp.journal.decode` does, since what is not
asked for is not made. What it will not read, the journal's own reader decides on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec

from txqmp.codec import dumps
from txqmp.journal.reader import Torn
from txqmp.journal.record import SCHEMA, Direction, Kind, Record
from txqmp.journal.sources import Block


class Glance(msgspec.Struct, gc=False, rename={"reason_class": "class"}):
    """
    What a tally wants of a record; what does not apply is as in :class:`txqmp.journal.Record`.

    :ivar peer: the JSON of it; empty where there is none.
    :ivar raw: a character for each byte of the message.
    :ivar latency: seconds.
    """

    v: int
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    mono: float
    run: str
    monitor: str
    connection: int
    seq: int
    kind: Kind
    direction: Direction | None = None
    dialect: Literal["text", "json"] | None = None
    peer: msgspec.Raw = msgspec.Raw()
    command: str | None = None
    event: str | None = None
    reply_to: int | None = None
    latency: float | None = None
    reason_class: str | None = None
    reason: str | None = None
    lost: int | None = None
    fault: str | None = None
    verdict: str | None = None
    rule: str | None = None
    oob: bool = False
    raw: str = ""


_FIELDS: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "command": ("command", str),
    "event": ("event", str),
    "reply_to": ("reply_to", int),
    "latency": ("latency", (int, float)),
    "class": ("reason_class", str),
    "reason": ("reason", str),
    "lost": ("lost", int),
    "fault": ("fault", str),
    "verdict": ("verdict", str),
    "rule": ("rule", str),
}
"""Of each field of a record: what a glance calls it, and of which type it must be to count."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""Seconds: the years 1 and 9999, beyond which datetime knows no time."""

_decoder = msgspec.json.Decoder(Glance)


def glances(block: Block) -> Iterator[Glance | Torn]:
    """
    Read a block: what :meth:`Block.entries` gives, in the same order, at a glance.

    A record whose fields are of strange types is none the less one: those are left out.
    """
    yield from _fast(block) or map(_glance, block.entries())


def glance(record: Record) -> Glance:
    """Take what a glance has of a record that was read in full."""
    fields: dict[str, Any] = {}
    for key, (name, kind) in _FIELDS.items():
        value = record.fields.get(key)
        if isinstance(value, kind) and not isinstance(value, bool) and value != math.inf:
            fields[name] = value
    return Glance(
        v=SCHEMA,
        time=_EPOCH
        + timedelta(microseconds=round(min(max(record.time, _FIRST), _LAST) * 1_000_000)),
        mono=record.mono,
        run=record.run,
        monitor=record.monitor,
        connection=record.connection,
        seq=record.seq,
        kind=record.kind,
        direction=record.direction,
        dialect=record.dialect,
        peer=msgspec.Raw() if record.peer is None else msgspec.Raw(dumps(record.peer)),
        oob=record.fields.get("oob") is True,
        raw="" if record.raw is None else record.raw.decode("latin-1"),
        **fields,
    )


def _fast(block: Block) -> list[Glance]:
    """Read a block of nothing but records, as journals have them; empty if it is not one."""
    data = block.data
    try:
        found = _decoder.decode_lines(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    # What msgspec would take: several values in a line, a value on several, and what is not UTF-8
    # where it does not look.
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    if len(found) != lines or not data.isascii():
        return []
    for one in found:
        if one.v != SCHEMA or not (one.raw.isascii() or _is_bytes(one.raw)):
            return []
    return found


def _is_bytes(raw: str) -> bool:
    return max(raw) <= "\xff"


def _glance(entry: Record | Torn) -> Glance | Torn:
    return entry if isinstance(entry, Torn) else glance(entry)
