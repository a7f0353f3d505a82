"""The client's end of a conversation that is held again: what comes is kept until asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from txqmp.errors import BoundExceeded, ConnectionUnusable, ProtocolViolation
from txqmp.journal.record import Dialect
from txqmp.jsonqmp import grammar as json_grammar
from txqmp.jsonqmp.values import Junk, ValueSplitter
from txqmp.monitor.closing import GracefulClose, ending_text
from txqmp.monitor.framing import LineSplitter, Overlong
from txqmp.monitor.observer import OneShotObserver
from txqmp.text import grammar as text_grammar

MAX_ANSWER = 64 * 1024 * 1024
"""Bytes from one reply to the next; the events between them count."""

Answer = dict[str, Any]
"""What a reply says, as JSON: the same for the record and for what comes now."""

ENDED: Answer = {"end": "the monitor closed the connection"}
"""What comes in the place of an answer when there is none."""


class Asker(Protocol):
    """
    Hears a monitor.

    :param dialect: what it is to speak.
    :param clock: measures the time to close.
    :ivar over: why nothing more comes, or None while something may.
    """

    def __init__(self, dialect: Dialect, clock: Any) -> None:
        self.over: Exception | None = None
        self._lost = False
        self._json = dialect == "json"
        self._splitter: Any = ValueSplitter() if self._json else LineSplitter(MAX_ANSWER)
        self._greeting: Answer | None = None
        self._output: list[str] = []
        self._answers: deque[Answer] = deque()
        self._events: dict[str, deque[Answer]] = {}
        self._late: list[str] = []
        self._size = 0
        self._news: Deferred[None] | None = None
        self._end = GracefulClose(clock)
        self._when_lost: OneShotObserver[None] = OneShotObserver()

    # What has come.

    def greeting(self) -> Answer | None:
        """The greeting, if it has come."""
        return self._greeting

    def answer(self) -> Answer | None:
        """Take the next reply, if it has come; what stands in its place, if none will."""
        if self._answers:
            return self._answers.popleft()
        return ENDED if self.over is not None else None

    def event(self, name: str) -> Answer | None:
        """Take the next event of a name, if it has come."""
        came = self._events.get(name)
        return came.popleft() if came else None

    def events_left(self) -> list[tuple[str, Answer]]:
        """The events that nobody took."""
        return [(name, event) for name, came in self._events.items() for event in came]

    def forget_late_events(self) -> None:
        """Forget those events that came after the last reply."""
        for name in self._late:
            if self._events[name]:
                self._events[name].pop()

    def news(self) -> Deferred[None]:
        """Wait until something comes, or nothing will."""
        self._news = Deferred(self._no_news)
        return self._news

    def _no_news(self, waiting: Deferred[None]) -> None:
        self._news = None

    # What comes.

    def dataReceived(self, data: bytes) -> None:
        """Take in what the monitor says."""
        if self.over is not None:
            return
        self._size += len(data)
        try:
            if self._size > MAX_ANSWER:
                raise BoundExceeded(f"more than {MAX_ANSWER} bytes, and no reply (MAX_ANSWER)")
            for piece in self._splitter.feed(data):
                if self._json:
                    self._take_value(piece)
                else:
                    self._take_line(piece)
        except ProtocolViolation as violation:
            self.give_up(violation)
            return
        self._tell()

    def _take_value(self, piece: Any) -> None:
        if isinstance(piece, Junk):
            if piece.raw.strip():
                raise ProtocolViolation("not JSON QMP", piece.raw)
            return
        message = json_grammar.parse_server_message(piece.raw)
        if isinstance(message, json_grammar.Greeting):
            self._greeting = greeting_of(message)
        elif isinstance(message, json_grammar.Event):
            self._heard_event(message.name, {"data": message.data})
        elif isinstance(message, json_grammar.Success):
            self._heard_answer({"return": message.value})
        else:
            error = {"class": message.error_class, "desc": message.description}
            self._heard_answer({"error": error})

    def _take_line(self, piece: bytes | Overlong) -> None:
        if isinstance(piece, Overlong):
            raise ProtocolViolation("line too long", piece.data)
        line = piece.removesuffix(b"\r")
        if self._greeting is None:
            self._greeting = greeting_of(text_grammar.parse_greeting(line))
            return
        message = text_grammar.parse_server_line(line)
        if isinstance(message, text_grammar.Output):
            self._output.append(message.text)
        elif isinstance(message, text_grammar.Event):
            self._heard_event(message.name, {"data": message.data})
        elif not isinstance(message, text_grammar.Unknown):
            self._heard_answer(text_answer(self._output, message))
            self._output = []

    def _heard_event(self, name: str, event: Answer) -> None:
        self._events.setdefault(name, deque()).append(event)
        self._late.append(name)

    def _heard_answer(self, answer: Answer) -> None:
        self._answers.append(answer)
        self._late.clear()
        self._size = 0

    def _tell(self) -> None:
        if self._news is not None:
            news, self._news = self._news, None
            news.callback(None)

    # The end.

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nothing more comes."""
        self._lost = True
        self._end.closed()
        self._finish(ConnectionUnusable(f"the connection is over: {ending_text(reason.value)}"))
        self._when_lost.fire(None)

    def _finish(self, reason: Exception) -> None:
        if self.over is None:
            self.over = reason
            self._tell()

    def give_up(self, reason: Exception) -> None:
        """Listen no more."""
        self._finish(reason)
        self.close()

    def close(self) -> Deferred[None]:
        """
        End the connection.

        :returns: fires when it is over.
        """
        if not self._lost:
            self._end.close(self.transport)
        return self._when_lost.when()


def greeting_of(message: json_grammar.Greeting | text_grammar.Greeting) -> Answer:
    """Write a greeting as it is compared."""
    if isinstance(message, json_grammar.Greeting):
        return dict(message.fields)
    return {"qemu": message.qemu, "qmp": message.qmp}


def text_answer(output: Iterable[str], completion: text_grammar.Completion) -> Answer:
    """Write a reply of the text protocol as it is compared."""
    lines = list(output)
    answer: Answer = {"data": lines} if lines else {}
    if isinstance(completion, text_grammar.Success):
        return {**answer, "OK": completion.command}
    word = "ERR" if isinstance(completion, text_grammar.Failure) else "BAD"
    return {**answer, word: completion.reason}
