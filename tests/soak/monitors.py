"""Monitors that behave, and such as do not."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.soak.ledger import Ledger
from txqmp.jsonqmp.server import UNANSWERED
from txqmp.jsonqmp.values import Junk, ValueSplitter
from txqmp.monitor.framing import LineSplitter, Overlong

GOOD = "good"
_BAD = {
    "late": 2, "bytewise": 2, "garbage": 1, "silent": 1, "closing": 2, "half-closing": 1,
    "huge": 1, "flood": 2,
}  # fmt: skip
_GREETING = (
    b'{"QMP": {"version": {"qemu": {"micro": %d, "minor": 2, "major": 7}, "package": ""},'
    b' "capabilities": ["oob"]}}\r\n'
)
_UNREADABLE = b'{"error": {"class": "GenericError", "desc": "JSON"}}\r\n'
_TEXT_GREETING = b"+ OK QEMU 7.2.%d QMP 0.1\r\n"
LONG_LINE = 64 << 20
FLOOD = 20_000
"""Events of a monitor that floods; the journal of a round is read within a minute."""

IN_ORDER = (GOOD, "late", "bytewise", "flood")
"""Those that answer all, if late."""

NUMBER = re.compile(rb'"micro": (\d+),|QEMU [0-9]+\.[0-9]+\.(\d+) ')
"""Which connection a greeting is of."""


def filling(mark: str) -> str:
    """What goes with a mark, both ways: every byte of it can be looked at; now and then much."""
    digest = sha256(mark.encode()).hexdigest()
    return digest * (200 if digest[0] == "0" else 1)


class Monitors(Factory):
    """
    What a proxy connects to.

    :param path: the socket.
    :ivar made: the connections, by their numbers.
    :ivar refusing: for how many of those that come next there is none.
    :ivar bad: the part of them that is not good.
    :ivar calm: those that come next are good.
    :ivar delay: seconds at most that one that is late waits before what comes next.
    :ivar long_line: bytes in a long one.
    """

    noisy = False

    def __init__(
        self, dialect: str, path: Path, dice: Random, ledger: Ledger, reactor: Any
    ) -> None:
        self._path = path
        self._port: Any = None
        self.dialect = dialect
        self.dice = dice
        self.ledger = ledger
        self.reactor = reactor
        self.made: dict[int, Monitor] = {}
        self.refusing = 0
        self.bad = 0.5
        self.calm = False
        self.delay = 0.1
        self.long_line = LONG_LINE

    def buildProtocol(self, addr: Any) -> Any:
        """Make one, or refuse."""
        if self.refusing:
            self.refusing -= 1
            self.ledger.faults["monitor refuses"] += 1
            return None
        behaviour = GOOD
        if not self.calm and self.dice.random() < self.bad:
            behaviour = self.dice.choices(list(_BAD), weights=list(_BAD.values()))[0]
        number = len(self.made) + 1
        monitor = self.made[number] = Monitor(self, number, behaviour)
        return monitor

    async def begin(self) -> None:
        """Listen."""
        endpoint = UNIXServerEndpoint(self.reactor, str(self._path))
        self._port = await endpoint.listen(self)

    async def end(self) -> None:
        """Listen no more."""
        await self._port.stopListening()

    def of(self, number: int) -> Monitor | None:
        """Say which one has this number in its greeting."""
        return self.made.get(number)

    def restart(self) -> None:
        """End all connections, without a word; refuse some for a while."""
        if any(monitor.open for monitor in self.made.values()):
            self.ledger.faults["monitor restarts"] += 1
            self.refusing = self.dice.choice([0, 0, 1, 2])
            self.end_all()

    def end_all(self) -> None:
        """End all connections, without a word."""
        for monitor in self.made.values():
            if monitor.open:
                monitor.was_ended = True
                monitor.wire.abortConnection()


@implementer(IHalfCloseableProtocol)
class Monitor(Protocol):
    """
    One connection.

    :ivar received: what came.
    :ivar said: what went.
    """

    def __init__(self, factory: Monitors, number: int, behaviour: str) -> None:
        self.monitors = factory
        self.number = number
        self.behaviour = behaviour
        self.received = bytearray()
        self.said = bytearray()
        self.open = False
        self.was_ended = False
        self.serial = 0
        self._answered = 0
        self._queue: deque[bytes] = deque()
        self._sending = False
        self._full = False
        self._last = False
        self._is_silent = False
        self._was_long = False
        self._ends_after = factory.dice.randint(1, 20)
        json_speaks = factory.dialect == "json"
        self._splitter: Any = ValueSplitter() if json_speaks else LineSplitter(4 << 20)

    @property
    def wire(self) -> Any:
        """The transport."""
        return self.transport

    @property
    def is_in_order(self) -> bool:
        """Whether it answers all, if late, and nobody has ended it."""
        return self.behaviour in IN_ORDER and not self.was_ended

    def connectionMade(self) -> None:
        """Greet."""
        self.open = True
        self.wire.registerProducer(self, True)
        if self.behaviour != GOOD:
            self.monitors.ledger.faults[f"monitor {self.behaviour}"] += 1
        if self.behaviour != "silent":
            json_speaks = self.monitors.dialect == "json"
            self._out((_GREETING if json_speaks else _TEXT_GREETING) % self.number)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        self.open = False

    def readConnectionLost(self) -> None:
        """The client says no more: answer what it has asked, and go."""
        self._last = True
        self._close_when_done()

    def writeConnectionLost(self) -> None:
        """Half of it is closed."""

    def dataReceived(self, data: bytes) -> None:
        """Answer commands."""
        self.received += data
        if self.behaviour == "silent":
            return
        for piece in self._splitter.feed(data):
            if self.monitors.dialect == "json":
                if isinstance(piece, Junk):
                    if piece.problem not in UNANSWERED:
                        self._answer(lambda: _UNREADABLE)
                else:
                    self._answer(partial(self._json, piece.raw))
            elif isinstance(piece, Overlong):
                if piece.last:
                    self._answer(lambda: b"- BAD line too long\r\n")
            elif piece.strip():
                self._answer(partial(self._text, piece))

    def _json(self, raw: bytes) -> bytes:
        try:
            message = json.loads(raw)
            name = message.get("execute", message.get("exec-oob"))
            arguments = message.get("arguments", {})
            answer: dict[str, Any] = {"id": message["id"]} if "id" in message else {}
        except (ValueError, AttributeError):
            return b'{"error": {"class": "GenericError", "desc": "not an object"}}\r\n'
        found = arguments.get("id", arguments.get("name")) if isinstance(arguments, dict) else None
        if name in ("device_del", "set_link"):
            answer["error"] = {"class": "DeviceNotFound", "desc": f"Device '{found}' not found"}
        elif name == "query-status":
            answer["return"] = {"status": "running", "running": True, "singlestep": False}
            if isinstance(arguments, dict) and "nonce" in arguments:
                nonce = answer["return"]["nonce"] = arguments["nonce"]
                answer["return"] |= {"serial": self.serial, "filling": filling(str(nonce))}
                if arguments.get("filling", answer["return"]["filling"]) != filling(str(nonce)):
                    answer["return"]["filling"] = "came as another"
        elif name in ("qmp_capabilities", "closefd"):
            answer["return"] = {}
        elif name == "query-commands":
            answer["return"] = [{"name": each} for each in ("query-status", "set_link", "stop")]
        else:
            answer["error"] = {"class": "CommandNotFound", "desc": f"no command {name}"}
        if self.behaviour == "huge" and "return" in answer and name == "query-status":
            answer["return"]["pad"] = "x" * self._much()
        return json.dumps(answer).encode() + b"\r\n"

    def _text(self, line: bytes) -> bytes:
        words = line.split()
        if words[0] in (b"help", b"info"):
            nonce = b" ".join(words[1:]).decode("latin-1")
            output = f"= {nonce} {self.serial} {filling(nonce)}\r\n".encode("latin-1")
            if self.behaviour == "huge":
                output += b"= " + b"x" * self._much() + b"\r\n"
            return output + b"+ OK " + words[0] + b" completed\r\n"
        if words[0] in (b"set_link", b"device_del") and len(words) > 1:
            return b"- ERR Device '" + words[1] + b"' not found\r\n"
        return b"- BAD unknown command\r\n"

    def _much(self) -> int:
        """Bytes in the answer of a monitor that says too much; seldom, more than anybody takes."""
        sizes = {10_000: 10, 60_000: 10, 3 << 20: 5, 9 << 20: 2}
        if not self._was_long:
            sizes[self.monitors.long_line] = 1
        size = self.monitors.dice.choices(list(sizes), weights=list(sizes.values()))[0]
        if size == self.monitors.long_line:
            self._was_long = True
            self.monitors.ledger.faults["monitor long line"] += 1
        return size

    def _answer(self, make: Callable[[], bytes]) -> None:
        dice, ledger = self.monitors.dice, self.monitors.ledger
        if self._is_silent or (self._last and self.behaviour == "closing"):
            return  # it has said its last
        self._answered += 1
        floods = self.behaviour == "flood" and self.serial < FLOOD
        for _ in range(50 if floods else dice.random() < 0.3):
            self._event()
        if self.behaviour == "garbage" and dice.random() < 0.2:
            self._out(dice.choice([b"\xff\x00{]\r\n", b'{"x": 1}\r\n', b"\r\n\r\n", b"= \r\n"]))
        answer = make()
        if self.behaviour == "closing" and self._answered >= self._ends_after:
            ledger.faults["monitor closes in mid-value"] += 1
            self._last = True
            self._out(answer[: dice.randint(0, len(answer))])
        elif self.behaviour == "half-closing" and self._answered >= self._ends_after:
            self._is_silent = True
            self._out(answer)
        else:
            self._out(answer)

    def _event(self) -> None:
        self.serial += 1
        self.monitors.ledger.events += 1
        if self.monitors.dialect == "json":
            self._out(b'{"event": "SOAK_%d", "data": {"padding": "abc"}}\r\n' % self.serial)
        else:
            self._out(b"* EVENT soak_%d\r\n" % self.serial)

    def _out(self, data: bytes) -> None:
        if self.behaviour == "bytewise" and len(data) < 2000:
            self._queue += (data[place : place + 1] for place in range(len(data)))
        else:
            self._queue.append(data)
        if not self._sending:
            self._send()

    def _send(self) -> None:
        self._sending = False
        while self._queue and self.open and not self._full:
            data = self._queue.popleft()
            self.said += data
            self.wire.write(data)
            delay = {"late": self.monitors.dice.random() * self.monitors.delay, "bytewise": 0.0}
            if self.behaviour in delay and self._queue:
                self._sending = True
                self.monitors.reactor.callLater(delay[self.behaviour], self._send)
                return
        self._close_when_done()

    def pauseProducing(self) -> None:
        """What was said waits to be read."""
        self._full = True

    def resumeProducing(self) -> None:
        """It was read."""
        self._full = False
        if not self._sending:
            self._send()

    def stopProducing(self) -> None:
        """It is over."""

    def _close_when_done(self) -> None:
        if self._queue or not self.open:
            return
        if self._last:
            self.wire.unregisterProducer()
            self.wire.loseConnection()
        elif self._is_silent:
            self.wire.unregisterProducer()
            self.wire.loseWriteConnection()
