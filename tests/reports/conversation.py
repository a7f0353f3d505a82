"""Journals for the tests, written as conversations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.journal.example import TIME, record
from txqmp.journal.record import Dialect, Kind, Record, encode


class Conversation:
    """A connection, and what is said on it: a record every tenth of a second."""

    def __init__(
        self,
        dialect: Dialect = "json",
        *,
        connection: int = 1,
        monitor: str = "vm1",
        start: float = 1.0,
    ) -> None:
        self.records: list[Record] = []
        self._dialect = dialect
        self._connection = connection
        self._monitor = monitor
        self._start = start

    def record(self, kind: Kind, **fields: Any) -> int:
        """Add a record; its number."""
        seq = len(self.records) + 1
        since = self._start + seq / 10
        made = record(
            kind,
            run="0a1b2c3d",
            time=TIME + since,
            mono=since,
            monitor=self._monitor,
            connection=self._connection,
            seq=seq,
            dialect=self._dialect,
            fields=fields,
        )
        self.records.append(made)
        return seq

    def greeting(self, qemu: str) -> None:
        """The monitor's first words."""
        self.record(Kind.GREETING, qemu=qemu, capabilities=[])

    def command(self, command: str, arguments: Any = None, **fields: Any) -> int:
        """A command without its answer; its number."""
        if arguments is not None:
            fields["arguments"] = arguments
        return self.record(Kind.COMMAND, command=command, **fields)

    def success(self, command: str, reply_to: int, **fields: Any) -> None:
        """An answer."""
        self.record(Kind.SUCCESS, command=command, reply_to=reply_to, latency=0.1, **fields)

    def failure(self, command: str, reply_to: int, **fields: Any) -> None:
        """An answer that is an error."""
        self.record(Kind.FAILURE, command=command, reply_to=reply_to, latency=0.1, **fields)

    def asked(self, command: str, arguments: Any = None, returns: Any = None) -> None:
        """A command of JSON QMP and its answer."""
        number = self.command(command, arguments)
        self.success(command, number, **{"return": {} if returns is None else returns})

    def refused(self, command: str, arguments: Any = None, reason: str = "no") -> None:
        """A command of JSON QMP and its error."""
        number = self.command(command, arguments)
        self.failure(command, number, reason=reason, **{"class": "GenericError"})

    def line(self, line: str, *output: str, error: str | None = None) -> None:
        """A command of QMP 0.1, the lines that came for it, and its end."""
        command, *words = line.split()
        number = self.command(command, words)
        for text in output:
            self.record(Kind.OUTPUT, text=text, reply_to=number)
        if error is None:
            self.success(command, number, completed=line)
        else:
            self.failure(command, number, reason=error)

    def event(self, event: str, data: Any = None, **fields: Any) -> None:
        """An event."""
        if data is not None:
            fields["data"] = data
        self.record(Kind.EVENT, event=event, **fields)


def merged(*conversations: Conversation) -> list[Record]:
    """The records of several connections, as they came."""
    every = [record for one in conversations for record in one.records]
    return sorted(every, key=lambda record: record.mono)


def write(path: Path, records: Iterable[Record]) -> Path:
    """Write a journal."""
    path.write_bytes(b"".join(map(encode, records)))
    return path


def without(records: Sequence[Record], number: int) -> list[Record]:
    """Take a command away, with what came for it; those after it move up."""
    left = [r for r in records if number not in (r.seq, r.fields.get("reply_to"))]
    places = {one.seq: rank for rank, one in enumerate(left, 1)}
    told = []
    for one in left:
        fields = dict(one.fields)
        if "reply_to" in fields:
            fields["reply_to"] = places[fields["reply_to"]]
        told.append(replace(one, seq=places[one.seq], fields=fields))
    return told
