"""Clients that behave."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from tests.soak.clients import Client, Soak
from tests.soak.modes import Dialect
from tests.soak.monitors import GOOD, filling
from txqmp.jsonqmp.values import Junk, ValueSplitter
from txqmp.monitor.framing import LineSplitter

WELL_BEHAVED = ("good", "slow", "bytewise", "half-closing", "equal ids")
_IDS: list[object] = [0, 1, "a", "", None, True, [1], {"execute": "quit"}, 2.5]
_EVENT = re.compile(rb'\s*\{("timestamp": \{[^}]*\}, )?"event"')
"""How a monitor's begin, and those of the proxy."""

_DENIED = b"denied by policy"


class Behaved(Client):
    """
    Asks for something, and knows what has to come back.

    :ivar was_told: the proxy has said that the monitor was gone.
    :ivar is_whole: all was answered, as it should be.
    :ivar has_left: it has ended the connection itself.
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
        self.has_left = False

    def leave(self) -> None:
        """Wait for nothing any more."""
        self.has_left = True
        self.wire.abortConnection()

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
                    arguments = arguments if denied else {"name": nonce, "up": True}
                elif mode.real:
                    name, arguments = "qom-list", {"path": nonce}
                    inside = f"Device '{nonce}' not found".encode()
                else:
                    name, arguments = "query-status", {"nonce": nonce, "filling": filling(nonce)}
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
                self.has_left = True
                self.wire.loseConnection()

    @property
    def _strict(self) -> bool:
        """Whether nobody has given it a reason to be content with less."""
        monitor = self.monitor
        return monitor is not None and monitor.is_in_order and not self.was_told

    @property
    def _hears_all(self) -> bool:
        """Whether it gets all events."""
        good = self.monitor is not None and self.monitor.behaviour == GOOD
        return good and self._strict and self.sort != "slow"

    @property
    def _is_owed(self) -> bool:
        """Whether each command has to be answered once: a shared proxy always knows what to say."""
        return self.soak.mode.shared or self._strict

    def _json(self, raw: bytes) -> None:
        if b'"QMP"' in raw:
            return
        if _EVENT.match(raw):
            self._event(json.loads(raw)["event"].lower())
        elif raw.strip() == b'{"return": {}}':
            return  # the negotiation
        else:
            self._answer(raw)

    def _event(self, name: str) -> None:
        if name.startswith("txqmp"):
            self.was_told = True
            return
        if name.startswith("soak_"):
            self._follow(int(name.removeprefix("soak_")), 1)

    def _follow(self, serial: int, step: int) -> None:
        """See that no event is missing: the next one is, or so many there were so far."""
        if self._hears_all and self._serial is not None:
            self.soak.see(
                serial == self._serial + step, f"{self}: event {serial} after {self._serial}"
            )
        self._serial = serial

    def _text(self, line: bytes) -> None:
        if line.startswith(b"* EVENT "):
            self._event(line[8:].decode("ascii"))
        elif line.startswith(b"= "):
            self._output.append(line)
        elif line[:2] in (b"+ ", b"- ") and b"QMP 0.1" not in line:
            answer, self._output = b"\n".join([*self._output, line]), []
            self._answer(answer)

    def _answer(self, answer: bytes) -> None:
        if self._answered >= len(self._commands):
            self.soak.see(not self._is_owed, f"{self}: one answer too many: {answer[:200]!r}")
            return
        _, inside, key = self._commands[self._answered]
        self._answered += 1
        if not self._is_owed:
            return
        message = json.loads(answer) if self.dialect == "json" else {}
        right = message.get("id") == key
        if self._strict:
            right = right and inside in answer and self._is_filled(message, answer)
        self.soak.see(right, f"{self}: {inside!r} wanted, got {answer[:300]!r}")

    def _is_filled(self, message: dict[str, Any], answer: bytes) -> bool:
        """Whether what goes with a mark has come as it was, after the events that it should."""
        returned: dict[str, Any] = message.get("return", {})
        if answer.startswith(b"= "):
            mark, number, filled = answer.splitlines()[0].decode().split()[1:]
            serial = int(number)
        elif "nonce" in returned:
            mark, serial, filled = (returned[key] for key in ("nonce", "serial", "filling"))
        else:
            return True
        self._follow(serial, 0)
        return bool(filled == filling(mark))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over: was everything answered?"""
        done = self._answered == len(self._commands)
        self.soak.see(
            done or self.has_left or not self._is_owed or self.soak.is_ending,
            f"{self}: {self._answered} of {len(self._commands)} answered: "
            f"{reason.getErrorMessage()}",
        )
        super().connectionLost(reason)
