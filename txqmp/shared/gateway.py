"""Clients of QMP 0.1 that share a monitor that speaks JSON, through a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from twisted.internet.defer import Deferred, DeferredLock

from txqmp.errors import CommandError, CommandFailed, InvalidCommand
from txqmp.gateway.asking import HMP_TIMEOUT, Asker
from txqmp.gateway.server import GatewayFactory, GatewayServer
from txqmp.jsonqmp import grammar
from txqmp.jsonqmp.grammar import Greeting, Success
from txqmp.proxy.common import NoAnswer, unknown_outcome
from txqmp.proxy.links import Links
from txqmp.proxy.tapped import CONNECTION
from txqmp.shared.asked import Asked, Member
from txqmp.shared.connection import Answer
from txqmp.shared.monitor import SharedMonitor
from txqmp.shared.server import BACK, LOST
from txqmp.text.events import from_json
from txqmp.text.server import Request

_SEAT = "seat"


class Seat(Asker):
    """
    Asks a shared monitor for one client, when its turn comes.

    :param monitor: the monitor.
    :param member: the client.
    :param snapshots: held by whoever makes or takes snapshots.
    :param reactor: measures the time-outs.
    """

    monitor: SharedMonitor

    def __init__(
        self, monitor: SharedMonitor, member: Member, snapshots: DeferredLock, reactor: Any
    ) -> None:
        self.monitor = monitor
        self.member = member
        self.snapshots = snapshots
        self._reactor = reactor

    async def ask(
        self, command: str, arguments: Mapping[str, Any] | None = None, link: int | None = None
    ) -> Any:
        """As :meth:`Asker.ask <txqmp.gateway.asking.Asker.ask>`."""
        try:
            data = grammar.write_command(command, arguments)
        except InvalidCommand as error:
            raise NoAnswer(str(error)) from None
        query = command.startswith("query-")
        outcome = await self._outcome(command, data, link, query)
        if isinstance(outcome, CommandError):
            raise outcome
        message = cast(Answer, outcome).message
        if isinstance(message, Success):
            return message.value
        raise CommandFailed(message.description, command, error_class=message.error_class)

    def _outcome(self, command: str, data: bytes, link: int | None, query: bool) -> Deferred[Any]:
        def deliver(outcome: Any) -> None:
            if not waiting.called:
                waiting.callback(outcome)

        def late(_: Any, seconds: float) -> None:
            problem = f"no reply from the monitor within {seconds:g} s"
            if asked.sent is not None:
                raise NoAnswer(f"{problem}: {unknown_outcome(command)}")
            raise NoAnswer(f"{problem}, and others wait before it: it was not sent")

        waiting: Deferred[Any] = Deferred(lambda _: self.monitor.drop(asked))
        asked = Asked(self.member, command, data, deliver, link=link, query=query)
        timeout = HMP_TIMEOUT
        if command != "human-monitor-command" and self.monitor.client is not None:
            timeout = self.monitor.client.factory.timeout_of(command)
        if timeout is not None:
            waiting.addTimeout(timeout, self._reactor, late)
        self.monitor.submit(asked)
        return waiting


class SharedGatewayServer(GatewayServer):
    """One connection of a client, who asks for himself."""

    factory: SharedGatewayFactory

    def connectionMade(self) -> None:
        """Greet the client."""
        factory = self.factory
        member = Member(self.memory.get(CONNECTION, 0))
        self.memory[_SEAT] = Seat(factory.monitor, member, factory.snapshots, factory.reactor)
        super().connectionMade()


class SharedGatewayFactory(GatewayFactory):
    """
    Makes servers of a gateway to a monitor that others share, too.

    :param monitor: the monitor; the factory becomes a listener of it.
    :param links: numbers the commands.
    :param reactor: measures all times; the global reactor where it is None.
    :param settings: see :class:`~txqmp.gateway.server.GatewayFactory`.
    """

    def __init__(
        self,
        monitor: SharedMonitor,
        links: Links,
        reactor: Any = None,
        **settings: Any,
    ) -> None:
        super().__init__(monitor, links, reactor, **settings)
        self.monitor = monitor
        self.snapshots = DeferredLock()
        self._was_lost = False

    def _build(self) -> SharedGatewayServer:
        return SharedGatewayServer(self)

    def _asker(self, request: Request) -> Seat:
        seat: Seat = request.state[_SEAT]
        return seat

    def monitor_ready(self, greeting: Greeting) -> None:
        """It takes commands."""
        super().monitor_ready(greeting)
        if self._was_lost:
            self._was_lost = False
            self.broadcast(from_json(BACK))

    def monitor_lost(self) -> None:
        """It is gone."""
        super().monitor_lost()
        self._was_lost = True
        self.broadcast(from_json(LOST))
