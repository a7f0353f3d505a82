"""Whose command is sent next, where many clients share a monitor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from txqmp.shared.asked import Asked, Member


class Turns:
    """
    Commands that wait to be sent: one of each client in turn, each client's own in their order.

    A file descriptor is a monitor's latest only, so that of the commands that bear one no two
    are with the monitor at a time.

    :param limit: commands that are with the monitor at a time.
    :param send: sends the first of some commands; its answer is for all of them.
    :param coalesce: send queries that are the same, and the next of their clients, once for all.
    """

    def __init__(
        self, limit: int, send: Callable[[list[Asked]], object], coalesce: bool = False
    ) -> None:
        self._limit = limit
        self._send = send
        self._coalesce = coalesce
        self._sent = 0
        self._handing = False
        self._advancing = False
        # In the order of their turns; nobody who has nothing waiting.
        self._waiting: dict[Member, deque[Asked]] = {}

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._waiting.values())

    def add(self, asked: Asked) -> None:
        """Have a command sent in its turn."""
        self._waiting.setdefault(asked.member, deque()).append(asked)
        self._advance()

    def answered(self, handed: bool = False) -> None:
        """
        A command that was sent is answered, or never will be.

        :param handed: it bore a descriptor.
        """
        self._sent -= 1
        self._handing = self._handing and not handed
        self._advance()

    def drop(self, asked: Asked) -> None:
        """Do not send a command, if it was not sent yet."""
        queue = self._waiting.get(asked.member)
        if queue is not None and asked in queue:
            queue.remove(asked)
            asked.drop()
            if not queue:
                del self._waiting[asked.member]

    def leave(self, member: Member) -> None:
        """Send nothing more of a client's."""
        for asked in self._waiting.pop(member, ()):
            asked.drop()

    def _advance(self) -> None:
        # What is sent may fail at once, and leads here again.
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._sent < self._limit and (batch := self._next()):
                self._sent += 1
                self._handing = self._handing or bool(batch[0].descriptors)
                self._send(batch)
        finally:
            self._advancing = False

    def _next(self) -> list[Asked]:
        for member, queue in self._waiting.items():
            if not (self._handing and queue[0].descriptors):
                asked = self._take(member)
                return [asked, *self._same(asked)]
        return []

    def _take(self, member: Member) -> Asked:
        queue = self._waiting.pop(member)
        asked = queue.popleft()
        if queue:
            self._waiting[member] = queue
        return asked

    def _same(self, asked: Asked) -> list[Asked]:
        # Only what is its client's next: no client's commands change places.
        if not (self._coalesce and asked.query):
            return []
        members = [
            member
            for member, queue in self._waiting.items()
            if queue[0].query and queue[0].data == asked.data and member is not asked.member
        ]
        return [self._take(member) for member in members]
