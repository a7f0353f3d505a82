"""Real QEMUs in the place of the monitors that are made here."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred

from tests.integration.programs import Programs
from tests.soak.ledger import Ledger
from tests.soak.monitors import GOOD

SETTLING = 8.0
"""Seconds after a QEMU's start in which the proxy may not be connected to it yet."""


class Machine:
    """What the clients know of one of them."""

    number = 0
    behaviour = GOOD

    def __init__(self, is_first: bool) -> None:
        self.was_ended = False
        self._settled = monotonic() + (0 if is_first else SETTLING)

    @property
    def is_in_order(self) -> bool:
        """Whether it answers all."""
        return not self.was_ended and monotonic() >= self._settled


class Machines:
    """
    They run one after the other, at one socket.

    :ivar calm: the one that runs goes on running.
    """

    def __init__(self, programs: Programs, path: Path, ledger: Ledger) -> None:
        self.calm = False
        self._programs = programs
        self._path = path
        self._ledger = ledger
        self._qemu: Any = None
        self._machine: Machine | None = None
        self._starting: Deferred[None] | None = None

    async def begin(self) -> None:
        """Start one."""
        self._qemu = await self._programs.qemu(self._path.name)
        self._machine = Machine(self._machine is None)

    async def end(self) -> None:
        """Let the last one run: who has started it stops it."""
        if self._starting is not None:
            await self._starting

    def of(self, number: int) -> Machine | None:
        """Say which one greets like this: they all do."""
        return self._machine

    def restart(self) -> None:
        """Kill it, and start the next."""
        if self._machine is not None and self._machine.is_in_order and not self.calm:
            self._machine.was_ended = True
            self._ledger.faults["QEMU is killed"] += 1
            self._starting = Deferred.fromCoroutine(self._start_next())

    async def _start_next(self) -> None:
        self._qemu.kill()
        await self._qemu.ends()
        await self.begin()

    def end_all(self) -> None:
        """All have one connection, which is good."""
