"""The one connection that a gateway's clients share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, fail
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import Interface

from txqmp.errors import (
    CommandFailed,
    CommandInterrupted,
    CommandTimeout,
    ConnectionUnusable,
    InvalidCommand,
    QueueFull,
)
from txqmp.gateway.links import Links
from txqmp.jsonqmp.client import JSONClient
from txqmp.jsonqmp.grammar import Event, Greeting
from txqmp.monitor.observer import OneShotObserver
from txqmp.proxy.kept import KeptMonitor
from txqmp.proxy.tapped import TappedProtocol
from txqmp.sniffer import Client

GONE = "monitor is gone"

HMP_TIMEOUT = 600.0
"""Seconds for what ``human-monitor-command`` carries out, which may be a whole ``savevm``."""


class NoAnswer(CommandFailed):
    """It was not QEMU that said no: it is not there, or has not answered."""


class IUpstreamListener(Interface):
    """Hears how the monitor is."""

    def monitor_ready(greeting: Greeting) -> None:
        """It speaks JSON, and is ready for commands."""

    def monitor_event(event: Event) -> None:
        """It said something of its own accord."""

    def monitor_lost() -> None:
        """It is gone, after it was ready; all that waited for it was told."""


class Upstream(KeptMonitor):
    """
    The monitor of a gateway.

    :ivar listener: an :class:`IUpstreamListener`, to be set before the service starts.
    :ivar reason: why there is no connection, while there is none.
    :ivar snapshots: held by whoever makes or takes snapshots.
    :param links: numbers the commands.
    :param hmp_timeout: seconds for the reply to a ``human-monitor-command``.
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
        hmp_timeout: float = HMP_TIMEOUT,
        **settings: Any,
    ) -> None:
        super().__init__(name, endpoint, tap, reactor, **settings)
        self.listener: Any = None
        self.reason = ""
        self._links = links
        self._hmp_timeout = hmp_timeout
        self._client: JSONClient | None = None
        self._known: set[str] | None = None
        self._spoke_json = False
        self.snapshots = DeferredLock()
        self._when_known: OneShotObserver[str] = OneShotObserver()

    def when_known(self) -> Deferred[str]:
        """
        Wait until the monitor has greeted for the first time.

        :returns: fires with its dialect; with ``text`` the connection is given up for good.
        """
        return self._when_known.when()

    @property
    def ready(self) -> bool:
        """Whether it takes commands now."""
        return self._client is not None

    def _met(self, client: Client, wrapper: TappedProtocol) -> None:
        # Not before: what the last connection said is journalled after its end.
        self._links.forget_json()
        if isinstance(client, JSONClient):
            client.subscribe(None, self.listener.monitor_event)
        elif self._spoke_json:
            wrapper.give_up("", "the monitor spoke JSON before, and speaks the text protocol now")

    async def _attend(self, client: Client, wrapper: TappedProtocol) -> None:
        if not isinstance(client, JSONClient):
            # Nothing to translate: each client gets a connection of its own.
            self.stopService()
            self._when_known.fire("text")
            return
        assert client.greeting is not None
        self._client = client
        self._spoke_json = True
        self.listener.monitor_ready(client.greeting)
        self._when_known.fire("json")

    def _left(self) -> None:
        self._known = None
        if self._client is not None:
            self._client = None
            self.listener.monitor_lost()

    def _missing(self, reason: str) -> None:
        self.reason = reason

    async def ask(
        self, command: str, arguments: Mapping[str, Any] | None = None, link: int | None = None
    ) -> Any:
        """
        Send a JSON command.

        :param link: the number of the text command that it is sent for.
        :returns: what the monitor returns.
        :raises CommandFailed: it says no, in its words.
        :raises NoAnswer: it is not there, or does not answer.
        """
        client = self._client
        if client is None:
            raise NoAnswer(GONE)
        key = client.next_id
        if link is not None:
            self._links.expect(key, link)
        timeout = self._hmp_timeout if command == "human-monitor-command" else None
        try:
            return await client.execute(command, arguments, timeout=timeout)
        except CommandTimeout as error:
            late = f"no reply from the monitor within {error.timeout:g} s"
            if error.sent:
                raise NoAnswer(f"{late}: {_outcome(command)}") from None
            problem = f"{late}, and others wait before it: it was not sent"
        except CommandInterrupted:
            raise NoAnswer(f"{GONE}: {_outcome(command)}") from None
        except ConnectionUnusable:
            problem = GONE
        except QueueFull:
            problem = "too many commands wait for the monitor"
        except InvalidCommand as error:
            problem = str(error)
        # Nothing was sent, so there is nothing to link.
        self._links.of_json(key)
        raise NoAnswer(problem)

    def wait_for_event(
        self, wanted: Callable[[Event], bool], timeout: float | None = None
    ) -> Deferred[Any]:
        """
        Wait for an event of the monitor.

        :param timeout: seconds; None: for ever.

        :returns: fails with :class:`~txqmp.EventTimeout`, or with :class:`NoAnswer` if the
            monitor is gone before.
        """
        client = self._client
        if client is None:
            return fail(NoAnswer(GONE))
        waiting: Deferred[Any] = client.wait_for_event(wanted, timeout)

        def gone(failure: Any) -> None:
            failure.trap(ConnectionUnusable)
            raise NoAnswer(f"{GONE}: what became of the command is unknown")

        return waiting.addErrback(gone)

    async def knows(self, command: str, link: int | None = None) -> bool:
        """Whether the monitor has a JSON command."""
        if self._known is None:
            commands = await self.ask("query-commands", link=link)
            self._known = {each["name"] for each in commands}
        return command in self._known


def _outcome(command: str) -> str:
    return f"whether it carried {command} out is unknown"
