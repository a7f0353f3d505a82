"""Events that QEMU sends at most once a second, because a guest could make floods of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txqmp.jsonqmp.grammar import JSONObject, JSONValue

INTERVAL = 1.0
"""Seconds from one event to the next of its kind."""

LIMITED: dict[str, str | None] = {
    "BALLOON_CHANGE": None,
    "MEMORY_DEVICE_SIZE_CHANGE": "qom-path",
    "QUORUM_FAILURE": None,
    "QUORUM_REPORT_BAD": "node-name",
    "RTC_CHANGE": None,
    "VSERPORT_CHANGE": "id",
    "WATCHDOG": None,
}
"""The events that are limited, and the member of their data that tells kinds of them apart."""


class _Kind(NamedTuple):
    name: str
    which: str


class _Waiting:
    """What is going on with one kind of event."""

    def __init__(self, timer: IDelayedCall) -> None:
        self.timer = timer
        self.held: bytes | None = None


class EventThrottle:
    """
    Passes events on; of a limited kind, one each second, and after that second the last one.

    :param clock: measures the time.
    :param send: sends an event.
    """

    def __init__(self, clock: IReactorTime, send: Callable[[bytes], None]) -> None:
        self._clock = clock
        self._send = send
        self._kinds: dict[_Kind, _Waiting] = {}

    def pass_on(self, name: str, data: JSONObject, event: bytes) -> None:
        """
        Send an event, now or later.

        :param event: the line to be sent, with its end.
        """
        if name not in LIMITED:
            self._send(event)
            return
        member: JSONValue = data.get(LIMITED[name] or "")
        kind = _Kind(name, str(member))
        waiting = self._kinds.get(kind)
        if waiting is None:
            self._send_limited(kind, event)
        else:
            waiting.held = event

    def _send_limited(self, kind: _Kind, event: bytes) -> None:
        # The timer first: whatever sending leads to finds the second begun.
        self._kinds[kind] = _Waiting(self._clock.callLater(INTERVAL, self._over, kind))
        self._send(event)

    def _over(self, kind: _Kind) -> None:
        held = self._kinds.pop(kind).held
        if held is not None:
            self._send_limited(kind, held)

    def stop(self) -> None:
        """Forget what is held."""
        for waiting in self._kinds.values():
            waiting.timer.cancel()
        self._kinds.clear()
