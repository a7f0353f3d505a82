"""
Commands that wait for their replies: in the order in which they were sent (rules 3 to 5), or
by number.

Each owns a Deferred and its place in the queue. Cancelling or timing out frees the caller;
the place of a command that was sent stays, so that its late reply finds it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txqmp.errors import CommandTimeout, QueueFull


class Pending:
    """
    One command and what has come for it.

    :ivar line: the command, as error messages show it.
    :ivar data: what is sent for it.
    :ivar number: its id, where it has one.
    :ivar lines: its data lines so far.
    :ivar size: bytes in them.
    :ivar abandoned: nobody waits for the reply any more.
    """

    __slots__ = ("_timer", "abandoned", "data", "deferred", "line", "lines", "number", "size")

    def __init__(self, line: str, data: bytes = b"", number: int = 0) -> None:
        self.line = line
        self.data = data
        self.number = number
        self.lines: list[str] = []
        self.size = 0
        self.abandoned = False
        self.deferred: Deferred[Any]
        self._timer: IDelayedCall | None = None

    def start_timer(
        self, clock: IReactorTime, seconds: float, call: Callable[[Pending], Any]
    ) -> None:
        """Call back in a while, unless the command ends before."""
        self._timer = clock.callLater(seconds, self._expired, call)

    def stop_timer(self) -> None:
        """The command ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expired(self, call: Callable[[Pending], Any]) -> None:
        self._timer = None
        call(self)

    def succeed(self, result: Any) -> None:
        """The reply is here."""
        if self._timer is not None:
            self.stop_timer()
        if not self.abandoned:
            self.deferred.callback(result)

    def fail(self, error: Exception) -> None:
        """An error, or the end of the connection, is here."""
        self.stop_timer()
        if not self.abandoned:
            self.deferred.errback(error)


class CommandQueue:
    """
    First in, first out: some sent and unanswered, the others waiting for the window to move.

    :param clock: measures the time-outs.
    :param window: commands sent ahead at most (rule 4).
    :param limit: commands in the queue at most.
    :param grace: seconds for which the reply to an abandoned command may still come, from
        when no other is owed before it.
    :param send: puts a command on the wire.
    :param overdue: called with an abandoned command whose reply is not coming (rule 5).
    """

    def __init__(
        self,
        clock: IReactorTime,
        window: int,
        limit: int,
        grace: float,
        send: Callable[[Pending], None],
        overdue: Callable[[Pending], None],
    ) -> None:
        self._clock = clock
        self._window = window
        self._limit = limit
        self._grace = grace
        self._send = send
        self._overdue = overdue
        self._open = False
        self.sent: deque[Pending] = deque()
        self._waiting: deque[Pending] = deque()

    def __len__(self) -> int:
        return len(self.sent) + len(self._waiting)

    def add(
        self,
        line: str,
        timeout: float | None,
        data: bytes = b"",
        number: int = 0,
        urgent: bool = False,
    ) -> Deferred[Any]:
        """
        Queue a command, and send it when its turn comes.

        :param timeout: seconds from now in which the reply must be there; None: for ever.
        :param data: what to send for it.
        :param number: its id, where it has one.
        :param urgent: do not wait for the window.
        :returns: fails with :class:`~txqmp.QueueFull` when too many wait already.
        """
        pending = Pending(line, data, number)
        deferred = pending.deferred = Deferred(partial(self._cancel, pending))
        ahead = len(self.sent)
        if ahead + len(self._waiting) >= self._limit:
            deferred.errback(QueueFull(f"{len(self)} commands wait already (max_queue)"))
            return deferred
        if timeout is not None:
            pending.start_timer(self._clock, timeout, lambda p: self._time_out(p, timeout))
        if self._open and (urgent or (ahead < self._window and not self._waiting)):
            self._keep(pending)
            self._send(pending)
        else:
            self._waiting.append(pending)
        return deferred

    def open(self) -> None:
        """The greeting came: begin to send."""
        self._open = True
        self._advance()

    def take(self) -> Pending:
        """The oldest command that was sent has got its completion."""
        pending = self.sent.popleft()
        if self.sent and self.sent[0].abandoned:
            self._start_grace(self.sent[0])
        if self._waiting:
            self._advance()
        return pending

    def take_all(self) -> tuple[list[Pending], list[Pending]]:
        """
        Empty the queue: the connection is over.

        :returns: those that were sent, and those that were not.
        """
        self._open = False
        sent, waiting = self._kept(), list(self._waiting)
        self.sent.clear()
        self._waiting.clear()
        return sent, waiting

    def _keep(self, pending: Pending) -> None:
        self.sent.append(pending)

    def _kept(self) -> list[Pending]:
        return list(self.sent)

    def _advance(self) -> None:
        while self._open and self._waiting and len(self.sent) < self._window:
            pending = self._waiting.popleft()
            self._keep(pending)
            self._send(pending)

    def _time_out(self, pending: Pending, timeout: float) -> None:
        sent = pending not in self._waiting
        error = CommandTimeout(pending.line, timeout, pending.lines, sent=sent)
        self._abandon(pending)
        pending.deferred.errback(error)

    def _cancel(self, pending: Pending, _: Deferred[Any]) -> None:
        self._abandon(pending)

    def _abandon(self, pending: Pending) -> None:
        pending.abandoned = True
        pending.lines = []
        pending.stop_timer()
        if pending in self._waiting:
            self._waiting.remove(pending)
        elif self.sent and self.sent[0] is pending:
            self._start_grace(pending)

    def _start_grace(self, pending: Pending) -> None:
        # Only for the oldest: what is owed behind a slow command is not late yet.
        pending.start_timer(self._clock, self._grace, self._overdue)


class NumberedQueue(CommandQueue):
    """
    By number: replies may come in any order. A late one does no harm, and may come for ever.

    :ivar sent: by number.
    """

    sent: dict[int, Pending]  # type: ignore[assignment]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.sent = {}

    def take(self, number: object = None) -> Pending | None:  # type: ignore[override]
        """A command has got its completion; None if there is none of this number."""
        pending = self.sent.pop(number, None) if type(number) is int else None
        if pending is not None and self._waiting:
            self._advance()
        return pending

    def _keep(self, pending: Pending) -> None:
        self.sent[pending.number] = pending

    def _kept(self) -> list[Pending]:
        return list(self.sent.values())

    def _abandon(self, pending: Pending) -> None:
        pending.abandoned = True
        pending.stop_timer()
        if pending in self._waiting:
            self._waiting.remove(pending)
