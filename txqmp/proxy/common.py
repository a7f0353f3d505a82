"""The one connection to a monitor that many clients share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import Interface

from txqmp.errors import CommandFailed
from txqmp.monitor.observer import OneShotObserver
from txqmp.proxy.kept import KeptMonitor
from txqmp.proxy.links import Links
from txqmp.proxy.tapped import TappedProtocol
from txqmp.sniffer import Client

GONE = "monitor is gone"

MAX_EARLY = 10_000
"""Events of a monitor that does not take commands yet, kept until it does."""

_SPEAKS = {"json": "JSON", "text": "the text protocol"}


def unknown_outcome(command: str) -> str:
    """Say that nobody knows what became of a command."""
    return f"whether it carried {command} out is unknown"


class NoAnswer(CommandFailed):
    """It was not QEMU that said no: it is not there, or has not answered."""


class IMonitorListener(Interface):
    """Hears how the monitor is."""

    def monitor_ready(greeting: Any) -> None:
        """It is ready for commands."""

    def monitor_event(event: Any) -> None:
        """It said something of its own accord."""

    def monitor_lost() -> None:
        """It is gone, after it was ready; all that waited for it was told."""


class CommonMonitor(KeptMonitor):
    """
    A monitor that is connected to once, for all.

    :ivar listeners: each an :class:`IMonitorListener`, to be added before the service starts.
    :ivar reason: why there is no connection, while there is none.
    :ivar dialect: what it speaks, once it was ready; it must not change.
    :ivar client: the connection, while it takes commands.
    :ivar lives: how many connections there were that took commands.
    :ivar raw: the event that listeners are told of, as it came, where the client keeps that.
    :ivar commands: the names of those that it has, kept here for as long as it is connected by
        whoever asks for them; None while nobody has.
    :param links: numbers the commands.
    :param settings: see :class:`~txqmp.proxy.kept.KeptMonitor`.
    """

    def __init__(
        self,
        name: str,
        endpoint: IStreamClientEndpoint,
        tap: Callable[[], Any],
        reactor: Any,
        *,
        links: Links,
        **settings: Any,
    ) -> None:
        super().__init__(name, endpoint, tap, reactor, **settings)
        self.listeners: list[Any] = []
        self.reason = ""
        self.dialect = ""
        self._links = links
        self.client: Any = None
        self.lives = 0
        self.raw = b""
        self._early: list[tuple[Any, bytes]] = []
        self.commands: set[str] | None = None
        self._when_known: OneShotObserver[str] = OneShotObserver()

    def when_known(self) -> Deferred[str]:
        """
        Wait until the monitor has greeted for the first time.

        :returns: fires with its dialect.
        """
        return self._when_known.when()

    @property
    def ready(self) -> bool:
        """Whether it takes commands now."""
        return self.client is not None

    def _met(self, client: Client, wrapper: TappedProtocol) -> None:
        # Not before: what the last connection said is journalled after its end.
        self._links.forget_monitor()
        if self.dialect not in ("", client.dialect):
            before, now = _SPEAKS[self.dialect], _SPEAKS[client.dialect]
            wrapper.give_up("", f"the monitor spoke {before} before, and speaks {now} now")
        else:
            self._early.clear()
            client.subscribe(None, partial(self._happened, client, wrapper))

    async def _attend(self, client: Client, wrapper: TappedProtocol) -> None:
        self.client = client
        self.lives += 1
        self.dialect = client.dialect
        for listener in self.listeners:
            listener.monitor_ready(client.greeting)
        self._when_known.fire(client.dialect)
        early, self._early = self._early, []
        for event, raw in early:
            self._tell(event, raw)

    def _happened(self, client: Client, wrapper: TappedProtocol, event: Any) -> None:
        raw: bytes = getattr(client, "raw", b"")
        if self.client is client:
            self._tell(event, raw)
        elif len(self._early) < MAX_EARLY:
            self._early.append((event, raw))
        else:
            wrapper.give_up("", "too many events before it took commands")

    def _tell(self, event: Any, raw: bytes) -> None:
        self.raw = raw
        for listener in self.listeners:
            listener.monitor_event(event)

    def _left(self) -> None:
        self.commands = None
        if self.client is not None:
            self.client = None
            for listener in self.listeners:
                listener.monitor_lost()

    def _missing(self, reason: str) -> None:
        self.reason = reason
