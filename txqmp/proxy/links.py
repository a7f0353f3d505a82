"""One number for a client's command and what is sent to the monitor for it."""

from __future__ import annotations

from collections import defaultdict
from itertools import count

MAX_WAITING = 100_000
"""Numbers of a connection that are kept for the other one, who does not ask for all."""


class Links:
    """
    Hands out the numbers, to the one who carries a command out and to the one who journals it.

    Either may ask first, and each asks once at most.
    """

    def __init__(self) -> None:
        self._numbers = count(1)
        self._clients: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self._monitor: dict[int, int] = {}

    def of_client(self, connection: int, place: int) -> int:
        """
        Number a client's command.

        :param connection: the number of its connection.
        :param place: its place among what wants an answer on the connection, from 1.
        """
        waiting = self._clients[connection]
        number = waiting.pop(place, None)
        if number is None:
            number = waiting[place] = next(self._numbers)
            if len(waiting) > MAX_WAITING:
                del waiting[next(iter(waiting))]
        return number

    def forget(self, connection: int) -> None:
        """A client's connection is over."""
        self._clients.pop(connection, None)

    def expect(self, key: int, number: int) -> None:
        """
        A command is about to be sent to the monitor for the client's command of this number.

        :param key: its id; to a monitor that has none, its place on the connection, from 1.
        """
        self._monitor[key] = number

    def of_monitor(self, key: object) -> int | None:
        """The number of the client's command that a command was sent for, if for any."""
        return self._monitor.pop(key, None) if isinstance(key, int) else None

    def forget_monitor(self) -> None:
        """A new connection to the monitor begins: the ids of the last mean nothing more."""
        self._monitor.clear()
