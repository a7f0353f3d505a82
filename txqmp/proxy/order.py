"""The order of answers, with those in it that the monitor does not give."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from txqmp.jsonqmp import values
from txqmp.proxy.decode import LONG_LINE
from txqmp.proxy.unanswered import MAX_UNANSWERED, Slot

Answer = Callable[[], object]
"""Gives the client an answer of ours."""


class AnswerOrder:
    """
    The commands that are answered in their order, and which of them are answered by us.

    An answer of ours has its turn when the monitor has answered all commands before it. With more
    than 100,000 commands waiting no order is kept any more: it is given at once.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Slot, str] | Answer] = deque()
        self._kept = True
        self._line_goes_on = False

    def asked(self, slot: Slot, line: str) -> None:
        """
        The monitor was sent a command.

        :param line: the whole of it, where it is a line.
        """
        if self._kept:
            self._waiting.append((slot, line))
            self._bound()

    def answer(self, give: Answer) -> None:
        """Have a command answered by us, in its turn."""
        self._waiting.append(give)
        self._bound()
        self.go_on()

    def answered(self, slot: Slot | None) -> str:
        """
        The monitor has answered a command; what waited before that it answers no more.

        :param slot: None if it is not known which; then it is taken for the oldest.
        :returns: the command's line; empty if it has none, or is not known.
        """
        for place, waiting in enumerate(self._waiting):
            if isinstance(waiting, tuple) and (slot is None or waiting[0] is slot):
                before = [self._waiting.popleft() for _ in range(place + 1)]
                ours = [give for give in before if not isinstance(give, tuple)]
                self._waiting.extendleft(reversed(ours))
                return waiting[1]
        return ""

    def unread(self, raw: bytes, problem: str) -> None:
        """
        The monitor said something that cannot be read, which may be an answer all the same.

        :param raw: it, or another piece of it.
        :param problem: what is wrong with it.
        """
        goes_on, self._line_goes_on = self._line_goes_on, False
        if problem == LONG_LINE:
            self._line_goes_on = not raw.endswith(b"\n")
        completes = raw[:1] in (b"+", b"-") and not goes_on
        if completes or problem in (values.TOO_LONG, values.TOO_DEEP):
            self.answered(None)

    def go_on(self) -> None:
        """Give the answers of ours whose turn it is."""
        while self._waiting:
            first = self._waiting[0]
            if isinstance(first, tuple):
                return
            self._waiting.popleft()
            first()

    def _bound(self) -> None:
        if len(self._waiting) > MAX_UNANSWERED:
            self._kept = False
            self._waiting = deque(give for give in self._waiting if not isinstance(give, tuple))
            self.go_on()
