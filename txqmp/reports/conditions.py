"""
What a filter can ask of a record: the keys, and what may be said of each.

:data:`KEYS` is the whole of it: the filter and its documentation are made from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from txqmp.journal.record import Dialect, Direction, Kind, Record
from txqmp.reports.sorts import Amount, Choice, Number, Sort, Text, Texts, Time, Wire

_UNITS = {
    "latency": {"us": "0.000001", "µs": "0.000001", "ms": "0.001", "s": "1", "min": "60"},
    "size": {"B": "1", "kB": "1000", "MB": "1000000", "KiB": "1024", "MiB": "1048576"},
}


@dataclass(frozen=True)
class Key:
    """
    A key of the filter language.

    :ivar about: what it is, for the documentation.
    :ivar example: a condition.
    """

    name: str
    about: str
    sort: Sort
    example: str


def _text_field(name: str) -> Text:
    def get(record: Record) -> str | None:
        found = record.fields.get(name)
        return found if isinstance(found, str) else None

    return Text(get)


def _id(record: Record) -> str | None:
    if "id" not in record.fields:
        return None
    found = record.fields["id"]
    return found if isinstance(found, str) else json.dumps(found)


def _client(record: Record) -> Iterable[str]:
    peer = record.peer or {}
    yield from (peer[key] for key in ("program", "path", "address") if key in peer)
    if "address" in peer and "port" in peer:
        yield f"{peer['address']}:{peer['port']}"


def _client_texts(record: Record) -> Iterable[str]:
    return (str(name) for name in _client(record))


def _wire(record: Record) -> str | None:
    # A line end is no part of what was said, and $ should find the end.
    raw = record.raw
    return None if raw is None else raw.rstrip(b"\r\n").decode("utf-8", "backslashreplace")


_ALL = [
    Key(
        "command",
        "the name of the command: of its own record, and of its replies",
        _text_field("command"),
        "command:qom-*",
    ),
    Key("event", "the name of the event", _text_field("event"), "event:SHUTDOWN"),
    Key("kind", "what the record tells of", Choice(Kind, lambda record: record.kind), "kind:event"),
    Key(
        "latency",
        "how long the command took. Only replies have a latency: nothing else matches, "
        "whatever it is compared with",
        Amount(lambda record: record.fields.get("latency"), _UNITS["latency"]),
        "latency>=100ms",
    ),
    Key("class", "the class of the error", _text_field("class"), "class:GenericError"),
    Key("reason", "why it went wrong", _text_field("reason"), "reason~'not found$'"),
    Key(
        "text",
        "what went over the wire, without its line end (UTF-8; other bytes as ``\\xff``)",
        Wire(_wire),
        'text~\'"node-name": *"disk\'',
    ),
    Key("time", "when it was", Time(), "time:12:00..12:05"),
    Key("monitor", "the name of the monitor", Text(lambda record: record.monitor), "monitor:vm1"),
    Key(
        "connection",
        "the number of the connection within its run",
        Number(lambda record: record.connection),
        "connection:3",
    ),
    Key(
        "direction",
        "which way it went",
        Choice(Direction, lambda record: record.direction),
        "direction:to-monitor",
    ),
    Key(
        "dialect",
        "the protocol",
        Choice(get_args(Dialect), lambda record: record.dialect),
        "dialect:text",
    ),
    Key("id", "the command's id; one that is no text is written as JSON", Text(_id), "id:7"),
    Key(
        "peer",
        "the client: its program, the path of its socket, its address, its address and port",
        Texts(_client_texts),
        "peer:libvirtd",
    ),
    Key("run", "the mark of the process that wrote it", Text(lambda r: r.run), "run:0a1b2c3d"),
    Key(
        "seq",
        "the number of the record within its connection",
        Number(lambda record: record.seq),
        "seq>100",
    ),
    Key(
        "size",
        "the length of the message",
        Amount(
            lambda record: None if record.raw is None else len(record.raw),
            _UNITS["size"],
        ),
        "size>1kB",
    ),
    Key(
        "link",
        "the number that a command and what a gateway made of it share",
        Number(lambda record: record.fields.get("link")),
        "link:12",
    ),
    Key("fault", "the fault that was injected", _text_field("fault"), "fault:*"),
    Key("verdict", "what a policy made of a command", _text_field("verdict"), "verdict:deny"),
    Key("rule", "the rule of a fault or of a verdict", _text_field("rule"), 'rule:"read-only*"'),
]

KEYS = {key.name: key for key in _ALL}
"""The keys, by name."""
