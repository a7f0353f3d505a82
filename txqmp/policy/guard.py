"""Stands between a client and a monitor of its own, and lets by what a policy allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txqmp.journal.record import Direction, Kind
from txqmp.jsonqmp import grammar as json_grammar
from txqmp.jsonqmp import values
from txqmp.jsonqmp.grammar import ABSENT
from txqmp.policy.interface import IJudge
from txqmp.policy.request import Client
from txqmp.policy.rules import Action
from txqmp.policy.verdict import Verdict
from txqmp.proxy.decode import (
    LONG_LINE,
    MAX_MESSAGE,
    JSONDecoder,
    Message,
    Slot,
    TextDecoder,
    UnknownDecoder,
    decoder_for,
)
from txqmp.proxy.descriptors import MAX_WAITING, close_all
from txqmp.proxy.interposed import IInterposer
from txqmp.proxy.order import AnswerOrder
from txqmp.text import grammar as text_grammar

MAX_HELD = 64 * 1024
"""Bytes of a client, or of answers to it, that wait here before no more is read of it."""

MAX_REPLY = 16 * 1024 * 1024
"""Bytes in a message of the monitor behind which an answer of ours finds its place."""

_log = Logger()

_WHITE = b" \t\r\n"
_REPLIES = (Kind.SUCCESS, Kind.FAILURE, Kind.REJECTION)
_TO_MONITOR, _TO_CLIENT = Direction.TO_MONITOR, Direction.TO_CLIENT


@implementer(IInterposer)
class Guard:
    """
    Sees what a client says whole, and sends on what is allowed, as it came.

    What is no message is never sent on, nor is one of more than 4 MiB, or a line of text of more
    than rule 12 has for one; white space is. Before the monitor has greeted nothing is, and a
    monitor of neither dialect is left at once.

    :param ends: the client and the monitor: :class:`~txqmp.proxy.interposed.IEnds`.
    :param judge: an :class:`~txqmp.policy.interface.IJudge`.
    :param client: who it is.
    :param clock: measures delays.
    :param agent: the monitor is a guest agent: it speaks JSON, and does not greet.
    """

    def __init__(
        self, ends: Any, judge: IJudge, client: Client, clock: IReactorTime, agent: bool = False
    ) -> None:
        self._ends = ends
        self._judge: Any = judge
        self._client = client
        self._clock = clock
        self._decoder: JSONDecoder | TextDecoder | None = JSONDecoder(MAX_REPLY) if agent else None
        # What the client said and nobody has judged yet.
        self._early: deque[tuple[bytes, list[int]]] = deque()
        self._waiting: deque[tuple[Message, list[int]]] = deque()
        self._held = 0
        self._descriptors: list[int] = []
        self._longest = MAX_MESSAGE
        self._unread = dict.fromkeys(Direction, 0)
        self._delayed: tuple[IDelayedCall, Message, list[int]] | None = None
        self._asked_all: list[Callable[[], object]] = []
        # What we say to the client: in its order, and only between two messages.
        self._order = AnswerOrder()
        self._unsaid = 0
        self._answers: deque[bytes] = deque()
        self._torn = False
        self._astray = False
        self._line_open = False
        self._reads = True
        self._reading = True
        self._client_is_there = True
        self._stopped = False

    def hear(self, way: Direction, data: bytes, descriptors: list[int]) -> None:
        """
        One end said something.

        :param way: where it goes.
        :param descriptors: that came with its first byte; they are the guard's from now on.
        """
        if self._stopped:
            close_all(descriptors)
        elif way is _TO_CLIENT:
            self._from_monitor(data, descriptors)
        elif descriptors and len(descriptors) + self._files > MAX_WAITING:
            close_all(descriptors)
            self._ends.close(f"more than {MAX_WAITING} file descriptors of the client wait")
        elif self._decoder is None:
            self._early.append((data, descriptors))
            self._held += len(data)
            self._regulate()
        else:
            self._from_client(self._decoder, data, descriptors)

    # What the client says.

    @property
    def _files(self) -> int:
        """How many descriptors of the client wait here."""
        waiting = [files for _, files in (*self._early, *self._waiting)]
        if self._delayed is not None:
            waiting.append(self._delayed[2])
        return len(self._descriptors) + sum(map(len, waiting))

    def _from_client(
        self, decoder: JSONDecoder | TextDecoder, data: bytes, descriptors: list[int]
    ) -> None:
        way = _TO_MONITOR
        self._descriptors += descriptors
        idle = not self._unread[way] and not self._waiting and self._delayed is None
        if isinstance(decoder, JSONDecoder) and idle:
            # The end of a line may come later than its value, and somebody may wait for it.
            rest = data.lstrip(_WHITE)
            if len(rest) < len(data):
                self._pass_by(data[: len(data) - len(rest)], self._take())
            data = rest
        messages = decoder.feed(way, data)
        self._unread[way] += len(data) - sum(len(message.raw) for message, _ in messages)
        for message, _ in messages:
            self._waiting.append((message, self._take()))
            self._held += len(message.raw)
        self._advance()

    def _take(self) -> list[int]:
        descriptors, self._descriptors = self._descriptors, []
        return descriptors

    def _advance(self) -> None:
        while self._waiting and self._delayed is None and not self._stopped:
            message, descriptors = self._waiting.popleft()
            self._held -= len(message.raw)
            self._consider(message, descriptors)
        self._regulate()
        self._check_asked_all()

    def _consider(self, message: Message, descriptors: list[int]) -> None:
        raw = message.raw
        line = raw.removesuffix(b"\n").removesuffix(b"\r")
        if message.kind is Kind.COMMAND and len(line) <= self._longest:
            verdict = self._judged(raw, message)
        elif not raw.strip(_WHITE):
            self._pass_by(raw, descriptors)
            return
        else:
            verdict = self._judge.unreadable(message.fields.get("problem", LONG_LINE))
        self._do(message, verdict, descriptors)

    def _judged(self, raw: bytes, message: Message) -> Verdict:
        assert self._decoder is not None
        try:
            verdict: Verdict = self._judge.judge(self._client, self._decoder.dialect, raw)
        except Exception:
            command = message.fields["command"]
            _log.failure("{command} could not be judged", command=command)
            reason = "internal error: the command could not be judged"
            return Verdict(Action.DENY, "internal error", reason)
        return verdict

    def _do(self, message: Message, verdict: Verdict, descriptors: list[int]) -> None:
        if verdict.denied:
            self._tell(message, verdict, len(descriptors))
            close_all(descriptors)
            self._deny(message, verdict)
        elif verdict.wait and not self._client_is_there:
            close_all(descriptors)
        elif verdict.wait:
            self._tell(message, verdict, len(descriptors))
            call = self._clock.callLater(verdict.wait, self._come)
            self._delayed = (call, message, descriptors)
            self._held += len(message.raw)
        else:
            self._pass(message, descriptors)
            self._tell(message, verdict, len(descriptors))

    def _come(self) -> None:
        """What was delayed has its turn."""
        assert self._delayed is not None
        _, message, descriptors = self._delayed
        self._delayed = None
        self._held -= len(message.raw)
        self._pass(message, descriptors)
        self._advance()

    def _pass(self, message: Message, descriptors: list[int]) -> None:
        if message.slot is not None and not message.fields.get("oob"):
            self._order.asked(message.slot, "")
        self._ends.write(_TO_MONITOR, message.raw, descriptors)

    def _pass_by(self, raw: bytes, descriptors: list[int]) -> None:
        self._ends.write(_TO_MONITOR, raw, descriptors)
        self._ends.heard(_TO_MONITOR, raw, len(descriptors))

    def _tell(self, message: Message, verdict: Verdict, descriptors: int) -> None:
        self._ends.heard(_TO_MONITOR, message.raw, descriptors)
        fields = verdict.fields()
        if fields:
            if message.slot is not None and message.slot.command:
                fields["command"] = message.slot.command
            if "id" in message.fields:
                fields["id"] = message.fields["id"]
            self._ends.verdict(fields, message.raw, not verdict.denied)

    # What is answered here.

    def _deny(self, message: Message, verdict: Verdict) -> None:
        slot = message.slot
        if slot is None:
            return  # the rest of something that was answered
        assert self._decoder is not None
        self._decoder.withdraw(slot)
        reason = verdict.reply_reason
        if isinstance(self._decoder, JSONDecoder):
            asked_as = message.fields.get("id", ABSENT)
            answer = json_grammar.write_failure("GenericError", reason, asked_as)
        else:
            answer = text_grammar.write_failure(reason)
        self._unsaid += 1
        self._held += len(answer)
        if message.fields.get("oob"):
            self._say(answer)
        else:
            self._order.answer(partial(self._say, answer))

    def _say(self, answer: bytes) -> None:
        self._answers.append(answer)
        self._say_all()

    def _say_all(self) -> None:
        if self._answers and self._astray:
            self._ends.close("nobody knows where a message of the monitor has ended: too long")
            return
        while self._answers and not self._torn:
            answer = self._answers.popleft()
            self._unsaid -= 1
            self._held -= len(answer)
            if not self._client_is_there:
                continue
            # The end of the monitor's line, if it comes yet, will be that of ours.
            answer = b"\r\n" + answer if self._line_open else answer + b"\r\n"
            self._ends.write(_TO_CLIENT, answer, [])
            self._ends.heard(_TO_CLIENT, answer)
            self._regulate()

    # What the monitor says.

    def _from_monitor(self, data: bytes, descriptors: list[int]) -> None:
        if self._decoder is None:
            first = data.lstrip(_WHITE)[:1]
            decoder = decoder_for(first) if first else None
            if isinstance(decoder, JSONDecoder):
                decoder = JSONDecoder(MAX_REPLY)
            if isinstance(decoder, UnknownDecoder):
                self._give(data, descriptors)
                self._ends.close("the monitor speaks neither dialect: nothing can be judged")
                return
            if decoder is None:
                self._give(data, descriptors)
                return
            self._decoder = decoder
            if isinstance(decoder, TextDecoder):
                # Of a longer one a monitor might take the rest for another.
                self._longest = text_grammar.MAX_COMMAND_LENGTH
        self._read(self._decoder, data, descriptors)
        while self._early and not self._stopped:
            said, came_with = self._early.popleft()
            self._held -= len(said)
            self._from_client(self._decoder, said, came_with)

    def _read(
        self, decoder: JSONDecoder | TextDecoder, data: bytes, descriptors: list[int]
    ) -> None:
        """Pass it on as it came, and an answer of ours where its turn is, in the middle or not."""
        start = 0
        if isinstance(decoder, JSONDecoder) and not self._unread[_TO_CLIENT]:
            start = len(data) - len(data.lstrip(_WHITE))
        place = start - self._unread[_TO_CLIENT]
        given = 0
        messages = decoder.feed(_TO_CLIENT, data[start:])
        self._unread[_TO_CLIENT] += len(data) - start
        for message, answers in messages:
            place += len(message.raw)
            self._unread[_TO_CLIENT] -= len(message.raw)
            if self._unsaid:
                self._give(data[given:place], descriptors)
                given, descriptors = place, []
                self._torn = False
            self._answered(message, answers)
            if self._unsaid:
                self._say_all()
        self._give(data[given:], descriptors)
        rest = data[place:] if messages else data[start:]
        begun = rest if isinstance(decoder, TextDecoder) else rest.strip(_WHITE)
        self._torn = bool(begun) or (self._torn and not messages)
        self._say_all()

    def _give(self, data: bytes, descriptors: list[int]) -> None:
        if data or descriptors:
            self._ends.write(_TO_CLIENT, data, descriptors)
            self._ends.heard(_TO_CLIENT, data, len(descriptors))
            self._line_open = not data.endswith(b"\n")

    def _answered(self, message: Message, slot: Slot | None) -> None:
        if message.kind in _REPLIES:
            self._order.answered(slot)
        elif message.kind is Kind.UNDECODED:
            problem = message.fields["problem"]
            self._astray = self._astray or problem in (values.TOO_LONG, values.TOO_DEEP)
            self._order.unread(message.raw, problem)
        else:
            return
        self._order.go_on()

    # How much is held, and how it ends.

    def client_reads(self, reads: bool) -> None:
        """The client has fallen behind with reading, or has caught up: it is to read first."""
        self._reads = reads
        self._regulate()

    def _regulate(self) -> None:
        wanted = self._reads and self._held <= MAX_HELD
        if not wanted or not self._reading:
            self._reading = wanted
            if not self._stopped:
                self._ends.read(wanted, _TO_MONITOR)

    def when_asked_all(self, then: Callable[[], object]) -> None:
        """
        The client says no more.

        :param then: called when the monitor was sent all of it that is allowed.
        """
        if self._stopped:
            then()
            return
        self._asked_all.append(then)
        self._check_asked_all()

    def _check_asked_all(self) -> None:
        if self._stopped or (self._early or self._waiting or self._delayed is not None):
            return
        while self._asked_all:
            self._finish()
            self._asked_all.pop(0)()

    def _finish(self) -> None:
        """What the client has said by halves is not sent on."""
        for message in () if self._decoder is None else self._decoder.finish(_TO_MONITOR):
            if message.raw.strip(_WHITE) or isinstance(self._decoder, TextDecoder):
                verdict = self._judge.unreadable(message.fields["problem"])
                self._do(message._replace(slot=None), verdict, self._take())
            else:
                self._pass_by(message.raw, self._take())

    def when_at_rest(self, then: Callable[[], object]) -> None:
        """
        The monitor says no more.

        :param then: called at once: what it said was passed on, and what was denied behind a
            command that it has not answered has no turn any more.
        """
        then()

    def client_is_gone(self) -> None:
        """What it said goes on, but nothing is said to it, and nothing is delayed any more."""
        self._client_is_there = False
        if self._delayed is not None:
            self._drop_what_waits()

    def stop(self) -> None:
        """Send nothing more, to either."""
        if self._stopped:
            return
        self._stopped = True
        self._drop_what_waits()
        for _, descriptors in self._early:
            close_all(descriptors)
        close_all(self._take())
        self._early.clear()
        self._answers.clear()
        self._asked_all.clear()

    def _drop_what_waits(self) -> None:
        if self._delayed is not None:
            call, _, descriptors = self._delayed
            self._delayed = None
            call.cancel()
            close_all(descriptors)
        for _, descriptors in self._waiting:
            close_all(descriptors)
        self._waiting.clear()
