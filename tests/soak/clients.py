"""Clients that behave, and such as do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.soak.ledger import NONCE, Ledger
from tests.soak.modes import Dialect, Mode
from tests.soak.monitors import LONG_LINE, NUMBER, Monitor, Monitors
from txqmp.jsonqmp.values import Junk, ValueSplitter
from txqmp.monitor.framing import LineSplitter

WELL_BEHAVED = ("good", "slow", "bytewise", "half-closing", "equal ids")
BAD = (
    "mute", "garbage", "mid-value", "long line", "hasty", "flood", "nesting", "mutated",
    "half a line",
)  # fmt: skip
_IDS: list[object] = [0, 1, "a", "", None, True, [1], {"execute": "quit"}, 2.5]
_DENIED = b"denied by policy"


@implementer(IHalfCloseableProtocol)
class Client(Protocol):
    """
    One of them: says what its sort says, and looks at all that it hears.

    :ivar over: fires when its connection is.
    :ivar sent: all that it said.
    :ivar heard: all that it heard.
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
        self.monitor: Monitor | None = None
        self.open = False
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
            self.monitor = self.soak.monitors.made.get(int(found[1] or found[2]))
            self.greeted()
        self.listen(data)

    def greeted(self) -> None:
        """The monitor has greeted."""

    def listen(self, data: bytes) -> None:
        """Hear what else there is."""

    def readConnectionLost(self) -> None:
        """The monitor says no more."""
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


class Behaved(Client):
    """
    Asks for something, and knows what has to come back.

    :ivar was_told: the proxy has said that the monitor was gone.
    :ivar is_whole: all was answered, as it should be.
    """

    def __init__(self, number: int, sort: str, dialect: Dialect, soak: Soak) -> None:
        super().__init__(number, sort, dialect, soak)
        self._splitter: Any = ValueSplitter() if dialect == "json" else LineSplitter(1 << 20)
        self._left = b""
        self._commands = list(self._make())
        self._answered = 0
        self._output: list[bytes] = []
        self._serial: int | None = None
        self.was_told = False
        self.is_whole = False

    def _make(self) -> Iterator[tuple[bytes, bytes, object]]:
        """Commands: what is said, what is in the answer, and the id."""
        mode = self.soak.mode
        for count in range(self.dice.choice([1, 3, 10, 40])):
            nonce = self.nonce(count)
            denied = mode.guarded and count % 3 == 2
            if self.dialect == "json":
                if count % 3:
                    name, arguments = "device_del" if denied else "set_link", {"id": nonce}
                    inside = _DENIED if denied else f"Device '{nonce}' not found".encode()
                    arguments = arguments if denied else {"name": nonce}
                else:
                    name, arguments = "query-status", {"nonce": nonce}
                    inside = f'"nonce": "{nonce}"'.encode()
                key = self.dice.choice(_IDS) if self.sort == "equal ids" else count
                message = {"execute": name, "arguments": arguments, "id": key}
                yield (
                    json.dumps(message).encode() + self.dice.choice([b"", b"\n", b"\r\n"]),
                    inside,
                    key,
                )
            elif denied:
                yield f"device_del {nonce}\r\n".encode(), _DENIED, None
            elif count % 2 or mode.monitor == "json":
                inside = "could not find network device" if mode.monitor == "json" else "Device"
                yield f"set_link {nonce} up\r\n".encode(), f"{inside} '{nonce}'".encode(), None
            else:
                yield f"help {nonce}\n".encode(), nonce.encode(), None

    def begin(self) -> None:
        """Wait for the greeting; the slow one reads later."""
        if self.sort == "slow":
            self.wire.pauseProducing()
            self.later(self.dice.random(), self.wire.resumeProducing)

    def greeted(self) -> None:
        """Say all of it, in one piece or in many."""
        negotiation = b'{"execute": "qmp_capabilities"}\r\n' if self.dialect == "json" else b""
        said = negotiation + b"".join(command for command, _, _ in self._commands)
        self.soak.ledger.commands += len(self._commands)
        self._left = said
        self._go_on()

    def _go_on(self) -> None:
        size = 1 if self.sort == "bytewise" else self.dice.choice([7, 100, 100_000])
        turns = 50 if self.sort == "bytewise" else 1
        for _ in range(turns):
            piece, self._left = self._left[:size], self._left[size:]
            if piece:
                self.say(piece)
        if self._left:
            self.later(0, self._go_on)
        elif self.sort == "half-closing":
            self.wire.loseWriteConnection()

    def listen(self, data: bytes) -> None:
        """Hold each answer against what was asked."""
        for piece in self._splitter.feed(data):
            if self.dialect == "json":
                if not isinstance(piece, Junk):
                    self._json(piece.raw)
            elif isinstance(piece, bytes):
                self._text(piece.rstrip(b"\r"))
        if self._answered == len(self._commands) and not self.is_whole:
            self.is_whole = self._strict
            if self.sort != "half-closing":
                self.wire.loseConnection()

    @property
    def _strict(self) -> bool:
        """Whether nobody has given it a reason to be content with less."""
        return self.monitor is not None and self.monitor.is_good and not self.was_told

    def _json(self, raw: bytes) -> None:
        if b'"QMP"' in raw:
            return
        if b'"event"' in raw[:12]:
            self._event(json.loads(raw)["event"].lower())
        elif raw.strip() == b'{"return": {}}':
            return  # the negotiation
        else:
            self._answer(raw)

    def _event(self, name: str) -> None:
        if name.startswith("txqmp"):
            self.was_told = True
            return
        serial = int(name.removeprefix("soak_"))
        if self._strict and self._serial is not None and self.sort != "slow":
            self.soak.see(
                serial == self._serial + 1, f"{self}: event {serial} after {self._serial}"
            )
        self._serial = serial

    def _text(self, line: bytes) -> None:
        if line.startswith(b"* EVENT "):
            self._event(line[8:].decode("ascii"))
        elif line.startswith(b"= "):
            self._output.append(line)
        elif line[:2] in (b"+ ", b"- ") and b"QMP 0.1" not in line:
            answer, self._output = b"".join([*self._output, line]), []
            self._answer(answer)

    def _answer(self, answer: bytes) -> None:
        if self._answered >= len(self._commands):
            self.soak.see(not self._strict, f"{self}: one answer too many: {answer[:200]!r}")
            return
        _, inside, key = self._commands[self._answered]
        self._answered += 1
        if not self._strict:
            return
        right = inside in answer
        if right and self.dialect == "json":
            right = json.loads(answer).get("id", "nothing") == key
        self.soak.see(right, f"{self}: {inside!r} wanted, got {answer[:300]!r}")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over: was everything answered?"""
        if self.sort == "half-closing" or not self.is_whole:
            done = self._answered == len(self._commands)
            self.soak.see(
                done or not self._strict or self.soak.is_ending,
                f"{self}: {self._answered} of {len(self._commands)} answered: "
                f"{reason.getErrorMessage()}",
            )
        super().connectionLost(reason)


class Bad(Client):
    """Says what it should not, or not enough, and leaves."""

    def begin(self) -> None:
        """Say it."""
        self.soak.ledger.faults[f"client {self.sort}"] += 1
        getattr(self, f"_{self.sort.replace(' ', '_').replace('-', '_')}")()

    def _leave(self) -> None:
        self.dice.choice([self.wire.loseConnection, self.wire.abortConnection])()

    def _mute(self) -> None:
        self.later(self.dice.random(), self._leave)

    def _hasty(self) -> None:
        self._leave()

    def _garbage(self) -> None:
        for _ in range(self.dice.randint(1, 20)):
            kind = self.dice.randrange(3)
            if kind == 0:
                self.say(self.dice.randbytes(self.dice.randint(1, 3000)))
            elif kind == 1:
                letters = b"{}[]\":,\\'execute 0123eE+-.tfn\r\n"
                self.say(bytes(self.dice.choices(letters, k=self.dice.randint(1, 300))))
            else:
                self.say(b"\0" * self.dice.randint(1, 3000))
        self.later(self.dice.random() / 2, self._leave)

    def _mid_value(self) -> None:
        whole = self._valid(3)
        self.say(whole[: self.dice.randint(1, len(whole) - 1)])
        self.later(self.dice.random() / 5, self._leave)

    def _half_a_line(self) -> None:
        self.say(self._valid(2)[:-4])
        self.wire.loseWriteConnection()
        self.later(2, self._leave)

    def _long_line(self) -> None:
        self._chunks = self.soak.long_line // 65536
        if self.dialect == "json":
            self.say(b'{"execute": "query-status", "arguments": {"nonce": "')
        self._more()

    def _more(self) -> None:
        # Not all at once: it is the proxy's memory that is looked at.
        if not self.wire.dataBuffer and not self.wire._tempDataBuffer:
            for _ in range(16):
                self.say(b"x" * 65536)
                self._chunks -= 1
        if self._chunks > 0:
            self.later(0.001, self._more)
        else:
            self.say(b'"}}\r\n' if self.dice.random() < 0.5 else b"\n")
            self.later(0.5, self._leave)

    def _flood(self) -> None:
        self.wire.pauseProducing()
        self.say(self._valid(self.dice.choice([200, 2000])))
        # It reads no answer, so nobody has to read what it has left to say.
        self.later(self.dice.random(), self.wire.abortConnection)

    def _nesting(self) -> None:
        opening = self.dice.choice([b"[", b'{"a":', b"[{'a':"])
        self.say(opening * self.dice.choice([10, 1025, 50_000]))
        self.later(self.dice.random() / 5, self._leave)

    def _mutated(self) -> None:
        said = bytearray(self._valid(10))
        for _ in range(self.dice.randint(1, 10)):
            place = self.dice.randrange(len(said))
            change = self.dice.randrange(3)
            if change == 0:
                said[place] = self.dice.randrange(256)
            elif change == 1:
                del said[place]
            else:
                said[place:place] = self.dice.randbytes(2)
        self.say(bytes(said))
        self.later(self.dice.random(), self._leave)

    def _valid(self, count: int) -> bytes:
        if self.dialect == "text":
            return b"".join(f"set_link {self.nonce(n)} up\r\n".encode() for n in range(count))
        commands = [{"execute": "qmp_capabilities"}]
        for number in range(count):
            arguments = {"nonce": self.nonce(number)}
            commands.append({"execute": "query-status", "arguments": arguments})  # type: ignore[dict-item]
        return b"\r\n".join(json.dumps(command).encode() for command in commands) + b"\r\n"


class Soak:
    """
    What the clients of a round have in common.

    :ivar long_line: bytes in a long one.
    :ivar is_ending: the proxy is being stopped.
    """

    def __init__(
        self, mode: Mode, dice: Random, ledger: Ledger, monitors: Monitors, reactor: Any
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

    def make(self, number: int, port: int) -> Client:
        """
        Make a client of a random sort.

        :param port: which of the proxy's it is for.
        """
        dialect = self.mode.ports[port]
        if self.dice.random() < 0.6:
            return Behaved(number, self.dice.choice(WELL_BEHAVED), dialect, self)
        sort = self.dice.choice(BAD)
        if sort == "long line" and self.dice.random() < 0.8:
            sort = "mute"
        return Bad(number, sort, dialect, self)
