"""The one connection that a gateway's clients share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IStreamClientEndpoint

from txqmp.errors import (
    CommandInterrupted,
    CommandTimeout,
    ConnectionUnusable,
    InvalidCommand,
    QueueFull,
)
from txqmp.gateway.asking import HMP_TIMEOUT, Asker
from txqmp.jsonqmp.client import JSONClient
from txqmp.proxy.common import GONE, CommonMonitor, NoAnswer, unknown_outcome
from txqmp.proxy.links import Links
from txqmp.proxy.tapped import TappedProtocol
from txqmp.sniffer import Client


class Upstream(CommonMonitor, Asker):
    """
    The monitor of a gateway. If it speaks text, its connection is given up for good.

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
        super().__init__(name, endpoint, tap, reactor, links=links, **settings)
        self.monitor = self
        self.snapshots = DeferredLock()
        self._hmp_timeout = hmp_timeout

    async def _attend(self, client: Client, wrapper: TappedProtocol) -> None:
        if not isinstance(client, JSONClient):
            # Nothing to translate: each client gets a connection of its own.
            self.stopService()
            self._when_known.fire("text")
            return
        await super()._attend(client, wrapper)

    async def ask(
        self, command: str, arguments: Mapping[str, Any] | None = None, link: int | None = None
    ) -> Any:
        """As :meth:`Asker.ask <txqmp.gateway.asking.Asker.ask>`."""
        client = self.client
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
                raise NoAnswer(f"{late}: {unknown_outcome(command)}") from None
            problem = f"{late}, and others wait before it: it was not sent"
        except CommandInterrupted:
            raise NoAnswer(f"{GONE}: {unknown_outcome(command)}") from None
        except ConnectionUnusable:
            problem = GONE
        except QueueFull:
            problem = "too many commands wait for the monitor"
        except InvalidCommand as error:
            problem = str(error)
        # Nothing was sent, so there is nothing to link.
        self._links.of_monitor(key)
        raise NoAnswer(problem)
