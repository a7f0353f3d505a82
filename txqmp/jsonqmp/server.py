"""A server of JSON QMP, in front of a table of commands."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from txqmp.errors import CommandFailed, ProtocolViolation
from txqmp.jsonqmp import grammar
from txqmp.jsonqmp.grammar import ABSENT, Absent, Command, JSONObject, JSONValue
from txqmp.jsonqmp.request import MAX_DEPTH, as_command, read
from txqmp.jsonqmp.table import JSONCommandTable
from txqmp.jsonqmp.throttle import EventThrottle
from txqmp.jsonqmp.values import (
    INCOMPLETE,
    SKIPPED,
    TOO_LONG,
    WHITE_SPACE,
    Junk,
    Piece,
    ValueSplitter,
)
from txqmp.monitor.server import MonitorRequest, MonitorServer, MonitorServerFactory, settled

MAX_COMMAND_LENGTH = 1 << 20
"""Bytes in a command."""

CAPABILITIES = ("oob",)
"""What a server offers in its greeting, where nothing else is said."""

UNANSWERED = (WHITE_SPACE, SKIPPED, INCOMPLETE)
"""Junk that is passed over."""


class Request(MonitorRequest):
    """
    A command while it is carried out, as its handler sees it.

    :ivar command: what the client asked for.
    """

    def __init__(self, command: Command, server: JSONServer) -> None:
        super().__init__(command.name, server.memory)
        self.command = command
        self._server = server

    @property
    def negotiated(self) -> bool:
        """Whether the client has had its ``qmp_capabilities``."""
        return self._server.negotiated

    def negotiate(self, enable: Sequence[str]) -> None:
        """
        End the negotiation.

        :param enable: the capabilities that the client wants.
        :raises CommandFailed: one was not offered, or the negotiation is over.
        """
        self._server.negotiate(enable)


class JSONServer(MonitorServer):
    """
    One connection of a client that speaks JSON QMP.

    :ivar negotiated: whether the client has had its ``qmp_capabilities``.
    :ivar oob: whether it wants to send ``exec-oob``.
    """

    factory: JSONServerFactory

    def __init__(self, factory: JSONServerFactory) -> None:
        super().__init__(factory)
        self.negotiated = False
        self.oob = False
        self._values = ValueSplitter(factory.max_command_length, factory.max_depth)
        self._pieces: deque[Piece] = deque()
        self.setRawMode()

    def _greet(self) -> None:
        factory = self.factory
        self._say(grammar.write_greeting(factory.qemu, factory.package, factory.capabilities))

    def negotiate(self, enable: Sequence[str]) -> None:
        """
        Let commands in, and events out.

        :param enable: the capabilities that the client wants.
        :raises CommandFailed: one was not offered, or the negotiation is over.
        """
        for index, name in enumerate(enable):
            if name not in self.factory.capabilities:
                raise CommandFailed(f"Parameter 'enable[{index}]' does not accept value '{name}'")
        if self.negotiated:
            raise CommandFailed(
                "Capabilities negotiation is already complete, command ignored",
                error_class="CommandNotFound",
            )
        self.negotiated = True
        self.oob = "oob" in enable

    def _say(self, message: bytes) -> None:
        self.write(message + b"\r\n")

    def send_event(self, event: bytes) -> None:
        """Send an event, unless the client has not negotiated yet."""
        if self.negotiated:
            super().send_event(event)

    # What arrives.

    def rawDataReceived(self, data: bytes) -> None:
        """Cut out what is complete; ``_deliver_arrived`` takes it from there."""
        self._pieces.extend(self._values.feed(data))

    def _deliver_arrived(self) -> None:
        super()._deliver_arrived()
        while self._pieces and not (self.paused or self._wire.disconnecting):
            self._take(self._pieces.popleft())

    def _take(self, piece: Piece) -> None:
        if isinstance(piece, Junk):
            if piece.problem not in UNANSWERED:
                self._enqueue(piece)
            return
        for message in read(piece.raw, self.factory.max_depth):
            if self.oob and is_oob(message):
                self._overtake(message)
            else:
                self._enqueue(message)

    # What is answered.

    async def _answer(self, item: Junk | ProtocolViolation | JSONValue) -> None:
        if isinstance(item, Junk):
            await self._complain(item)
        elif isinstance(item, ProtocolViolation):
            self._say(grammar.write_failure("GenericError", item.problem))
        else:
            await self._obey(item)

    async def _complain(self, junk: Junk) -> None:
        if junk.problem == TOO_LONG:
            self._say(grammar.write_failure("GenericError", "JSON token size limit exceeded"))
            return
        for message in read(junk.raw, self.factory.max_depth):
            await self._until_writable()
            assert isinstance(message, ProtocolViolation)
            self._say(grammar.write_failure("GenericError", message.problem))

    async def _obey(self, message: JSONValue) -> None:
        echo: JSONValue | Absent = ABSENT
        if isinstance(message, dict):
            echo = message.get("id", ABSENT)
        closing = False
        try:
            request = Request(as_command(message, self.oob), self)
            answer = await self._carry_out(request, echo)
            closing = request.closing
        except ProtocolViolation as violation:
            answer = grammar.write_failure("GenericError", violation.problem, echo)
        if not self._over:
            self._say(answer)
            if closing:
                self.close()

    async def _carry_out(self, request: Request, id: JSONValue | Absent) -> bytes:
        try:
            value = await settled(self.factory.table.call(request))
            return grammar.write_success({} if value is None else value, id)
        except CommandFailed as error:
            return grammar.write_failure(error.error_class, error.reason, id)
        except Exception:
            if not self._over:
                self._failed(request.name)
            return grammar.write_failure("GenericError", "internal error", id)


def is_oob(message: JSONValue | ProtocolViolation) -> bool:
    """Whether a message asks to be carried out before those that came earlier."""
    return isinstance(message, dict) and "exec-oob" in message and "execute" not in message


class JSONServerFactory(MonitorServerFactory):
    """
    Makes servers of JSON QMP.

    :param table: the commands they know.
    :param reactor: measures all times, and tells the time of events; the global reactor where
        it is None.
    :param qemu: the QEMU version of the greeting: three numbers.
    :param package: what the greeting says besides.
    :param capabilities: what the greeting offers: ``oob``, or nothing.
    :param max_command_length: bytes in a command.
    :param max_depth: objects and arrays inside each other in a command.
    :param settings: see :class:`~txqmp.monitor.server.MonitorServerFactory`.
    :raises ValueError: the version is not three numbers.
    """

    def __init__(
        self,
        table: JSONCommandTable,
        reactor: Any = None,
        *,
        qemu: str = "7.2.22",
        package: str = "",
        capabilities: Sequence[str] = CAPABILITIES,
        max_command_length: int = MAX_COMMAND_LENGTH,
        max_depth: int = MAX_DEPTH,
        **settings: Any,
    ) -> None:
        super().__init__(reactor, **settings)
        grammar.version_numbers(qemu)
        self.table = table
        self.qemu = qemu
        self.package = package
        self.capabilities = tuple(capabilities)
        self.max_command_length = max_command_length
        self.max_depth = max_depth
        self._throttle = EventThrottle(self.reactor, self._tell_all)

    def _build(self) -> JSONServer:
        return JSONServer(self)

    def stopFactory(self) -> None:
        """Forget the events that are held back."""
        self._throttle.stop()
        super().stopFactory()

    def broadcast(self, name: str, data: Mapping[str, JSONValue] | None = None) -> None:
        """
        Send an event, as of now, to every connection that has negotiated.

        Of those in :data:`~txqmp.jsonqmp.throttle.LIMITED`, at most one each second is sent.

        :param name: such as ``STOP``.
        :param data: what it tells besides; without it, the event has no such member.
        """
        members: JSONObject = dict(data or {})
        event = grammar.write_event(name, members, self.reactor.seconds())
        self._throttle.pass_on(name, members, event + b"\r\n")
