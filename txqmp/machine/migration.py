"""Migration of the simulated machine: it takes its time and goes nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txqmp.errors import CommandFailed

Status = Literal["active", "completed", "failed", "cancelled"]

_TCP = re.compile(r"tcp:[^\s:]*:([0-9]{1,5})", re.ASCII)


class Migration:
    """
    Sends the machine away, one time after the other, and contacts nobody.

    A ``tcp:`` destination takes as long as the memory needs at the speed allowed, and then
    succeeds; at port 0, where nobody can listen, it fails in the end. No other destination can
    be reached.

    :ivar status: how the last one stands; None before the first.
    :ivar speed: bytes allowed in a second.
    :ivar downtime: seconds that the guest may stand still at the end.
    :param clock: measures the time.
    :param completed: called when the machine has arrived.
    """

    def __init__(self, clock: IReactorTime, completed: Callable[[], None]) -> None:
        self.status: Status | None = None
        self.speed = 32 * 1024 * 1024
        self.downtime = 0.03
        self._clock = clock
        self._completed = completed
        self._left = 0.0
        self._since = 0.0
        self._fails = False
        self._call: IDelayedCall | None = None

    def start(self, uri: str, size: int) -> None:
        """
        Begin; the clock does the rest (rule 20).

        :param size: bytes to send.
        :raises CommandFailed: the destination cannot be reached, and ``status`` is ``failed``;
            or the last migration is still going on.
        """
        if self.status == "active":
            raise CommandFailed("migration already in progress")
        match = _TCP.fullmatch(uri)
        if match is None or int(match[1]) > 65535:
            self.status = "failed"
            if uri.startswith("exec:"):
                raise CommandFailed("the simulated machine runs no programs")
            if uri.startswith("tcp:"):
                raise CommandFailed("migration failed")
            raise CommandFailed(f"unknown migration protocol: {uri}")
        self.status = "active"
        self._fails = int(match[1]) == 0
        self._left = float(size)
        self._go_on()

    def cancel(self) -> None:
        """Give up; what is over stays as it is."""
        if self._call is not None:
            self._halt()
            self.status = "cancelled"

    def set_speed(self, speed: float) -> None:
        """
        Change the speed, of a migration under way too.

        :param speed: bytes in a second.
        :raises CommandFailed: it would never arrive.
        """
        if not 1 <= speed < 1 << 63:
            raise CommandFailed("the migration speed is at least one byte in a second")
        under_way = self._call is not None
        if under_way:
            self._halt()
        self.speed = int(speed)
        if under_way:
            self._go_on()

    def set_downtime(self, seconds: float) -> None:
        """
        Change how long the guest may stand still.

        :raises CommandFailed: it is less than nothing.
        """
        if not 0 <= seconds < 1 << 63:
            raise CommandFailed("the downtime cannot be negative")
        self.downtime = seconds

    def _go_on(self) -> None:
        self._since = self._clock.seconds()
        self._call = self._clock.callLater(self._left / self.speed, self._finish)

    def _halt(self) -> None:
        assert self._call is not None
        passed = self._clock.seconds() - self._since
        self._left = max(0.0, self._left - passed * self.speed)
        self._call.cancel()
        self._call = None

    def _finish(self) -> None:
        self._call = None
        if self._fails:
            self.status = "failed"
        else:
            # STOP comes first: a client that hears it may ask at once, and finds it is over.
            self.status = "completed"
            self._completed()
