"""A client of JSON QMP: a Deferred per command, replies by id."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from typing import Any, ClassVar, cast

from twisted.internet.defer import Deferred, DeferredLock, fail
from twisted.internet.interfaces import IAddress, IUNIXTransport
from zope.interface import implementer

from txqmp.errors import (
    BoundExceeded,
    CommandFailed,
    CommandTimeout,
    InvalidCommand,
    ProtocolViolation,
)
from txqmp.jsonqmp import grammar
from txqmp.jsonqmp.grammar import (
    Completion,
    Event,
    Failure,
    Greeting,
    JSONObject,
    ServerMessage,
    Success,
)
from txqmp.jsonqmp.values import TOO_LONG, Junk, ValueSplitter
from txqmp.monitor.client import IMonitorClient, MonitorClient, MonitorClientFactory
from txqmp.monitor.pending import NumberedQueue, Pending

DEFAULT_TIMEOUTS: Mapping[str, float | None] = {
    "query-*": 30.0,
    "qom-*": 30.0,
    "human-monitor-command": None,
    "dump-guest-memory": None,
    "migrate*": 60.0,
    "*": 120.0,
}
"""Seconds for the reply to a command, by the first glob that fits; None: for ever."""


class State(StrEnum):
    """Where a client stands; what may come then is in ``JSONClient.LEGAL``."""

    GREETING = "the greeting is awaited"
    NEGOTIATING = "the answer to the negotiation is awaited"
    IDLE = "no reply is owed"
    BUSY = "a reply is owed"
    OVER = "the connection is over"


def _first_fit(timeouts: Mapping[str, float | None], command: str) -> float | None:
    return next((time for glob, time in timeouts.items() if fnmatchcase(command, glob)), None)


def _not_asked_for(reply: Completion) -> ProtocolViolation:
    if reply.id is grammar.ABSENT:
        what = reply.description if isinstance(reply, Failure) else "success"
        return ProtocolViolation(f"a reply without an id: {what}")
    return ProtocolViolation(f"a reply with the unknown id {reply.id!r}")


@implementer(IMonitorClient)
class JSONClient(MonitorClient[Greeting, Event]):
    """
    A connection to a monitor that speaks JSON QMP.

    It negotiates by itself, and switches ``oob`` on where the monitor offers it.

    :ivar oob: whether commands may be run out of band.
    """

    dialect = "json"
    factory: JSONClientFactory
    _commands: NumberedQueue
    _queue_class = NumberedQueue

    def __init__(self, factory: JSONClientFactory) -> None:
        super().__init__(factory)
        self.oob = False
        self._ready = False
        self._number = 0
        self._pretty = ValueSplitter(factory.max_line)
        self._unfinished = 0
        self._turns = DeferredLock()
        self._descriptors: dict[int, int] = {}

    @property
    def state(self) -> State:
        """Where the conversation stands."""
        if self._over is not None:
            return State.OVER
        if self.greeting is None:
            return State.GREETING
        if not self._ready:
            return State.NEGOTIATING
        return State.BUSY if self._commands.sent else State.IDLE

    @property
    def next_id(self) -> int:
        """The id that the next command will bear, to find it in a record of the bytes."""
        return self._number + 1

    def execute(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        oob: bool = False,
        timeout: float | None = None,
    ) -> Deferred[Any]:
        """
        Send a command: ``execute("device_del", {"id": "nic1"})``.

        :param oob: run it out of band: it overtakes, and does not wait for the window. Before
            the greeting it waits with the others, and a monitor without ``oob`` refuses it.
        :param timeout: seconds; None: what the factory's ``timeouts`` say.
        :returns: fires with what the monitor returns, or fails with
            :class:`~txqmp.CommandFailed` (with the monitor's ``error_class`` and reason),
            :class:`~txqmp.CommandTimeout`, :class:`~txqmp.CommandInterrupted`; and, before
            anything is sent, with :class:`~txqmp.InvalidCommand`, :class:`~txqmp.QueueFull` or
            :class:`~txqmp.ConnectionUnusable`. Cancelling it frees the caller; a late reply is
            dropped.
        """
        if oob and self._ready and not self.oob:
            return fail(InvalidCommand("this monitor runs no commands out of band"))
        try:
            number, data = self._write(command, arguments, oob)
        except InvalidCommand as error:
            return fail(error)
        if timeout is None:
            timeout = self.factory.timeout_of(command)
        return self._enqueue(command, timeout, data, number, oob)

    def send_fd(
        self,
        descriptor: int,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> Deferred[Any]:
        """
        Send a file descriptor with the command that takes it: ``send_fd(f.fileno(), "getfd",
        {"fdname": "net0"})``, or ``add-fd``. UNIX sockets only.

        One is sent at a time, since a monitor keeps only the last that came: the next waits for
        the reply to this one, even if this one is cancelled or times out. A duplicate is sent;
        the caller may close the descriptor at once.

        :returns: as :meth:`execute`.
        """
        if not IUNIXTransport.providedBy(self.transport):
            return fail(InvalidCommand("file descriptors travel over UNIX sockets only"))
        try:
            number, data = self._write(command, arguments)
            duplicate = os.dup(descriptor)
        except InvalidCommand as error:
            return fail(error)
        except OSError as error:
            return fail(InvalidCommand(f"the descriptor cannot be sent: {error.strerror}"))
        if timeout is None:
            timeout = self.factory.timeout_of(command)

        def send() -> Deferred[Any]:
            self._descriptors[number] = duplicate
            if self._over is not None or self._end.closing:
                return fail(self._unusable())
            return self._commands.add(command, None, data, number)

        def ended(result: Any) -> None:
            self._descriptors.pop(number, None)
            os.close(duplicate)
            if not answer.called:
                answer.callback(result)

        def give_up(_: Deferred[Any]) -> None:
            # Once it is sent, its turn ends with its reply.
            if number not in self._commands.sent:
                turn.cancel()

        def late(_: Any, seconds: float) -> None:
            sent = number in self._commands.sent
            raise CommandTimeout(command, seconds, sent=sent)

        answer: Deferred[Any] = Deferred(give_up)
        if timeout is not None:
            answer.addTimeout(timeout, self._clock, late)
        turn = self._turns.run(send)
        turn.addBoth(ended)
        return answer

    def _write(
        self, command: str, arguments: Mapping[str, Any] | None, oob: bool = False
    ) -> tuple[int, bytes]:
        self._number += 1
        return self._number, grammar.write_command(command, arguments, self._number, oob)

    def _send(self, pending: Pending) -> None:
        if self._descriptors and pending.number in self._descriptors:
            # It travels with the next byte that is written.
            self.flush()
            cast(IUNIXTransport, self.transport).sendFileDescriptor(
                self._descriptors[pending.number]
            )
        self.write(pending.data)

    def _parse(self, line: bytes) -> ServerMessage | None:
        if not self._unfinished:
            if line.endswith(b"}"):
                return self._read(line)
            text = line.strip()
            if not text:
                return None
            if text.endswith(b"}") or not text.startswith(b"{"):
                return self._read(line)
        # Some monitors print prettily (QEMU's -qmp-pretty), over many lines.
        pieces = self._pretty.feed(line + b"\n")
        self._unfinished += len(line) + 1 - sum(len(piece.raw) for piece in pieces)
        if not pieces:
            return None
        piece = pieces[0]
        if isinstance(piece, Junk):
            if piece.problem == TOO_LONG:
                problem = f"a message of more than {self.factory.max_line} bytes (max_line)"
                raise BoundExceeded(problem, piece.raw)
            raise ProtocolViolation(piece.problem, piece.raw)
        if len(pieces) > 1 or self._unfinished:
            raise ProtocolViolation("something after a message, in its line", line)
        return self._read(piece.raw)

    def _read(self, raw: bytes) -> ServerMessage:
        """Read a whole message."""
        return grammar.parse_server_message(raw)

    def _got_greeting(self, greeting: Greeting) -> None:
        self.greeting = greeting
        self.oob = "oob" in greeting.capabilities
        arguments: JSONObject = {"enable": ["oob"]} if self.oob else {}
        data = grammar.write_command("qmp_capabilities", arguments, 0)
        self._send(Pending("qmp_capabilities", data))

    def _got_negotiated(self, success: Success) -> None:
        if success.id != 0:
            raise ProtocolViolation("the answer to the negotiation has an unknown id")
        self._ready = True
        assert self.greeting is not None
        self._greeted(self.greeting)

    def _got_refused(self, failure: Failure) -> None:
        raise ProtocolViolation(f"the negotiation failed: {failure.description}")

    def _got_completion(self, message: Completion) -> None:
        pending = self._commands.take(message.id)
        if pending is None:
            raise _not_asked_for(message)
        self._settle(pending, message)

    def _settle(self, pending: Pending, message: Completion) -> None:
        """Tell who waits for a command how it ended."""
        if isinstance(message, Success):
            pending.succeed(message.value)
        else:
            pending.fail(
                CommandFailed(message.description, pending.line, error_class=message.error_class)
            )

    LEGAL: ClassVar[dict[tuple[State, type], Callable[[Any, Any], None]]] = {
        (State.GREETING, Greeting): _got_greeting,
        (State.NEGOTIATING, Event): MonitorClient._event,
        (State.NEGOTIATING, Success): _got_negotiated,
        (State.NEGOTIATING, Failure): _got_refused,
        (State.IDLE, Event): MonitorClient._event,
        (State.BUSY, Event): MonitorClient._event,
        (State.BUSY, Success): _got_completion,
        (State.BUSY, Failure): _got_completion,
    }

    def canonical_event(self, name: str) -> str:
        """Events ignore case, as in the text protocol."""
        return name.upper()

    def _ends_well(self, pending: Pending) -> Any:
        return {} if pending.line == "quit" else None


class JSONClientFactory(MonitorClientFactory):
    """
    Makes clients of JSON QMP, for an endpoint or a ``ClientService``.

    :param reactor: measures all times; the global reactor where it is None.
    :param timeouts: seconds for the reply to a command, by globs of its name, the first that
        fits; None: for ever. ``command_timeout``, where it is given, stands for all.
    :param window: commands sent ahead at most. With more than 8 a command that is run out of
        band does not overtake: QEMU reads no further.
    :param max_line: bytes in a message of the monitor.
    :param settings: see :class:`~txqmp.monitor.client.MonitorClientFactory`.
    """

    protocol: Callable[[JSONClientFactory], JSONClient] = JSONClient  # type: ignore[assignment]

    def __init__(
        self,
        reactor: Any = None,
        *,
        timeouts: Mapping[str, float | None] = DEFAULT_TIMEOUTS,
        window: int = 8,
        max_line: int = 64 * 1024 * 1024,
        **settings: Any,
    ) -> None:
        super().__init__(reactor, window=window, max_line=max_line, **settings)
        self._look_up = lru_cache(maxsize=1000)(partial(_first_fit, dict(timeouts)))

    def timeout_of(self, command: str) -> float | None:
        """Seconds for the reply to a command; None: for ever."""
        if self.command_timeout is not None:
            return self.command_timeout
        return self._look_up(command)

    def buildProtocol(self, addr: IAddress | None) -> JSONClient:  # type: ignore[override]
        """Make a client for one connection."""
        return self.protocol(self)
