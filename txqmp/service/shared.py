"""A monitor that many clients share."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint

from txqmp.gateway.server import OnLoss
from txqmp.journal.writer import Journal
from txqmp.monitor.server import SlowClient
from txqmp.policy.interface import IJudge
from txqmp.proxy.peer import describe_peer, identify_peer
from txqmp.proxy.tap import HOLD
from txqmp.service.common import MAX_DELAY, CommonPort
from txqmp.shared.gateway import SharedGatewayFactory
from txqmp.shared.jsonserver import SharedJSONFactory, SharedJSONServer
from txqmp.shared.ledger import Ledger
from txqmp.shared.monitor import SharedMonitor
from txqmp.shared.server import WINDOW
from txqmp.shared.textserver import SharedTextFactory

CLIENT_QUEUE = 1 << 20
"""Bytes of events that wait for a client."""


class SharedService(CommonPort):
    """
    Listens for clients, and has one connection to the monitor for all of them.

    :param listen: the string of the server endpoint for clients of the monitor's own dialect.
    :param endpoint: where the monitor is.
    :param journal: opened and closed with the service.
    :param reactor: the global reactor where it is None.
    :param name: the monitor's name in the journal.
    :param upstream: the monitor's address in the journal.
    :param listen_text: the string of a server endpoint for clients of QMP 0.1, whatever the
        monitor speaks; None for none.
    :param greeting_timeout: seconds in which the monitor must greet, and that a client waits
        for a monitor that was never there.
    :param max_connections: clients of each port at a time.
    :param quiet: log no line for each connection.
    :param window: commands of a client that are with the proxy or the monitor at a time.
    :param client_queue: bytes of events that wait for a client that does not read.
    :param slow_client: what to do when they are more: drop the newest, or disconnect.
    :param coalesce: answer same queries that wait at the same time once for all.
    :param policy: judges each command before it is queued; None to let everything by.
    :param on_loss: hold the clients, or close their connections, when the monitor is gone.
    :param human: whether clients at ``listen_text`` may use ``human-monitor-command``.
    :param event_data: append the data of events for those.
    :raises ValueError: a string is not that of an endpoint.
    :raises CannotListenError: from starting, if a port cannot be had.
    :raises JournalError: from starting, if the journal cannot be written.
    """

    def __init__(
        self,
        listen: str,
        endpoint: IStreamClientEndpoint,
        journal: Journal,
        reactor: Any = None,
        *,
        name: str,
        upstream: str = "",
        listen_text: str | None = None,
        greeting_timeout: float = 30.0,
        max_connections: int = 1000,
        quiet: bool = False,
        window: int = WINDOW,
        client_queue: int = CLIENT_QUEUE,
        slow_client: SlowClient = "drop-events",
        coalesce: bool = False,
        policy: IJudge | None = None,
        on_loss: OnLoss = "hold",
        human: bool = True,
        event_data: bool = False,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        ports = [listen] if listen_text is None else [listen, listen_text]
        super().__init__(
            ports,
            journal,
            reactor,
            name=name,
            upstream=upstream,
            downstream=" and ".join(ports),
            greeting_timeout=greeting_timeout,
            max_connections=max_connections,
            quiet=quiet,
            describe=describe_peer if policy is None else identify_peer,
        )
        self._ledger = Ledger()
        self._about = self._ledger.about
        # To decode at once would hold the next command up.
        self._hold = HOLD
        self._shared = SharedMonitor(
            name,
            endpoint,
            self._upstream_tap,
            reactor,
            links=self._links,
            ledger=self._ledger,
            coalesce=coalesce,
            greeting_timeout=greeting_timeout,
            max_delay=MAX_DELAY,
            quiet=quiet,
        )
        self._window = window
        self._settings: dict[str, Any] = {
            "policy": policy,
            "on_loss": on_loss,
            "slow_client": slow_client,
            "event_bytes": client_queue,
            "event_queue": sys.maxsize,
        }
        self._gateway_settings: dict[str, Any] = {"human": human, "event_data": event_data}
        self._factories: list[Any] = []
        self._attend(self._shared)

    def _choose(self, dialect: str) -> None:
        monitor, links, reactor = self._shared, self._links, self._reactor
        text: Any
        if dialect == "json":
            own: Any = SharedJSONFactory(
                monitor, links, reactor, window=self._window, **self._settings
            )
            text = SharedGatewayFactory(
                monitor, links, reactor, **self._settings, **self._gateway_settings
            )
            self._factories = [own, text]
        else:
            own = text = SharedTextFactory(
                monitor, links, reactor, window=self._window, **self._settings
            )
            self._factories = [text]
        for factory in self._factories:
            # They were not there to hear it.
            factory.monitor_ready(monitor.client.greeting)
        take = SharedJSONServer.take_descriptors if dialect == "json" else None
        self._let_in(self._entrances[0], own, take)
        for entrance in self._entrances[1:]:
            self._let_in(entrance, text)

    async def _close(self) -> None:
        for factory in self._factories:
            factory.close_connections()
        await super()._close()
