"""A simulated machine with a monitor in front, and clients that keep what they hear."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from txqmp.machine.monitor import monitor_factory
from txqmp.machine.state import Machine
from txqmp.text.server import TextServerFactory


class Talk:
    """One connection: what is said goes to the server, what the server says is kept."""

    def __init__(self, factory: TextServerFactory) -> None:
        self.transport = StringTransport()
        self.server = factory.buildProtocol(None)
        self.server.makeConnection(self.transport)
        self.greeting = self.heard()

    def heard(self) -> list[str]:
        """The lines that came since the last call."""
        lines = self.transport.value().decode("ascii").split("\r\n")
        self.transport.clear()
        assert lines.pop() == ""
        return lines

    def say(self, *commands: str) -> list[str]:
        """Send commands, and return the lines that come."""
        for command in commands:
            self.server.dataReceived(command.encode("ascii") + b"\r\n")
        return self.heard()


class World:
    """A machine, its monitor, and the time."""

    def __init__(self, **settings: object) -> None:
        self.clock = Clock()
        self.machine = Machine(clock=self.clock, **settings)  # type: ignore[arg-type]
        self.factory = monitor_factory(self.machine, self.clock)
        self.events: list[str] = []
        self.machine.subscribe(lambda name, data: self.events.append(name))

    def connect(self) -> Talk:
        """One more connection."""
        return Talk(self.factory)


@pytest.fixture
def world() -> World:
    """The machine as it is without any settings."""
    return World()


@pytest.fixture
def talk(world: World) -> Talk:
    """A connection to its monitor."""
    return world.connect()
