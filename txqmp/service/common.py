"""A port whose clients share one connection to the monitor; all of it journalled, and linked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from twisted.logger import Logger

from txqmp.gateway.entrance import Entrance
from txqmp.journal.writer import Journal
from txqmp.jsonqmp.grammar import ABSENT
from txqmp.proxy.common import CommonMonitor
from txqmp.proxy.decode import Slot
from txqmp.proxy.links import Links
from txqmp.proxy.tap import Tap
from txqmp.proxy.tapped import TappedServerFactory
from txqmp.service.port import JournalledPort

_log = Logger()

MAX_DELAY = 5.0
"""Seconds between attempts to reach a monitor that is gone, at most."""

_OURSELVES = {"program": "txqmp"}


class CommonPort(JournalledPort):
    """
    Listens for clients, who wait until the monitor's dialect is known.

    A subclass makes the monitor, with ``_upstream_tap``, and says in ``_choose`` who the clients
    talk to then; in ``_about``, if need be, what more is journalled of their commands, and in
    ``_hold`` for how long the taps wait for more, in seconds.

    :param ports: the strings of the server endpoints, an entrance for each.
    :param journal: opened and closed with the service.
    :param reactor: listens, and measures all times.
    :param greeting_timeout: seconds that a client waits for a monitor that was never there.
    :param max_connections: clients of a port at a time.
    :param quiet: log no line for each connection.
    :param describe: says who is at the other end of a client's transport, for the journal.
    :param settings: see :class:`~txqmp.service.port.JournalledPort`.
    """

    _monitor: CommonMonitor
    _about: Callable[[int], dict[str, Any]] | None = None
    _hold = 0.0

    def __init__(
        self,
        ports: Sequence[str],
        journal: Journal,
        reactor: Any,
        *,
        greeting_timeout: float,
        max_connections: int,
        quiet: bool,
        describe: Callable[[Any], dict[str, Any]],
        **settings: Any,
    ) -> None:
        self._quiet = quiet
        self._describe = describe
        self._numbers = count(1)
        self._links = Links()
        self._entrances = [
            Entrance(reactor, greeting_timeout, lambda: self._monitor.reason, max_connections)
            for _ in ports
        ]
        super().__init__(
            list(zip(ports, self._entrances, strict=True)),
            journal,
            reactor,
            max_connections=max_connections * len(ports),
            **settings,
        )

    def _attend(self, monitor: CommonMonitor) -> None:
        """Begin with a monitor."""
        self._monitor = monitor
        monitor.setServiceParent(self)
        monitor.when_known().addCallback(self._choose)

    def _choose(self, dialect: str) -> None:
        """The monitor's dialect is known: let the clients in."""
        raise NotImplementedError

    def _let_in(
        self,
        entrance: Entrance,
        factory: Any,
        take_descriptors: Callable[[Any, list[int]], object] | None = None,
    ) -> None:
        """Let clients in, to a factory of servers, with a tap before each."""
        entrance.choose(
            TappedServerFactory(
                factory, self._client_tap, self._numbers, self._client_gone, take_descriptors
            )
        )

    def _upstream_tap(self) -> Tap:
        places = count(1)

        def link(slot: Slot) -> int | None:
            return self._links.of_monitor(next(places) if slot.id is ABSENT else slot.id)

        return self._tap(next(self._numbers), _OURSELVES, link=link, hold=self._hold)

    def _client_tap(self, transport: Any, number: int) -> Tap:
        if not self._quiet:
            peer = transport.getPeer()
            _log.info("connection {number}: opened by {peer}", number=number, peer=peer)
        places = count(1)

        def link(slot: Slot) -> int:
            return self._links.of_client(number, next(places))

        return self._tap(
            number, self._describe(transport), link=link, about=self._about, hold=self._hold
        )

    def _client_gone(self, number: int, reason: str, by: str) -> None:
        self._links.forget(number)
        if not self._quiet:
            _log.info(
                "connection {number}: closed by the {by}: {reason}",
                number=number,
                by=by,
                reason=reason,
            )

    async def _close(self) -> None:
        for entrance in self._entrances:
            await entrance.close_all()
