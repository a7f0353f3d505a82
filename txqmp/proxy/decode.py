"""
What a conversation says, message by message, for the journal.

A decoder is fed copies of what went by, in both directions, and pairs replies with their
commands. What it cannot read it hands on as ``undecoded``; nothing is left out: the raw bytes
of all its messages are the bytes that went by.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from txqmp.errors import ProtocolViolation
from txqmp.journal.record import Dialect, Direction, Kind
from txqmp.journal.redact import reveals_secret
from txqmp.jsonqmp import grammar as json_grammar
from txqmp.jsonqmp.values import Junk, Value, ValueSplitter
from txqmp.monitor.framing import LineSplitter, Overlong
from txqmp.text import grammar as text_grammar

MAX_MESSAGE = 64 * 1024 * 1024
"""Bytes in a message; the pieces of a longer one are journalled undecoded."""

MAX_UNANSWERED = 100_000
"""Commands kept to pair replies with. Beyond them no reply of the connection is paired."""


class Message(NamedTuple):
    """
    One message.

    :ivar fields: what was decoded.
    :ivar raw: its bytes.
    :ivar slot: the command's own place, when it is a command.
    :ivar sensitive: it answers a command that asked for a secret.
    """

    kind: Kind
    fields: dict[str, Any]
    raw: bytes
    slot: Slot | None = None
    sensitive: bool = False


class Slot:
    """
    A command that has no answer yet.

    :ivar seq: the number of its record, set when it gets one.
    :ivar mono: when it was sent, in seconds of the monotonic clock; set with ``seq``.
    """

    __slots__ = ("command", "id", "mono", "sensitive", "seq")

    def __init__(self, command: str, id: object = None, sensitive: bool = False) -> None:
        self.command = command
        self.id = id
        self.sensitive = sensitive
        self.seq = 0
        self.mono = 0.0


class Unanswered:
    """The commands that wait for an answer, within a bound."""

    def __init__(self) -> None:
        self._slots: deque[Slot] = deque()
        self._lost_track = False

    def add(self, slot: Slot) -> Slot:
        """A command was sent."""
        if len(self._slots) >= MAX_UNANSWERED:
            self._lost_track = True
            self._slots.clear()
        if not self._lost_track:
            self._slots.append(slot)
        return slot

    def oldest(self) -> Slot | None:
        """The command whose turn it is."""
        return self._slots[0] if self._slots else None

    def take(self) -> Slot | None:
        """The command whose turn it is has got its answer."""
        return self._slots.popleft() if self._slots else None

    def take_id(self, key: object, failed: bool) -> Slot | None:
        """
        The oldest command of this id has got its answer.

        :param failed: the answer is an error: what could not be read gets nothing else.
        """
        for index, slot in enumerate(self._slots):
            if slot.id == key and (failed or slot.command):
                del self._slots[index]
                return slot
        return None


def _undecoded(problem: str, raw: bytes, slot: Slot | None = None) -> Message:
    return Message(Kind.UNDECODED, {"problem": problem}, raw, slot)


class TextDecoder:
    """Reads QMP 0.1: lines, answered in the order of the commands (rule 3)."""

    dialect: Dialect = "text"

    def __init__(self) -> None:
        self._lines = {way: LineSplitter(MAX_MESSAGE) for way in Direction}
        self._unanswered = Unanswered()
        self._greeted = False

    def feed(self, way: Direction, data: bytes) -> Iterator[tuple[Message, Slot | None]]:
        """
        Take a copy of what went by.

        :returns: each message that ends in it, with the command that it answers.
        """
        for line in self._lines[way].feed(data):
            if isinstance(line, Overlong):
                raw = line.data + b"\n" if line.last else line.data
                # The server answers it (rule 12), so it has its place in the order.
                slot = self._sent("") if line.first and way is Direction.TO_MONITOR else None
                yield _undecoded("line too long", raw, slot), None
            elif way is Direction.TO_MONITOR:
                yield self._command(line), None
            else:
                yield self._reply(line)

    def finish(self, way: Direction) -> Iterator[Message]:
        """
        The connection is over.

        :returns: what was said and not ended.
        """
        rest = self._lines[way].clear()
        if rest:
            yield _undecoded("incomplete line", rest)

    def _sent(self, verb: str, sensitive: bool = False) -> Slot:
        return self._unanswered.add(Slot(verb, None, sensitive))

    def _command(self, line: bytes) -> Message:
        raw = line + b"\n"
        try:
            command = text_grammar.parse_command(line.removesuffix(b"\r"))
        except ProtocolViolation as violation:
            return _undecoded(violation.problem, raw, self._sent(""))
        if command is None:
            return _undecoded("empty line", raw)
        arguments = list(command.arguments)
        slot = self._sent(command.verb, reveals_secret(command.verb, arguments))
        fields = {"command": command.verb, "arguments": arguments}
        return Message(Kind.COMMAND, fields, raw, slot)

    def _reply(self, line: bytes) -> tuple[Message, Slot | None]:
        raw = line + b"\n"
        line = line.removesuffix(b"\r")
        try:
            if not self._greeted:
                greeting = text_grammar.parse_greeting(line)
                self._greeted = True
                fields = {"qemu": greeting.qemu, "qmp": greeting.qmp}
                return Message(Kind.GREETING, fields, raw), None
            message = text_grammar.parse_server_line(line)
        except ProtocolViolation as violation:
            return _undecoded(violation.problem, raw), None
        if isinstance(message, text_grammar.Event):
            fields = {"event": message.name}
            if message.data:
                fields["data"] = message.data
            return Message(Kind.EVENT, fields, raw), None
        if isinstance(message, text_grammar.Unknown):
            return _undecoded("not an event", raw), None
        if isinstance(message, text_grammar.Output):
            slot = self._unanswered.oldest()
            sensitive = slot is not None and slot.sensitive
            return Message(Kind.OUTPUT, {"text": message.text}, raw, None, sensitive), slot
        slot = self._unanswered.take()
        sensitive = slot is not None and slot.sensitive
        if isinstance(message, text_grammar.Success):
            return Message(Kind.SUCCESS, {"completed": message.command}, raw), slot
        failed = isinstance(message, text_grammar.Failure)
        kind = Kind.FAILURE if failed else Kind.REJECTION
        return Message(kind, {"reason": message.reason}, raw, None, sensitive), slot


class JSONDecoder:
    """Reads JSON QMP: values, answered by id."""

    dialect: Dialect = "json"

    def __init__(self) -> None:
        self._values = {way: ValueSplitter(MAX_MESSAGE) for way in Direction}
        self._unanswered = Unanswered()

    def feed(self, way: Direction, data: bytes) -> Iterator[tuple[Message, Slot | None]]:
        """
        Take a copy of what went by.

        :returns: each message that ends in it, with the command that it answers.
        """
        for piece in self._values[way].feed(data):
            if isinstance(piece, Junk):
                yield self._junk(way, piece), None
            elif way is Direction.TO_MONITOR:
                yield self._command(piece), None
            else:
                yield self._reply(piece)

    def finish(self, way: Direction) -> Iterator[Message]:
        """
        The connection is over.

        :returns: what was said and not ended.
        """
        for piece in self._values[way].finish():
            if isinstance(piece, Junk):
                yield self._junk(way, piece)
            else:
                yield self._command(piece) if way is Direction.TO_MONITOR else self._reply(piece)[0]

    def _junk(self, way: Direction, junk: Junk) -> Message:
        slot = None
        if way is Direction.TO_MONITOR and junk.raw.strip():
            # An error without an id answers it, if no command comes in between.
            slot = self._unanswered.add(Slot("", json_grammar.ABSENT))
        return _undecoded(junk.problem, junk.raw, slot)

    def _command(self, value: Value) -> Message:
        try:
            command = json_grammar.parse_command(value.raw)
        except ProtocolViolation as violation:
            slot = self._unanswered.add(Slot("", json_grammar.ABSENT))
            return _undecoded(violation.problem, value.raw, slot)
        fields: dict[str, Any] = {"command": command.name, "arguments": command.arguments}
        if command.id is not json_grammar.ABSENT:
            fields["id"] = command.id
        if command.oob:
            fields["oob"] = True
        sensitive = reveals_secret(command.name, command.arguments)
        slot = self._unanswered.add(Slot(command.name, command.id, sensitive))
        return Message(Kind.COMMAND, fields, value.raw, slot)

    def _reply(self, value: Value) -> tuple[Message, Slot | None]:
        try:
            message = json_grammar.parse_server_message(value.raw)
        except ProtocolViolation as violation:
            return _undecoded(violation.problem, value.raw), None
        fields: dict[str, Any]
        if isinstance(message, json_grammar.Greeting):
            fields = {"qemu": message.qemu, "capabilities": list(message.capabilities)}
            return Message(Kind.GREETING, fields, value.raw), None
        if isinstance(message, json_grammar.Event):
            fields = {"event": message.name, "data": message.data}
            if message.timestamp is not None:
                fields["timestamp"] = message.timestamp
            return Message(Kind.EVENT, fields, value.raw), None
        failed = isinstance(message, json_grammar.Failure)
        slot = self._unanswered.take_id(message.id, failed)
        sensitive = slot is not None and slot.sensitive
        if isinstance(message, json_grammar.Success):
            kind, fields = Kind.SUCCESS, {"return": message.value}
        else:
            kind, fields = (
                Kind.FAILURE,
                {
                    "reason": message.description,
                    "class": message.error_class,
                },
            )
        if message.id is not json_grammar.ABSENT:
            fields["id"] = message.id
        return Message(kind, fields, value.raw, None, sensitive), slot
