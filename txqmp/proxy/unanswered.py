"""Which command a reply answers."""

from __future__ import annotations

from collections import deque
from typing import Any

from txqmp.jsonqmp.grammar import ABSENT

MAX_UNANSWERED = 100_000
"""Commands kept to pair replies with. Beyond them no reply of the connection is paired."""


class Slot:
    """
    A command that has no answer yet.

    :ivar seq: the number of its record, set when it gets one.
    :ivar mono: when it was sent, in seconds of the monotonic clock; set with ``seq``.
    :ivar oob: it was sent out of band, and is answered in no order.
    :ivar link: the number that it shares with what it led to, or was led to by; set with ``seq``.
    """

    __slots__ = ("command", "id", "link", "mono", "oob", "sensitive", "seq")

    def __init__(
        self, command: str, id: object = ABSENT, sensitive: bool = False, oob: bool = False
    ) -> None:
        self.command = command
        self.id = id
        self.sensitive = sensitive
        self.oob = oob
        self.seq = 0
        self.mono = 0.0
        self.link: int | None = None


class Unanswered:
    """The commands that wait for an answer, within a bound."""

    def __init__(self) -> None:
        self._slots: deque[Slot] = deque()
        self._ordered = True
        self._too_many = False
        # Those that asked for a secret; the forgotten ones count for ever.
        self._sensitive = 0

    def add(self, slot: Slot) -> Slot:
        """A command was sent."""
        self._sensitive += slot.sensitive
        if len(self._slots) >= MAX_UNANSWERED:
            self._too_many = True
            self._slots.clear()
        if not self._too_many and (self._ordered or slot.id is not ABSENT):
            self._slots.append(slot)
        return slot

    def lose_order(self) -> None:
        """An answer may have been overlooked: none is paired any more, unless by its id."""
        self._ordered = False
        self._slots = deque(slot for slot in self._slots if slot.id is not ABSENT)

    def oldest(self) -> Slot | None:
        """The command whose turn it is."""
        return self._slots[0] if self._slots else None

    def take(self) -> Slot | None:
        """The command whose turn it is has got its answer."""
        return self._take_at(0) if self._slots else None

    def take_id(self, key: object, failed: bool) -> Slot | None:
        """
        The oldest command of this id has got its answer.

        :param failed: the answer is an error: what could not be read gets nothing else.
        """
        for index, slot in enumerate(self._slots):
            if _same_id(slot.id, key) and (failed or slot.command):
                return self._take_at(index)
        return None

    def withdraw(self, slot: Slot) -> None:
        """A command will get no answer."""
        # It is nearly always the last.
        for index in range(len(self._slots) - 1, -1, -1):
            if self._slots[index] is slot:
                self._take_at(index)
                return

    def _take_at(self, index: int) -> Slot:
        slot = self._slots[index]
        del self._slots[index]
        self._sensitive -= slot.sensitive
        return slot

    def is_sensitive(self, slot: Slot | None) -> bool:
        """Whether the answer to a command is a secret; to an unknown one, if any may be."""
        return self._sensitive > 0 if slot is None else slot.sensitive


def _same_id(one: object, other: object) -> bool:
    # To Python true is 1, to JSON it is not; 1.0 comes back as 1.
    try:
        same = one == other
    except RecursionError:
        same = _same_deep_down(one, other)
    return same and isinstance(one, bool) is isinstance(other, bool)


def _same_deep_down(one: Any, other: Any) -> bool:
    """Compare as ``==`` does, but what is nested more deeply than it can go, too."""
    left = [(one, other)]
    while left:
        one, other = left.pop()
        if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
            left += [(value, other[key]) for key, value in one.items()]
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            left += zip(one, other, strict=True)
        elif isinstance(one, (dict, list)) or one != other:
            return False
    return True
