"""A client of QMP 0.1: a Deferred per command."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from zope.interface import implementer

from txqmp.errors import (
    BoundExceeded,
    CommandFailed,
    CommandRejected,
    InvalidCommand,
)
from txqmp.monitor.client import IMonitorClient, MonitorClient, MonitorClientFactory
from txqmp.monitor.pending import Pending
from txqmp.text import grammar
from txqmp.text.events import canonical
from txqmp.text.grammar import (
    Event,
    Failure,
    Greeting,
    Output,
    Rejection,
    ServerMessage,
    Success,
    Unknown,
)

_log = Logger()


_RUN = 512
"""Bytes in a chunk that is looked through for a run of data lines."""


class Reply(NamedTuple):
    """
    How a command was answered that succeeded.

    :ivar command: the command line as it was sent.
    :ivar lines: its data, without the ``=`` marks; empty for most commands (rule 23).
    :ivar completed: what the monitor says was completed (rule 2: never relied on).
    """

    command: str
    lines: tuple[str, ...]
    completed: str

    @property
    def text(self) -> str:
        """The data as one string."""
        return "\n".join(self.lines)


class State(StrEnum):
    """Where a client stands; what may come then is in ``TextClient.LEGAL``."""

    GREETING = "the greeting is awaited"
    IDLE = "no reply is owed"
    BUSY = "a reply is owed"
    OVER = "the connection is over"


@implementer(IMonitorClient)
class TextClient(MonitorClient[Greeting, Event]):
    """A connection to a monitor that speaks QMP 0.1; see rules 17 and 22 for what may come."""

    dialect = "text"

    @property
    def state(self) -> State:
        """Where the conversation stands."""
        if self._over is not None:
            return State.OVER
        if self.greeting is None:
            return State.GREETING
        return State.BUSY if self._commands.sent else State.IDLE

    def execute(
        self, command: str, *arguments: str | int, timeout: float | None = None
    ) -> Deferred[Reply]:
        """
        Send a command: ``execute("set_link", "e1000.0", "down")``.

        :param arguments: are quoted where they need it (rule 9).
        :param timeout: seconds; None: the factory's ``command_timeout``.
        :returns: fires with the reply, or fails with :class:`~txqmp.CommandFailed`,
            :class:`~txqmp.CommandRejected`, :class:`~txqmp.CommandTimeout`,
            :class:`~txqmp.CommandInterrupted`; and, before anything is sent, with
            :class:`~txqmp.InvalidCommand`, :class:`~txqmp.QueueFull` or
            :class:`~txqmp.ConnectionUnusable`. Cancelling it leaves the command's place in the
            queue to its reply (rule 5); one that was not sent yet is never sent.
        """
        try:
            line = grammar.write_command(command, *arguments)
        except InvalidCommand as error:
            return fail(error)
        return self._enqueue(str(line, "ascii"), timeout, line + b"\r\n")

    def execute_line(self, line: str, timeout: float | None = None) -> Deferred[Reply]:
        """Send a command line as it is: ``execute_line("info network")``. As ``execute`` else."""
        try:
            data = grammar.check_command_line(line)
        except InvalidCommand as error:
            return fail(error)
        return self._enqueue(line, timeout, data + b"\r\n")

    def canonical_event(self, name: str) -> str:
        """Events ignore case; ``reset`` is ``reboot``, ``resume`` is ``cont``."""
        return canonical(name)

    def _parse(self, line: bytes) -> Greeting | ServerMessage:
        if self.greeting is None:
            return grammar.parse_greeting(line)
        return grammar.parse_server_line(line)

    def dataReceived(self, data: bytes) -> None:
        """Take a chunk from the monitor; a run of data lines in it is taken in one step."""
        # No line of a chunk that is within the bound of a line is beyond it (rule 12).
        if _RUN <= len(data) <= self.MAX_LENGTH and self._takes_runs():
            start = data.find(b"\n") + 1
            if start and not self._at_line_start:
                super().dataReceived(data[:start])
                data = data[start:]
            while data.startswith(b"= ") and self._at_line_start and self._takes_runs():
                lines, size = grammar.parse_output_run(data)
                if not size:
                    break
                self._got_run(lines, size)
                data = data[size:]
        super().dataReceived(data)

    def _takes_runs(self) -> bool:
        return self.state is State.BUSY and not (self.paused or self._busyReceiving)

    def _got_run(self, lines: list[str], size: int) -> None:
        pending = self._commands.sent[0]
        try:
            self._count(pending, size)
        except BoundExceeded as violation:
            self._violated(violation)
        if not pending.abandoned:
            pending.lines += lines

    def _got_greeting(self, greeting: Greeting) -> None:
        if greeting.qmp != "0.1":
            _log.warn("the monitor speaks QMP {version!r}, not 0.1", version=greeting.qmp)
        self._greeted(greeting)

    def _got_output(self, output: Output) -> None:
        pending = self._commands.sent[0]
        self._count(pending, len(output.text) + 4)
        if not pending.abandoned:
            pending.lines.append(output.text)

    def _count(self, pending: Pending, size: int) -> None:
        pending.size += size
        if pending.size > self.factory.max_response:
            raise BoundExceeded(
                f"the reply to {pending.line!r} has more than {self.factory.max_response} bytes "
                "(max_response)"
            )

    def _got_success(self, success: Success) -> None:
        pending = self._commands.take()
        pending.succeed(Reply(pending.line, tuple(pending.lines), success.command))

    def _got_failure(self, failure: Failure) -> None:
        pending = self._commands.take()
        pending.fail(CommandFailed(failure.reason, pending.line, pending.lines))

    def _got_rejection(self, rejection: Rejection) -> None:
        pending = self._commands.take()
        pending.fail(CommandRejected(rejection.reason, pending.line, pending.lines))

    def _got_unknown(self, unknown: Unknown) -> None:
        """Section 5: lines that begin with ``*`` are ignored, not considered errors."""

    LEGAL: ClassVar[dict[tuple[State, type], Callable[[Any, Any], None]]] = {
        (State.GREETING, Greeting): _got_greeting,
        (State.IDLE, Event): MonitorClient._event,
        (State.IDLE, Unknown): _got_unknown,
        (State.BUSY, Event): MonitorClient._event,
        (State.BUSY, Unknown): _got_unknown,
        (State.BUSY, Output): _got_output,
        (State.BUSY, Success): _got_success,
        (State.BUSY, Failure): _got_failure,
        (State.BUSY, Rejection): _got_rejection,
    }

    def _ends_well(self, pending: Pending) -> Reply | None:
        # Rule 18: the monitor may close instead of answering.
        if pending.line.lower().split()[0] in ("quit", "q"):
            return Reply(pending.line, tuple(pending.lines), "")
        return None


class TextClientFactory(MonitorClientFactory):
    """
    Makes clients of QMP 0.1, for an endpoint or a ``ClientService``::

        service = ClientService(endpoint, TextClientFactory(reactor))
        client = await service.whenConnected()
        await client.when_greeted()

    The service hears of a client's end after all that the client itself calls back: ask it for
    the next one in a later turn of the reactor.
    """

    protocol: Callable[[MonitorClientFactory], TextClient] = TextClient  # type: ignore[assignment]

    def buildProtocol(self, addr: IAddress | None) -> TextClient:  # type: ignore[override]
        """Make a client for one connection."""
        return self.protocol(self)
