"""Something that happens once, and everybody who waits for it."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

_T = TypeVar("_T")


class OneShotObserver(Generic[_T]):
    """Give out any number of Deferreds for one result, before or after it is there."""

    def __init__(self) -> None:
        self._result: _T | Failure | None = None
        self._fired = False
        self._waiting: deque[Deferred[_T]] = deque()

    def when(self) -> Deferred[_T]:
        """
        Wait for it. Cancelling concerns this one Deferred alone.

        :returns: a Deferred of its own for each caller.
        """
        deferred: Deferred[_T] = Deferred(self._waiting_no_more)
        if self._fired:
            self._hand_to(deferred)
        else:
            self._waiting.append(deferred)
        return deferred

    def fire(self, result: _T | Failure) -> None:
        """Let it have happened, or failed; later calls change nothing."""
        if self._fired:
            return
        self._fired = True
        self._result = result
        # One by one: a callback may cancel those that still wait.
        while self._waiting:
            self._hand_to(self._waiting.popleft())

    def _hand_to(self, deferred: Deferred[_T]) -> None:
        if isinstance(self._result, Failure):
            # A Failure of one's own: each chain may add to its traceback or drop it.
            deferred.errback(Failure(self._result.value))
        else:
            deferred.callback(self._result)  # type: ignore[arg-type]

    def _waiting_no_more(self, deferred: Deferred[_T]) -> None:
        self._waiting.remove(deferred)
