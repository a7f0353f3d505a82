"""Glances for the tests, each the way a journal gives them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from txqmp.journal.glance import Glance
from txqmp.journal.record import Direction, Kind

START = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
_DIRECTIONS = {
    Kind.COMMAND: Direction.TO_MONITOR,
    Kind.OPENED: None,
    Kind.CLOSED: None,
    Kind.GAP: None,
}


def glimpse(kind: Kind, seq: int = 1, at: float = 0.0, **changes: Any) -> Glance:
    """A record ``at`` seconds after the start."""
    values: dict[str, Any] = {
        "v": 1,
        "time": START + timedelta(seconds=at),
        "mono": 100 + at,
        "run": "0a1b2c3d",
        "monitor": "vm1",
        "connection": 1,
        "seq": seq,
        "kind": kind,
        "direction": _DIRECTIONS.get(kind, Direction.TO_CLIENT),
    }
    return Glance(**{**values, **changes})


def command(seq: int, name: str = "stop", at: float = 0.0, **changes: Any) -> Glance:
    return glimpse(Kind.COMMAND, seq, at, **{"command": name, "raw": "12345", **changes})


def reply(
    reply_to: int,
    name: str = "stop",
    at: float = 0.0,
    latency: float | None = 0.5,
    kind: Kind = Kind.SUCCESS,
    **changes: Any,
) -> Glance:
    values = {"command": name, "reply_to": reply_to, "latency": latency, "raw": "123", **changes}
    return glimpse(kind, reply_to + 1, at, **values)
