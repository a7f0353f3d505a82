"""Records for the tests, each the way the proxy makes them."""

from __future__ import annotations

import json
from typing import Any

from txqmp.journal.record import Direction, Kind, Record

TIME = 1795341600.123456  # 2026-11-22T10:00:00.123456Z
_TO_MONITOR = (Kind.COMMAND,)
_NOWHERE = (Kind.OPENED, Kind.CLOSED, Kind.GAP)


def record(kind: Kind = Kind.EVENT, **changes: Any) -> Record:
    if kind in _NOWHERE:
        direction = None
    else:
        direction = Direction.TO_MONITOR if kind in _TO_MONITOR else Direction.TO_CLIENT
    values: dict[str, Any] = {
        "time": TIME,
        "mono": 12.5,
        "monitor": "vm1",
        "connection": 1,
        "seq": 1,
        "direction": direction,
        "kind": kind,
    }
    return Record(**{**values, **changes})


def json_command(command: str, arguments: Any = None, **more: Any) -> Record:
    message: dict[str, Any] = {"execute": command}
    if arguments is not None:
        message["arguments"] = arguments
    message.update(more)
    fields = {"command": command, **message}
    del fields["execute"]
    raw = json.dumps(message).encode() + b"\r\n"
    return record(Kind.COMMAND, dialect="json", fields=fields, raw=raw)


def json_reply(value: Any, command: str = "query-something", **changes: Any) -> Record:
    fields = {"command": command, "reply_to": 1, "latency": 0.0012, "return": value}
    raw = json.dumps({"return": value}).encode() + b"\r\n"
    return record(Kind.SUCCESS, dialect="json", fields=fields, raw=raw, **changes)


def text_command(line: str, *words: str) -> Record:
    verb, *arguments = words or line.split()
    fields = {"command": verb.lower(), "arguments": arguments}
    return record(Kind.COMMAND, dialect="text", fields=fields, raw=line.encode() + b"\r\n")


def text_output(text: str, **changes: Any) -> Record:
    fields = {"text": text, "reply_to": 1}
    raw = f"= {text}\r\n".encode("utf-8", "surrogateescape")
    return record(Kind.OUTPUT, dialect="text", fields=fields, raw=raw, **changes)
