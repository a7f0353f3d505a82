"""What clients of QMP 0.1 connect to: a text server whose commands a JSON monitor carries out."""

from __future__ import annotations

from typing import Any, Literal

from zope.interface import implementer

from txqmp.gateway.asking import Asker
from txqmp.gateway.call import CPU, JUDGED, Call
from txqmp.gateway.events import data_text
from txqmp.gateway.table import GatewayTable
from txqmp.jsonqmp.grammar import Event, Greeting
from txqmp.policy.interface import IJudge
from txqmp.policy.judged import Judged
from txqmp.proxy.common import IMonitorListener
from txqmp.proxy.links import Links
from txqmp.proxy.tapped import CONNECTION
from txqmp.text.events import from_json
from txqmp.text.server import Request, TextServer, TextServerFactory

OnLoss = Literal["hold", "close"]
"""What becomes of the clients when the monitor is gone."""


class GatewayServer(TextServer):
    """One connection of a client of a gateway."""

    factory: GatewayFactory

    def connectionMade(self) -> None:
        """Greet the client."""
        factory = self.factory
        if factory.policy is not None:
            self.memory[JUDGED] = Judged(factory.policy, "text", self.transport, factory.reactor)
        super().connectionMade()


@implementer(IMonitorListener)
class GatewayFactory(TextServerFactory):
    """
    Makes text servers that share one JSON monitor.

    :param upstream: the monitor, an :class:`~txqmp.gateway.upstream.Upstream`; the factory becomes
        a listener of it.
    :param links: numbers the commands.
    :param reactor: measures all times; the global reactor where it is None.
    :param human: whether ``human-monitor-command`` may be used.
    :param event_data: append the data of events, ``key=value``, which the draft has no place for.
    :param on_loss: hold the clients, or close their connections, when the monitor is gone.
    :param policy: judges each command before it is carried out; None to let everything by.
    :param settings: see :class:`~txqmp.text.server.TextServerFactory`.
    """

    def __init__(
        self,
        upstream: Any,
        links: Links,
        reactor: Any = None,
        *,
        human: bool = True,
        event_data: bool = False,
        on_loss: OnLoss = "hold",
        policy: IJudge | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(GatewayTable(self._call, human), reactor, **settings)
        upstream.listeners.append(self)
        self._upstream: Any = upstream
        self._links = links
        self._human = human
        self._event_data = event_data
        self._on_loss = on_loss
        self.policy = policy

    def _build(self) -> GatewayServer:
        return GatewayServer(self)

    def _asker(self, request: Request) -> Asker:
        """What a command asks the monitor by."""
        asker: Asker = self._upstream
        return asker

    def _call(self, request: Request) -> Call:
        link = self._links.of_client(request.state.get(CONNECTION, 0), request.number)
        return Call(self._asker(request), request, link, self._human)

    # What the monitor does.

    def monitor_ready(self, greeting: Greeting) -> None:
        """It takes commands: from now on clients are greeted with its version."""
        self.qemu = greeting.qemu

    def monitor_event(self, event: Event) -> None:
        """Tell all clients."""
        data = data_text(event.data) if self._event_data else ""
        self.broadcast(from_json(event.name), data)

    def monitor_lost(self) -> None:
        """It is gone, and with it the CPUs that clients chose."""
        for connection in self.connections:
            connection.memory.pop(CPU, None)
        if self._on_loss == "close":
            self.close_connections()

    def close_connections(self) -> None:
        """Close all connections, once what was written has been read."""
        for connection in list(self.connections):
            connection.close()
