"""What is wrong with a journal: damaged records, lost ones, and halves without the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from txqmp.errors import JournalError
from txqmp.journal.record import Kind, Record, from_object, parse
from txqmp.journal.sources import Block
from txqmp.reports.spans import REPLIES, Place, place

MAX_WAITING = 100_000
"""Commands of a connection that are remembered until their replies come."""

_SLACK = 2e-6
"""Seconds: a latency and two stamps are each rounded to a microsecond."""


class What(StrEnum):
    """What a finding is of."""

    TORN = "torn"
    SCHEMA = "schema"
    LOST = "lost"
    MISSING = "missing"
    ORDER = "order"
    STAMP = "stamp"
    REPLY = "reply"
    UNANSWERED = "unanswered"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Something that is not as it should be in a journal.

    :ivar line: of the file, from 1.
    :ivar note: it is told, but a journal that is whole may have it.
    """

    path: str
    line: int
    what: What
    text: str
    note: bool = False


@dataclass(slots=True)
class _Asked:
    """
    What a reply may be to.

    :ivar silent: it need not be answered: nobody knows what it is.
    """

    path: str
    line: int
    name: str
    mono: float
    silent: bool


@dataclass(slots=True)
class _Connection:
    """
    What was read of a connection that is open.

    :ivar first: the number of the first record.
    """

    first: int
    seq: int
    mono: float
    time: float
    waiting: dict[int, _Asked] = field(default_factory=dict)


class Checker:
    """
    Checks journals, block by block. What it remembers is bounded by the connections that are open.

    :param invalid: tells what is wrong with the JSON object of a record; empty if nothing is.
    :param disagreement: tells where a record's fields are not what its raw bytes say; likewise.
    :ivar records: how many were read.
    :ivar connections: how many of them began.
    :ivar problems: how many there are, by what they are of.
    :ivar notes: likewise.
    """

    def __init__(
        self, invalid: Callable[[object], str], disagreement: Callable[[Record], str]
    ) -> None:
        self._invalid = invalid
        self._disagreement = disagreement
        self._open: dict[Place, _Connection] = {}
        self.records = 0
        self.connections = 0
        self.problems: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()

    def check(self, block: Block) -> Iterator[Finding]:
        """Read some lines."""
        for number, line in enumerate(block.lines(), block.line_number):
            yield from self._count(self._line(block.path, number, line))

    def end(self) -> Iterator[Finding]:
        """There are no more: what waits for its reply does so for ever."""
        for connection in self._open.values():
            yield from self._count(_unanswered(connection, "the journal ends"))
        self._open.clear()

    def _count(self, findings: Iterator[Finding]) -> Iterator[Finding]:
        for finding in findings:
            (self.notes if finding.note else self.problems)[finding.what.value] += 1
            yield finding

    def _line(self, path: str, number: int, line: bytes) -> Iterator[Finding]:
        body = line.rstrip(b"\r\n")
        if not body:
            return
        try:
            value = parse(body)
        except JournalError as error:
            whole = line.endswith(b"\n")
            problem = str(error) if whole else "the last line was not finished"
            yield Finding(path, number, What.TORN, problem)
            return
        problem = self._invalid(value)
        try:
            record = from_object(value)
        except JournalError as error:
            yield Finding(path, number, What.SCHEMA, problem or str(error))
            return
        self.records += 1
        if problem:
            yield Finding(path, number, What.SCHEMA, problem)
        wrong = self._disagreement(record)
        if wrong:
            yield Finding(path, number, What.RAW, wrong)
        for what, text, note in self._record(path, number, record):
            yield Finding(path, number, what, text, note)
        if record.kind is Kind.CLOSED:
            closed = self._open.pop(place(record), None)
            if closed is not None:
                yield from _unanswered(closed, "the connection was closed")

    def _record(self, path: str, number: int, record: Record) -> Iterator[tuple[What, str, bool]]:
        if record.kind is Kind.GAP:
            yield _gap(record.fields)
        if record.connection == 0 and record.seq == 0:
            return  # the journal's own word
        where = place(record)
        connection = self._open.get(where)
        if connection is None:
            self.connections += 1
            connection = self._open[where] = _Connection(
                record.seq, record.seq, record.mono, record.time
            )
            if record.seq != 1:
                begins = f"{_name(record)} begins with seq {record.seq}"
                yield What.MISSING, f"{begins}: what was before stands elsewhere, if anywhere", True
        else:
            yield from _in_order(connection, record)
        if record.kind is Kind.COMMAND or (
            record.kind is Kind.UNDECODED and record.direction == "to-monitor"
        ):
            silent = record.kind is Kind.UNDECODED
            command = str(record.fields.get("command", ""))
            asked = _Asked(path, number, command, record.mono, silent)
            connection.waiting[record.seq] = asked
            if len(connection.waiting) > MAX_WAITING:
                del connection.waiting[next(iter(connection.waiting))]
        elif record.kind in REPLIES or record.kind is Kind.OUTPUT:
            yield from _answered(connection, record)
        elif record.kind is Kind.FAULT or (
            record.kind is Kind.VERDICT and record.fields.get("verdict") == "deny"
        ):
            asked_before = connection.waiting.get(record.fields.get("reply_to", 0))
            if asked_before is not None:
                asked_before.silent = True  # it may have been kept from the monitor, or its reply


def _in_order(connection: _Connection, record: Record) -> Iterator[tuple[What, str, bool]]:
    expected, seq, name = connection.seq + 1, record.seq, _name(record)
    if seq == expected + 1:
        yield What.MISSING, f"{name}: record {expected} is missing before this one", False
    elif seq > expected:
        yield (
            What.MISSING,
            f"{name}: records {expected} to {seq - 1} are missing before this one",
            False,
        )
    elif seq < expected:
        again = "again" if seq == connection.seq else f"after {connection.seq}"
        yield What.ORDER, f"{name}: seq {seq} comes {again}", False
    back = connection.mono - record.mono
    if back > 0:
        yield What.STAMP, f"{name}: mono goes back by {back:.6f} s", False
    elif record.time < connection.time:
        set_back = connection.time - record.time
        yield What.STAMP, f"{name}: the clock was set back by {set_back:.6f} s", True
    connection.seq = max(seq, connection.seq)
    connection.mono, connection.time = record.mono, record.time


def _answered(connection: _Connection, record: Record) -> Iterator[tuple[What, str, bool]]:
    kind, reply_to = record.kind.value, record.fields.get("reply_to")
    if not isinstance(reply_to, int):
        yield What.REPLY, f"{_article(kind)} {kind} that belongs to no command", True
        return
    asked = connection.waiting.get(reply_to)
    if asked is None:
        if reply_to < connection.first:
            text = f"the command of this {kind}, seq {reply_to}, stands before the journal begins"
            yield What.REPLY, text, True
        else:
            text = f"reply_to {reply_to} is no command that waits for {_article(kind)} {kind}"
            yield What.REPLY, text, False
        return
    if record.kind is Kind.OUTPUT:
        return
    del connection.waiting[reply_to]
    latency, took = record.fields.get("latency"), record.mono - asked.mono
    if isinstance(latency, float) and abs(latency - took) > _SLACK:
        yield What.STAMP, f"latency is {latency:.6f} s, and {took:.6f} s by the stamps", False
    if record.dialect == "text":
        yield from _overtaken(connection, reply_to)


def _overtaken(connection: _Connection, answered: int) -> Iterator[tuple[What, str, bool]]:
    # Text commands are answered in their order (rule 3).
    while connection.waiting and (oldest := next(iter(connection.waiting))) < answered:
        asked = connection.waiting.pop(oldest)
        if not asked.silent:
            text = f"{asked.name or 'a command'}, seq {oldest}, was passed over"
            yield What.UNANSWERED, text, False


def _unanswered(connection: _Connection, why: str) -> Iterator[Finding]:
    for asked in connection.waiting.values():
        if not asked.silent:
            text = f"{asked.name or 'the command'} has no reply: {why}"
            yield Finding(asked.path, asked.line, What.UNANSWERED, text, note=True)


def _gap(fields: dict[str, Any]) -> tuple[What, str, bool]:
    problem, lost = fields.get("problem"), fields.get("lost")
    if lost is None:
        return What.LOST, f"nothing was heard for a while: {problem}", True
    return What.LOST, f"{lost} record{'' if lost == 1 else 's'} lost here: {problem}", False


def _name(record: Record) -> str:
    return f"{record.monitor}#{record.connection}"


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
