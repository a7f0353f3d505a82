"""
One recorded conversation as it is played again: what was asked, and what was said to it and when.

Each thing that the monitor said belongs to a command. A reply belongs to the command that it
answers. An event belongs to the command that was carried out when it came, that is the oldest
that had no reply; where all had theirs, it comes after the last of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from txqmp.journal.record import Dialect, Direction, Kind, Record

COMPLETIONS = (Kind.SUCCESS, Kind.FAILURE, Kind.REJECTION)

_SENT = (Kind.COMMAND, Kind.UNDECODED)
_UNASKED = (Kind.EVENT, Kind.UNDECODED)


@dataclass(frozen=True, slots=True)
class Said:
    """
    Something that the monitor said.

    :ivar kind: what it is; ``closed`` where the monitor ended the connection.
    :ivar delay: seconds since what was before it: the command, or what the monitor said last.
    :ivar raw: the bytes; None where the journal does not have them.
    :ivar fields: the decoded message.
    """

    kind: Kind
    delay: float
    raw: bytes | None
    fields: dict[str, Any]


@dataclass(slots=True)
class Exchange:
    """
    A command, and what was said to it.

    :ivar place: its place among the commands of the conversation, from 0.
    :ivar record: the command's own record. In the text dialect it may be a line that is no
        command, and was answered all the same.
    :ivar answer: events, data, and the reply at its end, if there was one.
    :ivar after: what came between the reply and the next command.
    """

    place: int
    record: Record
    answer: list[Said] = field(default_factory=list)
    after: list[Said] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The command's name, or verb; empty for a line that is no command."""
        name = self.record.fields.get("command")
        return name if isinstance(name, str) else ""

    @property
    def arguments(self) -> Any:
        """A list of words in the text dialect, an object in JSON."""
        kind: type = dict if self.record.dialect == "json" else list
        arguments = self.record.fields.get("arguments")
        return arguments if isinstance(arguments, kind) else kind()

    @property
    def is_answered(self) -> bool:
        """Whether the journal has the reply."""
        return any(said.kind in COMPLETIONS for said in self.answer)

    @property
    def is_withheld(self) -> bool:
        """Whether the reply, or some of its data, was a secret that the journal left out."""
        return any(said.raw is None for said in self.answer if said.kind is not Kind.CLOSED)

    @property
    def ends(self) -> bool:
        """Whether the monitor ended the connection after it."""
        return any(said.kind is Kind.CLOSED for said in (*self.answer, *self.after))


@dataclass(slots=True)
class Script:
    """
    A conversation.

    :ivar dialect: ``text`` or ``json``.
    :ivar monitor: the name of the monitor.
    :ivar connection: its number within the run.
    :ivar greeting: the bytes of the greeting; None where the journal does not have it.
    :ivar before: what was said before the first command.
    :ivar exchanges: the commands, in the order in which they were sent.
    """

    dialect: Dialect
    monitor: str
    connection: int
    greeting: bytes | None = None
    before: list[Said] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)


def read_script(records: Iterable[Record], dialect: Dialect) -> Script:
    """
    Make a script of the records of one conversation, in their order.

    :param dialect: what is spoken in it.
    """
    return _Reader(dialect).read(records)


class _Reader:
    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._script = Script(dialect, "", 0)
        self._waiting: list[Exchange] = []
        self._by_seq: dict[int, Exchange] = {}
        self._latest: Exchange | None = None
        self._last_said = 0.0

    def read(self, records: Iterable[Record]) -> Script:
        for record in records:
            self._script.monitor, self._script.connection = record.monitor, record.connection
            if record.direction is Direction.TO_MONITOR:
                self._sent(record)
            elif record.direction is Direction.TO_CLIENT:
                self._heard(record)
            elif record.kind is Kind.CLOSED and record.fields.get("ended_by") == "monitor":
                self._unasked(record)
        self._number()
        return self._script

    def _sent(self, record: Record) -> None:
        if record.kind not in _SENT:
            return
        if record.kind is Kind.UNDECODED and self._dialect == "json":
            # The server answers such in QEMU's own words.
            return
        exchange = Exchange(len(self._script.exchanges), record)
        self._script.exchanges.append(exchange)
        self._by_seq[record.seq] = exchange
        if record.kind is Kind.COMMAND:
            self._waiting.append(exchange)
            self._latest = exchange

    def _heard(self, record: Record) -> None:
        if record.kind is Kind.GREETING:
            self._script.greeting = record.raw
            self._last_said = record.mono
        elif record.kind in _UNASKED:
            if not (record.kind is Kind.UNDECODED and record.fields.get("redacted")):
                self._unasked(record)
        else:
            # A reply that is nobody's in the journal can be nobody's in a replay.
            answers = record.fields.get("reply_to")
            exchange = self._by_seq.get(answers) if isinstance(answers, int) else None
            if exchange is not None:
                self._say(exchange.answer, record, exchange)
                self._latest = exchange
                if record.kind in COMPLETIONS:
                    self._completed(exchange)

    def _unasked(self, record: Record) -> None:
        if self._waiting:
            self._say(self._waiting[0].answer, record, self._waiting[0])
        elif self._latest is not None:
            self._say(self._latest.after, record, None)
        else:
            self._say(self._script.before, record, None)

    def _say(self, said: list[Said], record: Record, exchange: Exchange | None) -> None:
        since = self._last_said if exchange is None else exchange.record.mono
        delay = max(0.0, record.mono - max(since, self._last_said))
        self._last_said = record.mono
        said.append(Said(record.kind, delay, record.raw, record.fields))

    def _completed(self, exchange: Exchange) -> None:
        if exchange in self._waiting:
            if not exchange.record.fields.get("oob"):
                # Commands are carried out in their order: the replies to earlier ones are lost.
                del self._waiting[: self._waiting.index(exchange)]
            self._waiting.remove(exchange)

    def _number(self) -> None:
        # Empty lines, and what else the monitor passed over, are not asked for again.
        self._script.exchanges = [
            exchange
            for exchange in self._script.exchanges
            if exchange.record.kind is Kind.COMMAND or exchange.answer
        ]
        for place, exchange in enumerate(self._script.exchanges):
            exchange.place = place
