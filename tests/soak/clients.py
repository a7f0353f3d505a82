"""What all clients do."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.soak.ledger import NONCE, Ledger
from tests.soak.modes import Dialect, Mode
from tests.soak.monitors import LONG_LINE, NUMBER


@implementer(IHalfCloseableProtocol)
class Client(Protocol):
    """
    One of them: says what its sort says, and looks at all that it hears.

    :ivar over: fires when its connection is.
    :ivar sent: all that it said.
    :ivar heard: all that it heard.
    :ivar heard_end: there is no more. (Who is still saying something may learn of the end by
        that, and not hear all.)
    """

    def __init__(self, number: int, sort: str, dialect: Dialect, soak: Soak) -> None:
        self.number = number
        self.sort = sort
        self.dialect = dialect
        self.soak = soak
        self.dice = Random(soak.dice.random())
        self.over: Deferred[None] = Deferred()
        self.sent = bytearray()
        self.heard = bytearray()
        self.monitor: Any = None
        self.open = False
        self.heard_end = False
        self._scanned = 0
        self._delayed: set[Any] = set()

    @property
    def wire(self) -> Any:
        """The transport."""
        return self.transport

    def nonce(self, count: int) -> str:
        """Make a mark that no other client has."""
        return f"n{self.number:06d}x{count}"

    def connectionMade(self) -> None:
        """Begin."""
        self.open = True
        self.begin()

    def begin(self) -> None:
        """Say what this sort says."""
        raise NotImplementedError

    def say(self, data: bytes) -> None:
        """Say something."""
        if self.open:
            self.sent += data
            self.wire.write(data)

    def dataReceived(self, data: bytes) -> None:
        """See that none of it is another's."""
        self.heard += data
        for found in NONCE.finditer(self.heard, max(0, self._scanned - 10)):
            # One that changes what it says may have changed its mark.
            own = int(found[1]) == self.number or found[0] in self.sent
            self.soak.see(own, f"{self}: heard of client {found[1]!r}")
        self._scanned = len(self.heard)
        if self.monitor is None and (found := NUMBER.search(self.heard)):
            self.monitor = self.soak.monitors.of(int(found[1] or found[2]))
            self.greeted()
        self.listen(data)

    def greeted(self) -> None:
        """The monitor has greeted."""

    def listen(self, data: bytes) -> None:
        """Hear what else there is."""

    def readConnectionLost(self) -> None:
        """The monitor says no more."""
        self.heard_end = True
        self.wire.loseConnection()

    def writeConnectionLost(self) -> None:
        """We say no more."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        self.open = False
        for delayed in self._delayed:
            delayed.cancel()
        self._delayed.clear()
        self.over.callback(None)

    def later(self, seconds: float, call: Callable[..., object], *args: object) -> None:
        """Do something if the connection is there then."""
        if not self.open:
            return
        delayed = self.soak.reactor.callLater(seconds, lambda: self._do(delayed, call, *args))
        self._delayed.add(delayed)

    def _do(self, delayed: Any, call: Callable[..., object], *args: object) -> None:
        self._delayed.discard(delayed)
        call(*args)

    def __str__(self) -> str:
        monitor = "?" if self.monitor is None else f"{self.monitor.number} {self.monitor.behaviour}"
        return f"client {self.number} ({self.sort}, {self.dialect}, monitor {monitor})"


class Soak:
    """
    What the clients of a round have in common.

    :param monitors: its :class:`~tests.soak.monitors.Monitors`, or QEMUs.
    :ivar long_line: bytes in a long one.
    :ivar is_ending: the proxy is being stopped.
    """

    def __init__(
        self, mode: Mode, dice: Random, ledger: Ledger, monitors: Any, reactor: Any
    ) -> None:
        self.mode = mode
        self.dice = dice
        self.ledger = ledger
        self.monitors = monitors
        self.reactor = reactor
        self.long_line = LONG_LINE
        self.is_ending = False
        self.failure: str | None = None

    def see(self, holds: bool, problem: str) -> None:
        """Note the first thing that does not hold; the round ends by it."""
        if not holds and self.failure is None:
            self.failure = problem
