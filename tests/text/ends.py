"""A text client and a text server in memory, with the test in the place of their peer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from tests.wires import Wire
from txqmp.text.client import TextClient, TextClientFactory
from txqmp.text.server import TextServer, TextServerFactory
from txqmp.text.table import CommandTable

GREETING = "+ OK QEMU 0.10.50 QMP 0.1"


class ClientWire(Wire):
    """A client; the test is its monitor."""

    def __init__(self, greeted: bool = True, **settings: Any) -> None:
        self.clock = Clock()
        super().__init__(TextClientFactory(self.clock, **settings))
        self.client: TextClient = self.protocol
        if greeted:
            self.says(GREETING)

    @property
    def calm(self) -> bool:
        """Whether no timer is left."""
        return not self.clock.getDelayedCalls()


class ServerWire(Wire):
    """A server; the test is its client. The greeting has been heard."""

    def __init__(self, table: CommandTable | None = None, **settings: Any) -> None:
        self.clock = Clock()
        self.factory = TextServerFactory(table or CommandTable(), self.clock, **settings)
        super().__init__(self.factory)
        self.server: TextServer = self.protocol
        self.greeting = self.heard()

    def asks(self, *lines: str) -> list[str]:
        """Send commands, and return what is answered at once."""
        self.says(*lines)
        return self.heard()


def table(**handlers: Callable[..., Any]) -> CommandTable:
    """A table of commands without arguments; ``_`` in a name is a space."""
    made = CommandTable()
    for name, handler in handlers.items():
        made.command(name.replace("_", " "))(handler)
    return made
