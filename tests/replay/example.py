"""Conversations for the tests, recorded as the proxy records them."""

from __future__ import annotations

import re
from typing import Any

from txqmp.journal.record import Dialect, Direction, Kind, Record, encode
from txqmp.proxy.decode import JSONDecoder, TextDecoder

JSON_GREETING = (
    '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, '
    '"capabilities": ["oob"]}}'
)
TEXT_GREETING = "+ OK QEMU 0.10.50 QMP 0.1"
_TIME = 1795341600.0
_LINE = re.compile(r"\s*(?:([0-9.]+) )?([CSX]): ?(.*)")


def recorded(
    dialogue: str,
    dialect: Dialect = "json",
    *,
    monitor: str = "vm1",
    connection: int = 1,
    run: str = "0a1b2c3d",
    start: float = 100.0,
) -> list[Record]:
    """
    Record a dialogue: ``C:`` lines of a client, ``S:`` lines of a monitor, ``X:`` who ended it.

    A number before them is the second at which they were said; it stays until there is another.
    """
    decoder: Any = JSONDecoder() if dialect == "json" else TextDecoder()
    peer = {"path": "p.sock"}
    found: list[Record] = []

    def add(kind: Kind, fields: dict[str, Any], **more: Any) -> Record:
        record = Record(
            _TIME + second, start + second, monitor, connection, len(found) + 1, kind,
            peer=peer, fields=fields, run=run, **more,
        )  # fmt: skip
        found.append(record)
        return record

    second = 0.0
    add(Kind.OPENED, {"upstream": "unix:q.sock"})
    for line in filter(str.strip, dialogue.split("\n")):
        match = _LINE.fullmatch(line)
        assert match is not None, line
        second = float(match[1] or second)
        if match[2] == "X":
            add(Kind.CLOSED, {"reason": "done", "ended_by": match[3]})
            continue
        way = Direction.TO_MONITOR if match[2] == "C" else Direction.TO_CLIENT
        data = match[3].encode("latin-1") + b"\r\n"
        for message, answers in decoder.feed(way, data):
            fields = message.fields
            if answers is not None:
                fields |= {"command": answers.command, "reply_to": answers.seq}
                if message.kind is not Kind.OUTPUT:
                    fields["latency"] = start + second - answers.mono
            record = add(message.kind, fields, direction=way, dialect=dialect, raw=message.raw)
            if message.slot is not None:
                message.slot.seq, message.slot.mono = record.seq, record.mono
    return found


def written(*conversations: list[Record]) -> bytes:
    """A journal of conversations, one after the other."""
    return b"".join(encode(record) for records in conversations for record in records)


JSON = f"""
    0 S: {JSON_GREETING}
    1 C: {{"execute": "qmp_capabilities", "arguments": {{"enable": ["oob"]}}, "id": 1}}
    1.1 S: {{"return": {{}}, "id": 1}}
    2 C: {{"execute": "query-status", "id": 2}}
    2.5 S: {{"return": {{"status": "running"}}, "id": 2}}
    3 C: {{"execute": "stop", "id": 3}}
    3.2 S: {{"timestamp": {{"seconds": 5, "microseconds": 6}}, "event": "STOP"}}
    3.3 S: {{"return": {{}}, "id": 3}}
    7 S: {{"timestamp": {{"seconds": 8, "microseconds": 6}}, "event": "WAKEUP"}}
    8 C: {{"execute": "query-status", "id": 4}}
    8.5 S: {{"return": {{"status": "paused"}}, "id": 4}}
    9 C: {{"execute": "device_del", "arguments": {{"id": "nosuch"}}, "id": 5}}
    9.5 S: {{"id": 5, "error": {{"class": "DeviceNotFound", "desc": "Device 'nosuch' not found"}}}}
    10 C: {{"execute": "quit", "id": 6}}
    10.5 S: {{"return": {{}}, "id": 6}}
    11 S: {{"timestamp": {{"seconds": 9, "microseconds": 6}}, "event": "SHUTDOWN"}}
    12 X: monitor
"""

TEXT = f"""
    0 S: {TEXT_GREETING}
    1 C: info status
    1.5 S: = VM status: running
    S: + OK info status completed
    2 C: stop
    2.1 S: * EVENT stop
    2.2 S: + OK stop completed
    3 C: info  STATUS
    3.5 S: = VM status: paused
    S: + OK info status completed
    4 C: set_link foo down
    4.5 S: - ERR could not find network device 'foo'
    5 C: foo
    5.5 S: - BAD unknown command
    6 X: client
"""
