"""A relay in memory: a client, a monitor, a clock and the journal's records."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock

from tests.proxy.test_relay import End, Line, Upstream
from txqmp.journal.record import Entry, Kind, Record, Run
from txqmp.proxy.relay import RelayFactory, Side, SideMaker
from txqmp.proxy.tap import Tap

JSON = (
    b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""},'
    b' "capabilities": ["oob"]}}\r\n'
)
TEXT = b"+ OK QEMU 0.10.50 QMP 0.1\r\n"


class Conversation:
    """One client and its monitor; the monitor has greeted, where ``greeting`` is given."""

    def __init__(
        self,
        make_side: SideMaker = Side,
        *,
        greeting: bytes = JSON,
        number: int = 1,
        agent: bool = False,
    ) -> None:
        self.clock = Clock()
        self.records: list[Record] = []
        self._agent = agent
        upstream = Upstream()
        self.factory = RelayFactory(
            upstream,  # type: ignore[arg-type]
            self._tap,
            self.clock,
            quiet=True,
            numbers=iter([number]),
            make_side=make_side,
        )
        self.client = End(self.factory.buildProtocol(None), Line())
        self.monitor = upstream.connects(Line())
        if greeting:
            self.monitor.says(greeting)
            assert self.client.heard() == greeting

    def _tap(self, transport: Any, number: int) -> Tap:
        return Tap(
            self._take,
            self.clock,
            monitor="vm1",
            connection=number,
            peer={},
            upstream="unix:/m",
            agent=self._agent,
        )

    def _take(self, entries: list[Entry]) -> None:
        for entry in entries:
            self.records += entry.records() if isinstance(entry, Run) else [entry]

    def asks(self, *commands: bytes) -> list[bytes]:
        """The client sends commands; what came to the monitor of them."""
        for command in commands:
            self.client.says(command)
        return self.monitor.heard().splitlines()

    def answers(self, *messages: bytes) -> list[bytes]:
        """The monitor says something; what came to the client, line by line."""
        for message in messages:
            self.monitor.says(message + b"\r\n")
        return self.client.heard().splitlines()

    def advance(self, seconds: float) -> list[bytes]:
        """Time goes by; what came to the client."""
        self.clock.advance(seconds)
        return self.client.heard().splitlines()

    def journal(self) -> list[Record]:
        """What was recorded, after the greeting, once what was heard is decoded."""
        self.clock.advance(0)
        return [r for r in self.records if r.kind not in (Kind.OPENED, Kind.GREETING)]

    def ends(self) -> Record:
        """Both ends go; the last record."""
        self.client.is_gone()
        self.monitor.is_gone()
        assert not self.clock.getDelayedCalls()
        assert not self.factory.conversations
        return self.records[-1]


def command(name: str, number: int | None = None, oob: bool = False) -> bytes:
    """A command of JSON QMP."""
    message: dict[str, Any] = {"exec-oob" if oob else "execute": name}
    if number is not None:
        message["id"] = number
    return json.dumps(message).encode()


def done(number: int | None = None, value: Any = None) -> bytes:
    """A reply of JSON QMP, without its line end."""
    message: dict[str, Any] = {"return": {} if value is None else value}
    if number is not None:
        message["id"] = number
    return json.dumps(message).encode()


def event(name: str) -> bytes:
    """An event of JSON QMP, without its line end."""
    return json.dumps({"event": name}).encode()
