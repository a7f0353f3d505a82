"""A session for the tests of ``stats`` and ``plot``, with something of everything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.journal.example import TIME
from txqmp.journal.record import Direction, Kind, Record, encode

LIBVIRT = {"path": "/run/vm1.sock", "uid": 107, "gid": 107, "pid": 1234, "program": "libvirtd"}
OTHER = {"address": "127.0.0.1", "port": 4444}
_TO_MONITOR = (Kind.COMMAND,)
_NAMES = {"kind_of": "class", "value": "return"}
_NOWHERE = (Kind.OPENED, Kind.CLOSED, Kind.GAP)


class Session:
    """Writes the records of a connection, one after the other."""

    def __init__(self, monitor: str, connection: int, peer: dict[str, Any] | None) -> None:
        self._place = {"monitor": monitor, "connection": connection, "peer": peer}
        self._seq = 0

    def record(self, kind: Kind, at: float, raw: bytes = b"", **fields: Any) -> Record:
        self._seq += 1
        way = Direction.TO_MONITOR if kind in _TO_MONITOR else Direction.TO_CLIENT
        return Record(
            time=TIME + at,
            mono=500 + at,
            seq=self._seq,
            kind=kind,
            direction=None if kind in _NOWHERE else way,
            dialect="text" if self._place["monitor"] == "old" else "json",
            fields={_NAMES.get(key, key): part for key, part in fields.items()},
            raw=raw or None,
            run="0a1b2c3d",
            **self._place,
        )

    def command(self, name: str, at: float, **more: Any) -> Record:
        raw = json.dumps({"execute": name}).encode() + b"\r\n"
        return self.record(Kind.COMMAND, at, raw, command=name, arguments={}, **more)

    def reply(
        self,
        to: int,
        name: str,
        at: float,
        latency: float,
        reason: str | None = None,
        kind: Kind = Kind.FAILURE,
        **more: Any,
    ) -> Record:
        known = {"command": name, "reply_to": to, "latency": latency, **more}
        if reason is None:
            return self.record(Kind.SUCCESS, at, b'{"return": {}}\r\n', **known, value={})
        return self.record(kind, at, b'{"error": {}}\r\n', reason=reason, **known)


def records() -> list[Record]:
    """Two connections: one of JSON with pipelining, one of text an hour later."""
    one, two = Session("vm1", 1, LIBVIRT), Session("old", 2, OTHER)
    unbound = Session("", 0, None)
    failed = {"kind_of": "DeviceNotFound"}
    return [
        one.record(Kind.OPENED, 0, upstream="unix:qemu.sock"),
        one.record(Kind.GREETING, 0.001, b'{"QMP": {}}\r\n', qemu="7.2.22", capabilities=["oob"]),
        one.command("qom-get", 0.1),
        one.command("query-block", 0.1),
        one.command("exec-oob-one", 0.1, oob=True),
        one.reply(5, "exec-oob-one", 0.102, 0.002),
        one.reply(3, "qom-get", 0.14, 0.04),
        one.reply(4, "query-block", 0.16, 0.06),
        one.record(Kind.EVENT, 0.2, b'{"event": "STOP"}\r\n', event="STOP"),
        one.command("qom-get", 0.3),
        one.reply(10, "qom-get", 0.32, 0.02),
        one.command("device_del", 0.4),
        one.reply(12, "device_del", 0.401, 0.001, "Device 'net9' not found", **failed),
        one.record(Kind.UNDECODED, 0.5, b"\xff\r\n", problem="not JSON"),
        one.command("migrate", 0.6),
        one.record(Kind.CLOSED, 1.5, reason="it closed the connection", ended_by="client"),
        unbound.record(Kind.GAP, 2.0, lost=7, problem="the disk was full"),
        two.record(Kind.OPENED, 3600, upstream="unix:old.sock"),
        two.command("[bold]x[/bold]", 3601),
        two.reply(2, "[bold]x[/bold]", 3601.5, 0.5, "\x1b[2J unknown", kind=Kind.REJECTION),
        two.record(Kind.EVENT, 3602, b"* EVENT stop\r\n", event="stop"),
        two.command("info", 3603),
    ]


def write(path: Path, whole: list[Record] | None = None) -> bytes:
    """
    Write a journal.

    :returns: its bytes.
    """
    data = b"".join(map(encode, records() if whole is None else whole))
    path.write_bytes(data)
    return data
