"""A gateway: clients of QMP 0.1 before a monitor that speaks JSON."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger

from txqmp.gateway.server import GatewayFactory, OnLoss
from txqmp.gateway.upstream import Upstream
from txqmp.journal.writer import Journal
from txqmp.policy.guarding import Guarding
from txqmp.policy.interface import IJudge
from txqmp.proxy.peer import describe_peer, identify_peer
from txqmp.proxy.relay import RelayFactory, Side
from txqmp.proxy.tap import Tap
from txqmp.service.common import MAX_DELAY, CommonPort

_log = Logger()


class GatewayService(CommonPort):
    """
    Listens for clients of QMP 0.1, and has one connection to the monitor for all of them.

    Where the monitor speaks QMP 0.1 itself, each gets a connection of its own instead.

    :param listen: the string of the server endpoint.
    :param endpoint: where the monitor is.
    :param journal: opened and closed with the service.
    :param reactor: the global reactor where it is None.
    :param name: the monitor's name in the journal.
    :param upstream: the monitor's address in the journal.
    :param greeting_timeout: seconds in which the monitor must greet, and that a client waits
        for a monitor that was never there.
    :param max_connections: clients at a time.
    :param quiet: log no line for each connection.
    :param human: whether ``human-monitor-command`` may be used.
    :param event_data: append the data of events.
    :param on_loss: hold the clients, or close their connections, when the monitor is gone.
    :param policy: judges each command before it is carried out; None to let everything by.
    :raises ValueError: ``listen`` is not the string of an endpoint.
    :raises CannotListenError: from starting, if the port cannot be had.
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
        greeting_timeout: float = 30.0,
        max_connections: int = 1000,
        quiet: bool = False,
        human: bool = True,
        event_data: bool = False,
        on_loss: OnLoss = "hold",
        policy: IJudge | None = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        super().__init__(
            [listen],
            journal,
            reactor,
            name=name,
            upstream=upstream,
            downstream=listen,
            greeting_timeout=greeting_timeout,
            max_connections=max_connections,
            quiet=quiet,
            describe=describe_peer if policy is None else identify_peer,
        )
        monitor = Upstream(
            name,
            endpoint,
            self._upstream_tap,
            reactor,
            links=self._links,
            greeting_timeout=greeting_timeout,
            max_delay=MAX_DELAY,
            quiet=quiet,
        )
        self._gateway = GatewayFactory(
            monitor,
            self._links,
            reactor,
            human=human,
            event_data=event_data,
            on_loss=on_loss,
            policy=policy,
        )
        self._relay = RelayFactory(
            endpoint,
            self._relay_tap,
            reactor,
            greeting_timeout=greeting_timeout,
            max_connections=max_connections,
            quiet=quiet,
            numbers=self._numbers,
            make_side=Side if policy is None else Guarding(policy).make_side,
        )
        self._attend(monitor)

    def _choose(self, dialect: str) -> None:
        (entrance,) = self._entrances
        if dialect == "text":
            _log.info("{name} speaks the text protocol itself", name=self._name)
            entrance.choose(self._relay)
        else:
            self._let_in(entrance, self._gateway)

    def _relay_tap(self, transport: Any, number: int) -> Tap:
        return self._tap(number, self._describe(transport))

    async def _close(self) -> None:
        self._gateway.close_connections()
        await self._relay.close_all("the proxy is stopped")
        await super()._close()
