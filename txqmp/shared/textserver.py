"""Clients of QMP 0.1 that share a monitor of that dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txqmp.errors import CommandRejected
from txqmp.proxy.links import Links
from txqmp.shared.asked import Asked
from txqmp.shared.monitor import SharedMonitor
from txqmp.shared.server import SharedFactory, SharedServer
from txqmp.text import grammar
from txqmp.text.client import Reply
from txqmp.text.events import from_json
from txqmp.text.grammar import Command, Event, Greeting, Rejection
from txqmp.text.server import TextServer, TextServerFactory
from txqmp.text.table import CommandTable

_END = b"\r\n"


class SharedTextServer(SharedServer, TextServer):
    """One connection of a client that speaks QMP 0.1."""

    factory: SharedTextFactory
    dialect = "text"

    def _to_forward(self, item: Command | Rejection) -> Command | None:
        return item if isinstance(item, Command) else None

    def _number(self, item: Command) -> int:
        self._answers += 1
        return self.factory.links.of_client(self.member.number, self._answers)

    def _asked(
        self, command: Command, item: Command, link: int, deliver: Callable[[Any], object]
    ) -> Asked:
        grammar.check_command_line(command.line)
        return Asked(
            self.member,
            command.verb,
            command.line,
            deliver,
            link=link,
            query=command.verb == "info",
        )

    def _write_outcome(self, item: Command, outcome: Any) -> bytes:
        lines = [grammar.write_output(line) for line in outcome.lines]
        if isinstance(outcome, Reply):
            completion = grammar.write_success(outcome.completed or item.verb)
        elif isinstance(outcome, CommandRejected):
            completion = grammar.write_rejection(outcome.reason)
        else:
            completion = grammar.write_failure(outcome.reason)
        return _END.join([*lines, completion, b""])


class SharedTextFactory(SharedFactory, TextServerFactory):
    """
    Makes servers of QMP 0.1 that share a monitor of that dialect.

    :param settings: see :class:`~txqmp.shared.server.SharedFactory` and
        :class:`~txqmp.text.server.TextServerFactory`.
    """

    def __init__(
        self, monitor: SharedMonitor, links: Links, reactor: Any = None, **settings: Any
    ) -> None:
        super().__init__(monitor, links, CommandTable(), reactor, **settings)

    def _build(self) -> SharedTextServer:
        return SharedTextServer(self)

    def _greeted(self, greeting: Greeting) -> None:
        self.qemu, self.qmp = greeting.qemu, greeting.qmp

    def _announce(self, name: str, greeting: Greeting | None = None) -> None:
        self.broadcast(from_json(name))

    def monitor_event(self, event: Event) -> None:
        """Tell all clients."""
        self.broadcast(event.name, event.data)
