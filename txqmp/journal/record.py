"""
One record of a journal, and the line it is written as (``docs/journal.rst`` is the format).

:func:`encode` and :func:`decode` are exact inverses, to the microsecond.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from time import gmtime
from typing import Any, Literal

from txqmp.codec import dumps, loads_or
from txqmp.errors import JournalError

SCHEMA = 1

Dialect = Literal["text", "json"]


class Kind(StrEnum):
    """What a record tells of."""

    GREETING = "greeting"
    COMMAND = "command"
    OUTPUT = "output"
    SUCCESS = "success"
    FAILURE = "failure"
    REJECTION = "rejection"
    EVENT = "event"
    UNDECODED = "undecoded"
    OPENED = "opened"
    CLOSED = "closed"
    GAP = "gap"
    RESYNC = "resync"
    FAULT = "fault"
    VERDICT = "verdict"


class Direction(StrEnum):
    """Which way a message went."""

    TO_MONITOR = "to-monitor"
    TO_CLIENT = "to-client"


@dataclass(slots=True)
class Record:
    """
    One message between a client and a monitor, or one turn in the life of their connection.

    :ivar time: seconds since the epoch.
    :ivar mono: seconds of a monotonic clock, to measure by.
    :ivar monitor: the name of the monitor.
    :ivar connection: the number of the connection within the run.
    :ivar seq: the number of the record within its connection, from 1.
    :ivar kind: what the record tells of.
    :ivar peer: who the client is: an address and a port, or a path and its user.
    :ivar direction: which way the message went; None if nothing went anywhere.
    :ivar dialect: the protocol spoken; None if it is not known or does not matter.
    :ivar fields: the decoded message: JSON values.
    :ivar raw: the exact bytes, line end included.
    :ivar sensitive: the reply of a command that asked for a secret; never written.
    :ivar run: the journal's own mark, the same on all that one process wrote.
    """

    time: float
    mono: float
    monitor: str
    connection: int
    seq: int
    kind: Kind
    peer: dict[str, Any] | None = None
    direction: Direction | None = None
    dialect: Dialect | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    raw: bytes | None = None
    sensitive: bool = False
    run: str = ""


@dataclass(slots=True)
class Run:
    """
    The records of lines of command data that came in one read, taken together.

    They differ in ``seq``, which goes up by one, in the line and in nothing else. Each line is
    ``= ``, printable ASCII and CRLF.

    :ivar joint: the record of the first line, with the bytes of all of them.
    :ivar count: how many lines.
    """

    joint: Record
    count: int

    def records(self) -> list[Record]:
        """Take them apart."""
        first = self.joint.seq
        return [self._record(first + index, [line]) for index, line in enumerate(self._lines())]

    def halves(self) -> tuple[Run, Run]:
        """Take it in two; it has two lines at least."""
        lines, first, half = self._lines(), self.joint.seq, self.count // 2
        return (
            Run(self._record(first, lines[:half]), half),
            Run(self._record(first + half, lines[half:]), self.count - half),
        )

    def _lines(self) -> list[bytes]:
        return (self.joint.raw or b"").splitlines(keepends=True)

    def _record(self, seq: int, lines: list[bytes]) -> Record:
        fields = {**self.joint.fields, "text": lines[0][2:-2].decode("ascii")}
        return replace(self.joint, seq=seq, fields=fields, raw=b"".join(lines))


Entry = Record | Run

_ENVELOPE = frozenset(
    [
        "v",
        "time",
        "mono",
        "run",
        "monitor",
        "connection",
        "seq",
        "peer",
        "direction",
        "dialect",
        "kind",
        "raw",
    ]
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_END_OF_YEAR_9999 = 253_402_300_799
_quoted = json.encoder.encode_basestring_ascii


class Encoder:
    """
    Writes records as lines, and keeps what the next one will share with the last.

    A peer that it has seen must not be changed.
    """

    def __init__(self) -> None:
        self._time = self._mono = math.nan
        self._second = math.nan
        self._second_text = self._stamp = ""
        self._run = self._monitor = self._place = ""
        self._connection: int | None = None
        self._peer: dict[str, Any] | None = None
        self._peer_text = ""

    def line(self, record: Record, told: str, said: str) -> bytes:
        """
        Write a record as one line of ASCII JSON, line end included.

        :param told: what :func:`tell` gives for its fields.
        :param said: what :func:`say` gives for its raw bytes.
        :raises ValueError: if a time is out of range.
        """
        before, after = self._around(record)
        return f"{before}{record.seq}{after}{told}{said}}}\n".encode("ascii")

    def run(self, run: Run) -> bytes:
        """
        Write the lines of a run, in whose fields ``text`` comes first.

        :raises JournalError: if a field has the name of a part of the envelope.
        :raises ValueError: if a time is out of range.
        """
        record = run.joint
        before, after = self._around(record)
        rest = tell({key: value for key, value in record.fields.items() if key != "text"})
        middle, end = f'"{rest},"raw":"= ', '\\r\\n"}\n'
        after += ',"text":"'
        # Quoted in one go: a backslash of theirs is doubled, so none of them looks like an end.
        lines = _quoted((record.raw or b"").decode("ascii"))[3:-5].split("\\r\\n= ")
        return "".join(
            [
                f"{before}{seq}{after}{line}{middle}{line}{end}"
                for seq, line in enumerate(lines, record.seq)
            ]
        ).encode("ascii")

    def _around(self, record: Record) -> tuple[str, str]:
        """What stands before a record's number, and between that and its fields."""
        if record.time is not self._time or record.mono is not self._mono:
            self._keep_stamp(record)
        if record.peer is not self._peer:
            self._keep_peer(record.peer)
        if (
            record.connection is not self._connection
            or record.monitor is not self._monitor
            or record.run is not self._run
        ):
            self._keep_place(record)
        manner = _manner(record.direction, record.dialect, record.kind)
        return f"{self._stamp}{self._place}", f"{self._peer_text}{manner}"

    def _keep_stamp(self, record: Record) -> None:
        if not math.isfinite(record.mono):
            raise ValueError("the monotonic time is not JSON compliant")
        micro = -1
        if 0 <= record.time - self._second < 1:
            # As iso_time rounds it, which may be up to the next second.
            micro = round(record.time * 1_000_000) - round(self._second * 1_000_000)
        if 0 <= micro < 1_000_000:
            time = f"{self._second_text}.{micro:06d}"
        else:
            time = iso_time(record.time)[:-1]
            self._second = math.floor(record.time)
            self._second_text = iso_time(self._second)[:-8]
        mono = f"{record.mono:.6f}".rstrip("0")
        if mono.endswith("."):
            mono += "0"
        self._stamp = f'{{"v":{SCHEMA},"time":"{time}Z","mono":{mono}'
        self._time, self._mono = record.time, record.mono

    def _keep_peer(self, peer: dict[str, Any] | None) -> None:
        self._peer_text = "" if peer is None else f',"peer":{dumps(peer).decode("ascii")}'
        self._peer = peer

    def _keep_place(self, record: Record) -> None:
        self._place = (
            f',"run":{_quoted(record.run)},"monitor":{_quoted(record.monitor)},'
            f'"connection":{record.connection},"seq":'
        )
        self._run, self._monitor, self._connection = record.run, record.monitor, record.connection


@lru_cache(maxsize=64)
def _manner(direction: Direction | None, dialect: Dialect | None, kind: Kind) -> str:
    parts = {"direction": direction, "dialect": dialect, "kind": kind}
    return "".join(f",{_quoted(key)}:{_quoted(part)}" for key, part in parts.items() if part)


def encode(record: Record) -> bytes:
    """
    Write a record as one line of ASCII JSON, line end included.

    :raises JournalError: if a field has the name of a part of the envelope.
    :raises ValueError: if a time is out of range, or a field holds what JSON cannot.
    :raises TypeError: if a field holds what JSON cannot.
    :raises RecursionError: if the fields are nested too deeply.
    """
    return Encoder().line(record, tell(record.fields), say(record.raw))


def tell(fields: dict[str, Any], data: bytes | None = None) -> str:
    """
    Write the fields of a record, as they stand in its line.

    :param data: their JSON, where it is known.
    :raises JournalError: if a field has the name of a part of the envelope.
    :raises ValueError: if a field holds what JSON cannot.
    :raises TypeError: if a field holds what JSON cannot.
    :raises RecursionError: if they are nested too deeply.
    """
    if not _ENVELOPE.isdisjoint(fields):
        raise JournalError(f"not names for a field: {sorted(_ENVELOPE & fields.keys())}")
    if data is None:
        data = dumps(fields)
    return f",{data[1:-1].decode('ascii')}" if fields else ""


def say(raw: bytes | None) -> str:
    """Write the raw bytes of a record, as they stand in its line."""
    return "" if raw is None else f',"raw":{_quoted(raw.decode("latin-1"))}'


def decode(line: bytes) -> Record:
    """
    Read a line that :func:`encode` wrote. Keys it does not know are kept as fields.

    :raises JournalError: if it is not a record, or one of a newer format.
    """
    return from_object(parse(line))


def parse(line: bytes) -> dict[str, Any]:
    """
    Read the JSON object of a line, which may be a record or not.

    :raises JournalError: if it is none.
    """
    try:
        value = loads_or(line, _loads)
    except (ValueError, RecursionError) as error:
        raise JournalError(f"not a line of JSON: {_reason(error)}") from error
    if not isinstance(value, dict):
        raise JournalError("not a JSON object")
    return value


def from_object(value: dict[str, Any]) -> Record:
    """
    Make a record of its JSON object, which is used up.

    :raises JournalError: if it is not a record, or one of a newer format.
    """
    version = value.pop("v", None)
    if type(version) is not int or version < 1:
        raise JournalError("no journal record: it has no version")
    if version > SCHEMA:
        raise JournalError(
            f"the record is of format {version}; this txqmp reads formats up to {SCHEMA}"
        )
    direction = _optional(value, "direction", str)
    dialect = _optional(value, "dialect", str)
    raw = _optional(value, "raw", str)
    try:
        return Record(
            time=_epoch(_required(value, "time", str)),
            mono=float(_required(value, "mono", (int, float))),
            run=_required(value, "run", str),
            monitor=_required(value, "monitor", str),
            connection=_required(value, "connection", int),
            seq=_required(value, "seq", int),
            peer=_optional(value, "peer", dict),
            direction=None if direction is None else Direction(direction),
            dialect=_dialect(dialect),
            kind=Kind(_required(value, "kind", str)),
            raw=None if raw is None else raw.encode("latin-1"),
            fields=value,
        )
    except (ValueError, OverflowError) as error:
        raise JournalError(f"not a journal record: {_reason(error)}") from error


def iso_time(time: float) -> str:
    """
    Write a time as ISO 8601 in UTC, with microseconds; they are exact until 2106.

    :param time: seconds since the epoch.
    :raises ValueError: if it is not between the years 1970 and 9999.
    """
    if not 0 <= time < _END_OF_YEAR_9999:
        raise ValueError("the time is out of range")
    second, micro = divmod(round(time * 1_000_000), 1_000_000)
    return f"{_second(second)}.{micro:06d}Z"


@lru_cache(maxsize=8)
def _second(second: int) -> str:
    at = gmtime(second)
    date = f"{at.tm_year:04d}-{at.tm_mon:02d}-{at.tm_mday:02d}"
    return f"{date}T{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}"


def _epoch(text: str) -> float:
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError("the time has no zone")
    return (when - _EPOCH) // _MICROSECOND / 1_000_000


def _dialect(name: str | None) -> Dialect | None:
    match name:
        case None | "text" | "json":
            return name
    raise ValueError("unknown dialect")


def _required(value: dict[str, Any], key: str, kind: type | tuple[type, ...]) -> Any:
    part = _optional(value, key, kind)
    if part is None:
        raise JournalError(f"not a journal record: it has no {key}")
    return part


def _optional(value: dict[str, Any], key: str, kind: type | tuple[type, ...]) -> Any:
    part = value.pop(key, None)
    if part is not None and (not isinstance(part, kind) or isinstance(part, bool)):
        raise JournalError(f"not a journal record: its {key} is of the wrong type")
    return part


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def _loads(line: bytes) -> Any:
    return _decoder.decode(line.decode("utf-8"))


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)[:200]
