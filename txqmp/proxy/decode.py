"""
What a conversation says, message by message, for the journal.

A decoder is fed copies of what went by, in both directions, and pairs replies with their
commands. What it cannot read it hands on as ``undecoded``; nothing is left out: the raw bytes
of all its messages are the bytes that went by.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from twisted.logger import Logger

from txqmp.errors import ProtocolViolation
from txqmp.journal.record import Dialect, Direction, Kind
from txqmp.journal.redact import reveals_secret
from txqmp.jsonqmp import grammar as json_grammar
from txqmp.jsonqmp import values
from txqmp.jsonqmp.grammar import ABSENT
from txqmp.jsonqmp.values import Junk, Value, ValueSplitter
from txqmp.monitor.framing import LineSplitter, Overlong
from txqmp.proxy.unanswered import Slot, Unanswered
from txqmp.text import grammar as text_grammar

__all__ = [
    "LONG_LINE",
    "UNHEARD",
    "Decoder",
    "JSONDecoder",
    "Message",
    "Slot",
    "TextDecoder",
    "UnknownDecoder",
    "decoder_for",
]

_log = Logger()

MAX_MESSAGE = 4 * 1024 * 1024
"""
Bytes in a message; the pieces of a longer one are journalled undecoded. Nothing else is done
while a message is read, which takes up to a quarter of a second for each MiB.
"""

UNHEARD = 64 * 1024
"""Bytes kept while the monitor has not said which dialect is spoken."""

# Monitors say little else than that a command was completed, and of few commands.
_parse_completion = lru_cache(maxsize=256)(text_grammar.parse_server_line)
_SHORT = 80
"""Bytes in a line that may be remembered."""

# Command data that needs no closer look, in lines enough to be worth a step of their own.
_RUN = re.compile(rb"^(?:= [ -~]*+\r\n){4,}+", re.MULTILINE)
_LONG = 512
"""Bytes in a read that is searched for them."""

LONG_LINE = "line too long"
"""The problem of a line, or a piece of one, that is longer."""

_UNHEEDED = (values.WHITE_SPACE, values.INCOMPLETE, values.SKIPPED)
"""The junk that a monitor does not answer."""


class Message(NamedTuple):
    """
    One message.

    :ivar fields: what was decoded.
    :ivar raw: its bytes.
    :ivar slot: the command's own place, when it is a command.
    :ivar sensitive: it answers, or may answer, a command that asked for a secret.
    :ivar lines: how many lines of command data it is. Where it is more than one ``raw`` holds
        them all, ``fields`` the first.
    """

    kind: Kind
    fields: dict[str, Any]
    raw: bytes
    slot: Slot | None = None
    sensitive: bool = False
    lines: int = 1


class _Decoder:
    """What the two dialects share: bytes to pieces, and what is done with those."""

    def __init__(self, make_splitter: Callable[[int], Any], max_reply: int | None = None) -> None:
        self._splitters = {
            Direction.TO_MONITOR: make_splitter(MAX_MESSAGE),
            Direction.TO_CLIENT: make_splitter(max_reply or MAX_MESSAGE),
        }
        self._unanswered = Unanswered()

    def feed(self, way: Direction, data: bytes) -> list[tuple[Message, Slot | None]]:
        """
        Take a copy of what went by.

        :returns: each message that ends in it, with the command that it answers.
        """
        return self._read(way, self._splitters[way].feed(data))

    def _read(self, way: Direction, pieces: Iterable[Any]) -> list[tuple[Message, Slot | None]]:
        from_client = way is Direction.TO_MONITOR
        messages: list[tuple[Message, Slot | None]] = []
        for piece in pieces:
            raw = self._raw(piece)
            try:
                if from_client:
                    messages.append((self._command(piece, raw), None))
                else:
                    messages.append(self._reply(piece, raw))
            except Exception:
                # It must not happen. If it does the bytes are kept, and no reply's owner is
                # guessed.
                _log.failure("a message could not be decoded")
                self._unanswered.lose_order()
                messages.append((self._undecoded(way, "the decoder failed", raw), None))
        return messages

    def withdraw(self, slot: Slot) -> None:
        """
        Expect no answer to a command: the monitor will not be asked.

        :param slot: the command's own.
        """
        self._unanswered.withdraw(slot)

    def _undecoded(
        self, way: Direction, problem: str, raw: bytes, slot: Slot | None = None
    ) -> Message:
        # What a monitor says may be the answer to anything that waits.
        sensitive = way is Direction.TO_CLIENT and self._unanswered.is_sensitive(None)
        return Message(Kind.UNDECODED, {"problem": problem}, raw, slot, sensitive)

    def _raw(self, piece: Any) -> bytes:
        raise NotImplementedError

    def _command(self, piece: Any, raw: bytes) -> Message:
        raise NotImplementedError

    def _reply(self, piece: Any, raw: bytes) -> tuple[Message, Slot | None]:
        raise NotImplementedError


class TextDecoder(_Decoder):
    """
    Reads QMP 0.1: lines, answered in the order of the commands (rule 3).

    :param greeted: the monitor's greeting was read elsewhere.
    """

    dialect: Dialect = "text"

    def __init__(self, greeted: bool = False) -> None:
        super().__init__(LineSplitter)
        self._greeted = greeted

    def feed(self, way: Direction, data: bytes) -> list[tuple[Message, Slot | None]]:
        """
        Take a copy of what went by.

        :returns: each message that ends in it, or several lines of command data as one, with
            the command that it answers.
        """
        splitter = self._splitters[way]
        if (
            not _LONG <= len(data) <= splitter.max_length
            or way is Direction.TO_MONITOR
            or not self._greeted
        ):
            return super().feed(way, data)
        messages = []
        done = 0
        for run in _RUN.finditer(data, 0 if splitter.fresh else data.find(b"\n") + 1):
            start, end = run.span()
            if start > done:
                messages += super().feed(way, data[done:start])
            messages += self._run(run[0])
            done = end
        if done < len(data):
            messages += super().feed(way, data[done:])
        return messages

    def _run(self, raw: bytes) -> list[tuple[Message, Slot | None]]:
        slot = self._unanswered.oldest()
        if self._unanswered.is_sensitive(slot):
            return super().feed(Direction.TO_CLIENT, raw)
        fields = {"text": raw[2 : raw.index(b"\r")].decode("ascii")}
        count = raw.count(b"\n")
        return [(Message(Kind.OUTPUT, fields, raw, None, False, count), slot)]

    def finish(self, way: Direction) -> Iterator[Message]:
        """
        The connection is over.

        :returns: what was said and not ended.
        """
        rest = self._splitters[way].clear()
        if rest:
            yield self._undecoded(way, "incomplete line", rest)

    def _raw(self, piece: bytes | Overlong) -> bytes:
        if isinstance(piece, Overlong):
            return piece.data + b"\n" if piece.last else piece.data
        return piece + b"\n"

    def _command(self, piece: bytes | Overlong, raw: bytes) -> Message:
        way = Direction.TO_MONITOR
        if isinstance(piece, Overlong):
            # The server answers it (rule 12), so it has its place in the order.
            slot = self._unanswered.add(Slot("")) if piece.first else None
            return self._undecoded(way, LONG_LINE, raw, slot)
        try:
            command = text_grammar.parse_command(piece.removesuffix(b"\r"))
        except ProtocolViolation as violation:
            slot = self._unanswered.add(Slot(""))
            return self._undecoded(way, violation.problem, raw, slot)
        if command is None:
            return self._undecoded(way, "empty line", raw)
        arguments = list(command.arguments)
        sensitive = reveals_secret(command.verb, arguments)
        slot = self._unanswered.add(Slot(command.verb, ABSENT, sensitive))
        fields = {"command": command.verb, "arguments": arguments}
        return Message(Kind.COMMAND, fields, raw, slot)

    def _reply(self, piece: bytes | Overlong, raw: bytes) -> tuple[Message, Slot | None]:
        way = Direction.TO_CLIENT
        if isinstance(piece, Overlong):
            if piece.first:
                self._doubt(piece.data)
            return self._undecoded(way, LONG_LINE, raw), None
        line = piece.removesuffix(b"\r")
        # The first line is the greeting, and no other is (rule 17).
        if line and not self._greeted:
            return self._greeting(line, raw), None
        try:
            if line[:1] == b"+" and len(line) <= _SHORT:
                message = _parse_completion(line)
            else:
                message = text_grammar.parse_server_line(line)
        except ProtocolViolation as violation:
            self._doubt(line)
            return self._undecoded(way, violation.problem, raw), None
        return self._message(message, raw)

    def _greeting(self, line: bytes, raw: bytes) -> Message:
        self._greeted = True
        try:
            greeting = text_grammar.parse_greeting(line)
        except ProtocolViolation as violation:
            return self._undecoded(Direction.TO_CLIENT, violation.problem, raw)
        return Message(Kind.GREETING, {"qemu": greeting.qemu, "qmp": greeting.qmp}, raw)

    def _doubt(self, line: bytes) -> None:
        """A line could not be read; it may have been the completion of a command."""
        if line[:1] in (b"+", b"-"):
            self._unanswered.lose_order()

    def _message(
        self, message: text_grammar.ServerMessage, raw: bytes
    ) -> tuple[Message, Slot | None]:
        if isinstance(message, text_grammar.Output):
            slot = self._unanswered.oldest()
            sensitive = self._unanswered.is_sensitive(slot)
            return Message(Kind.OUTPUT, {"text": message.text}, raw, None, sensitive), slot
        if isinstance(message, text_grammar.Event):
            fields = {"event": message.name}
            if message.data:
                fields["data"] = message.data
            return Message(Kind.EVENT, fields, raw), None
        if isinstance(message, text_grammar.Unknown):
            return self._undecoded(Direction.TO_CLIENT, "not an event", raw), None
        slot = self._unanswered.take()
        if isinstance(message, text_grammar.Success):
            return Message(Kind.SUCCESS, {"completed": message.command}, raw), slot
        failed = isinstance(message, text_grammar.Failure)
        kind = Kind.FAILURE if failed else Kind.REJECTION
        sensitive = self._unanswered.is_sensitive(slot)
        return Message(kind, {"reason": message.reason}, raw, None, sensitive), slot


class JSONDecoder(_Decoder):
    """
    Reads JSON QMP: values, answered by id.

    :param max_reply: bytes in a message of the monitor, where they may be more than in another.
    """

    dialect: Dialect = "json"

    def __init__(self, max_reply: int | None = None) -> None:
        super().__init__(ValueSplitter, max_reply)

    def finish(self, way: Direction) -> Iterator[Message]:
        """
        The connection is over.

        :returns: what was said and not ended.
        """
        for message, _ in self._read(way, self._splitters[way].finish()):
            yield message

    def _raw(self, piece: Value | Junk) -> bytes:
        return piece.raw

    def _command(self, piece: Value | Junk, raw: bytes) -> Message:
        try:
            if isinstance(piece, Junk):
                raise ProtocolViolation(piece.problem)
            command = json_grammar.parse_command(raw)
        except ProtocolViolation as violation:
            slot = None
            if violation.problem not in _UNHEEDED:
                # An error without an id answers it, if no command comes in between.
                slot = self._unanswered.add(Slot(""))
            return self._undecoded(Direction.TO_MONITOR, violation.problem, raw, slot)
        fields: dict[str, Any] = {"command": command.name, "arguments": command.arguments}
        if command.id is not ABSENT:
            fields["id"] = command.id
        if command.oob:
            fields["oob"] = True
        sensitive = reveals_secret(command.name, command.arguments)
        slot = self._unanswered.add(Slot(command.name, command.id, sensitive, command.oob))
        return Message(Kind.COMMAND, fields, raw, slot)

    def _reply(self, piece: Value | Junk, raw: bytes) -> tuple[Message, Slot | None]:
        try:
            if isinstance(piece, Junk):
                raise ProtocolViolation(piece.problem)
            message = json_grammar.parse_server_message(raw)
        except ProtocolViolation as violation:
            if violation.problem in (values.TOO_LONG, values.TOO_DEEP):
                self._unanswered.lose_order()
            return self._undecoded(Direction.TO_CLIENT, violation.problem, raw), None
        fields: dict[str, Any]
        if isinstance(message, json_grammar.Greeting):
            fields = {"qemu": message.qemu, "capabilities": list(message.capabilities)}
            return Message(Kind.GREETING, fields, raw), None
        if isinstance(message, json_grammar.Event):
            fields = {"event": message.name}
            if message.data:
                fields["data"] = message.data
            if message.timestamp is not None:
                fields["timestamp"] = message.timestamp
            return Message(Kind.EVENT, fields, raw), None
        return self._completion(message, raw)

    def _completion(
        self, message: json_grammar.Completion, raw: bytes
    ) -> tuple[Message, Slot | None]:
        fields: dict[str, Any]
        if isinstance(message, json_grammar.Success):
            kind, fields = Kind.SUCCESS, {"return": message.value}
        else:
            kind = Kind.FAILURE
            fields = {"reason": message.description, "class": message.error_class}
        if message.id is not ABSENT:
            fields["id"] = message.id
        slot = self._unanswered.take_id(message.id, kind is Kind.FAILURE)
        sensitive = self._unanswered.is_sensitive(slot)
        return Message(kind, fields, raw, None, sensitive), slot


class UnknownDecoder:
    """Reads nothing: what is spoken is neither of the two dialects, or was never told."""

    dialect: Dialect | None = None

    def __init__(self, problem: str = "unknown dialect") -> None:
        self._problem = problem

    def feed(self, way: Direction, data: bytes) -> list[tuple[Message, Slot | None]]:
        """
        Take a copy of what went by.

        :returns: the copy, undecoded.
        """
        return [(Message(Kind.UNDECODED, {"problem": self._problem}, data), None)]

    def finish(self, way: Direction) -> Iterator[Message]:
        """
        The connection is over.

        :returns: nothing: no byte was kept.
        """
        return iter(())


Decoder = TextDecoder | JSONDecoder | UnknownDecoder
_DECODERS: dict[bytes, Callable[[], Decoder]] = {b"+": TextDecoder, b"{": JSONDecoder}


def decoder_for(first: bytes) -> Decoder:
    """
    Make a decoder.

    :param first: the first byte that the monitor said, white space aside: it tells the dialect
        (rule 24).
    """
    return _DECODERS.get(first, UnknownDecoder)()
