"""What the commands of a gateway ask a monitor that speaks JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, fail

from txqmp.errors import ConnectionUnusable
from txqmp.jsonqmp.grammar import Event
from txqmp.proxy.common import GONE, CommonMonitor, NoAnswer

HMP_TIMEOUT = 600.0
"""Seconds for what ``human-monitor-command`` carries out, which may be a whole ``savevm``."""


class Asker:
    """
    Asks a monitor, and waits for its events.

    :ivar monitor: the monitor.
    :ivar snapshots: held by whoever makes or takes snapshots.
    """

    monitor: CommonMonitor
    snapshots: DeferredLock

    @property
    def ready(self) -> bool:
        """Whether the monitor takes commands now."""
        return self.monitor.client is not None

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
        raise NotImplementedError

    def wait_for_event(
        self, wanted: Callable[[Event], bool], timeout: float | None = None
    ) -> Deferred[Any]:
        """
        Wait for an event of the monitor.

        :param timeout: seconds; None: for ever.

        :returns: fails with :class:`~txqmp.EventTimeout`, or with :class:`NoAnswer` if the
            monitor is gone before.
        """
        client = self.monitor.client
        if client is None:
            return fail(NoAnswer(GONE))
        waiting: Deferred[Any] = client.wait_for_event(wanted, timeout)

        def gone(failure: Any) -> None:
            failure.trap(ConnectionUnusable)
            raise NoAnswer(f"{GONE}: what became of the command is unknown")

        return waiting.addErrback(gone)

    async def knows(self, command: str, link: int | None = None) -> bool:
        """Whether the monitor has a JSON command."""
        if self.monitor.commands is None:
            commands = await self.ask("query-commands", link=link)
            self.monitor.commands = {each["name"] for each in commands}
        return command in self.monitor.commands
