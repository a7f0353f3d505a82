"""A recording proxy between the clients of a monitor and the monitor."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint

from txqmp.faults.plan import FaultPlan
from txqmp.journal.writer import Journal
from txqmp.policy.guarding import Guarding
from txqmp.policy.interface import IJudge
from txqmp.proxy.meeting import MeetingPoint
from txqmp.proxy.peer import describe_peer, identify_peer
from txqmp.proxy.relay import RelayFactory, Side
from txqmp.proxy.tap import HOLD, Tap
from txqmp.service.dial import dialer
from txqmp.service.port import JournalledPort


class ProxyService(JournalledPort):
    """
    Listens for clients, gives each a connection of its own to the monitor, and journals what
    they say. Either side may connect to us instead, or be connected to.

    :param listen: the string of the server endpoint for clients; None where ``client`` is given.
    :param endpoint: where the monitor is; None where ``listen_monitor`` is given.
    :param journal: opened and closed with the service.
    :param reactor: the global reactor where it is None.
    :param name: the monitor's name in the journal.
    :param upstream: the monitor's address in the journal.
    :param listen_monitor: the string of a server endpoint that monitors connect to.
    :param client: where the client is. It is connected to when a monitor is there.
    :param downstream: the clients' address for the log; ``listen`` where that is given.
    :param greeting_timeout: seconds in which the monitor must greet.
    :param max_connections: clients at a time.
    :param quiet: log no line for each connection.
    :param decode: False to journal what is said as it comes, undecoded.
    :param faults: what is done to the conversations on purpose; None for nothing.
    :param policy: judges what clients say; None to let everything by.
    :param agent: the monitors are guest agents: they speak JSON, and are not waited for to greet.
    :raises ValueError: a string is not that of an endpoint, or it is not one way on each side, or
        there are faults or undecoded records with a policy.
    :raises CannotListenError: from starting, if the port cannot be had.
    :raises JournalError: from starting, if the journal cannot be written.
    """

    def __init__(
        self,
        listen: str | None,
        endpoint: IStreamClientEndpoint | None,
        journal: Journal,
        reactor: Any = None,
        *,
        name: str,
        upstream: str = "",
        listen_monitor: str | None = None,
        client: IStreamClientEndpoint | None = None,
        downstream: str = "",
        greeting_timeout: float = 30.0,
        max_connections: int = 1000,
        quiet: bool = False,
        decode: bool = True,
        faults: FaultPlan | None = None,
        policy: IJudge | None = None,
        agent: bool = False,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        if (listen is None) is (client is None):
            raise ValueError("clients connect to us, or a client is connected to: one of the two")
        if (endpoint is None) is (listen_monitor is None):
            raise ValueError("a monitor connects to us, or is connected to: one of the two")
        if policy is not None and (faults is not None or not decode):
            raise ValueError("a policy goes neither with faults nor with what is not decoded")
        self._describe = describe_peer if policy is None else identify_peer
        make_side = Side if faults is None else faults.make_side
        if policy is not None:
            make_side = Guarding(policy, agent).make_side
        self._decode = decode
        self._agent = agent
        self._meeting = MeetingPoint(max_connections) if endpoint is None else None
        monitors: Any = self._meeting or endpoint
        self._relay = RelayFactory(
            monitors if client is None else client,
            self._client_tap,
            reactor,
            greeting_timeout=None if agent else greeting_timeout,
            max_connections=max_connections,
            quiet=quiet,
            first="client" if client is None else "monitor",
            make_side=make_side,
        )
        ports: list[tuple[str, Any]] = []
        if listen is not None:
            ports.append((listen, self._relay))
        if listen_monitor is not None:
            ports.append((listen_monitor, self._relay if client is not None else self._meeting))
        super().__init__(
            ports,
            journal,
            reactor,
            name=name,
            upstream=upstream,
            downstream=listen or downstream,
            max_connections=max_connections,
        )
        if client is not None and endpoint is not None:
            dialer(endpoint, client, self._relay, reactor).setServiceParent(self)

    def _client_tap(self, transport: Any, number: int) -> Tap:
        peer = {} if transport is None else self._describe(transport)
        return self._tap(number, peer, hold=HOLD, decode=self._decode, agent=self._agent)

    async def _close(self) -> None:
        if self._meeting is not None:
            self._meeting.close_all()
        await self._relay.close_all("the proxy is stopped")
