"""One number for a text command and the JSON commands that it becomes."""

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
        self._text: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self._json: dict[int, int] = {}

    def of_text(self, connection: int, place: int) -> int:
        """
        Number a text command.

        :param connection: the number of its connection.
        :param place: its place among the connection's lines that want an answer, from 1.
        """
        waiting = self._text[connection]
        number = waiting.pop(place, None)
        if number is None:
            number = waiting[place] = next(self._numbers)
            if len(waiting) > MAX_WAITING:
                del waiting[next(iter(waiting))]
        return number

    def forget(self, connection: int) -> None:
        """A text connection is over."""
        self._text.pop(connection, None)

    def expect(self, key: int, number: int) -> None:
        """A JSON command of this id is about to be sent for the text command of this number."""
        self._json[key] = number

    def of_json(self, key: object) -> int | None:
        """The number of the text command that a JSON command was sent for, if for any."""
        return self._json.pop(key, None) if isinstance(key, int) else None

    def forget_json(self) -> None:
        """A new connection to the monitor begins: the ids of the last mean nothing more."""
        self._json.clear()
