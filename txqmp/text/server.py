"""A server of QMP 0.1, in front of a table of commands."""

from __future__ import annotations

import inspect
from typing import Any

from txqmp.errors import CommandFailed, CommandRejected, ProtocolViolation
from txqmp.monitor.server import (
    DONE,
    MonitorRequest,
    MonitorServer,
    MonitorServerFactory,
    settled,
)
from txqmp.text import grammar
from txqmp.text.grammar import Command, Rejection
from txqmp.text.table import CommandTable

_BATCH = 16 * 1024
"""Bytes of output written at a time."""


class _Deaf(Exception):
    """The client will not hear the rest of an answer."""


class Request(MonitorRequest):
    """
    A command while it is carried out, as its handler sees it.

    :ivar command: what the client asked for; its ``line`` is the raw line (rule 9).
    :ivar number: its place among the connection's lines that want an answer, from 1.
    """

    def __init__(self, command: Command, state: dict[str, Any], number: int = 1) -> None:
        super().__init__(command.verb, state)
        self.command = command
        self.number = number


def output_lines(output: Any) -> Any:
    """
    Make lines of what a handler returned.

    :param output: None, one string, or an iterable or asynchronous iterator of lines.
    :returns: an iterable or asynchronous iterator of lines.
    """
    if isinstance(output, str):
        lines = output.removesuffix("\n").split("\n") if output else []
        return [line.removesuffix("\r") for line in lines]
    return () if output is None else output


class TextServer(MonitorServer):
    """One connection of a client that speaks QMP 0.1."""

    factory: TextServerFactory

    _size = 0
    _answers = 0
    _overlong = False

    def __init__(self, factory: TextServerFactory) -> None:
        super().__init__(factory)
        self.MAX_LENGTH = factory.max_command_length
        self._batch: list[bytes] = []

    def _greet(self) -> None:
        self.sendLine(grammar.write_greeting(self.factory.qemu, self.factory.qmp))

    def lineReceived(self, line: bytes) -> None:
        """Read a command; what cannot be read is answered in its turn (rules 3, 8 to 14)."""
        try:
            command = grammar.parse_command(line, self.factory.strict)
        except ProtocolViolation as violation:
            self._enqueue(Rejection(violation.problem))
        else:
            if command is not None:
                self._enqueue(command)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A command is too long: it is discarded, the connection lives on (rule 12)."""
        self._overlong = True

    def overlongLineEnded(self) -> None:
        """It is answered at its end, as every command is."""
        self._overlong = False
        self._enqueue(Rejection("line too long"))

    def readConnectionLost(self) -> None:
        """The client says no more; half a command is none."""
        if self._overlong:
            self.overlongLineEnded()
        elif self.clearLineBuffer():
            self._enqueue(Rejection("the last line has no end"))
        super().readConnectionLost()

    def _answer_at_once(self, item: Command | Rejection) -> Any:
        self._answers += 1
        if isinstance(item, Rejection):
            self.sendLine(grammar.write_rejection(item.reason))
            return DONE
        request = Request(item, self.memory, self._answers)
        try:
            output = self.factory.table.call(request)
        except Exception as error:
            self._complete(request, self._error(request, error))
            return DONE
        if output is not None:
            return request, output
        self._complete(request, grammar.write_success(request.name))
        return DONE

    async def _answer(self, item: tuple[Request, Any]) -> None:
        request, output = item
        try:
            await self._write_output(output)
            completion = grammar.write_success(request.name)
        except _Deaf:
            return
        except Exception as error:
            completion = self._error(request, error)
        self._flush()
        self._complete(request, completion)

    def _error(self, request: Request, error: Exception) -> bytes:
        """Say an error; to be called while it is handled."""
        if isinstance(error, CommandFailed):
            return grammar.write_failure(error.reason)
        if isinstance(error, CommandRejected):
            return grammar.write_rejection(error.reason)
        if not self._over:
            self._failed(request.name)
        return grammar.write_failure("internal error")

    def _complete(self, request: Request, completion: bytes) -> None:
        if not self._over:
            self.sendLine(completion)
            if request.closing:
                self.close()

    async def _write_output(self, result: Any) -> None:
        result = await settled(result)
        result = output_lines(result)
        try:
            if hasattr(result, "__aiter__"):
                async for line in result:
                    await self._put(line)
            else:
                for line in result:
                    await self._put(line)
        finally:
            await _close(result)

    async def _put(self, line: str) -> None:
        if self._closing or self._over:
            # Nothing holds the output back any more: it might never end.
            raise _Deaf
        data = grammar.write_output(line) + b"\r\n"
        self._batch.append(data)
        self._size += len(data)
        if self._size >= _BATCH:
            self._flush()
            await self._until_writable()

    def _flush(self) -> None:
        if self._batch and not self._over:
            batch, self._batch, self._size = self._batch, [], 0
            self.write(b"".join(batch))

    def send_event(self, event: bytes) -> None:
        """Send an event, after the data that the running command has given so far."""
        if not self._blocked:
            self._flush()
        super().send_event(event)


async def _close(iterator: Any) -> None:
    close = getattr(iterator, "aclose", None) or getattr(iterator, "close", None)
    if close is not None:
        closed = close()
        if inspect.isawaitable(closed):
            await closed


class TextServerFactory(MonitorServerFactory):
    """
    Makes servers of QMP 0.1.

    :param table: the commands they know.
    :param reactor: measures all times; the global reactor where it is None.
    :param qemu: the QEMU version of the greeting; may hold spaces (rule 17).
    :param qmp: the protocol version of the greeting.
    :param strict: insist on single spaces (rule 8).
    :param max_command_length: bytes in a command line (rule 12).
    :param settings: see :class:`~txqmp.monitor.server.MonitorServerFactory`.
    """

    def __init__(
        self,
        table: CommandTable,
        reactor: Any = None,
        *,
        qemu: str = "0.10.50",
        qmp: str = "0.1",
        strict: bool = False,
        max_command_length: int = grammar.MAX_COMMAND_LENGTH,
        **settings: Any,
    ) -> None:
        super().__init__(reactor, **settings)
        self.table = table
        self.qemu = qemu
        self.qmp = qmp
        self.strict = strict
        self.max_command_length = max_command_length

    def _build(self) -> TextServer:
        return TextServer(self)

    def broadcast(self, name: str, data: str = "") -> None:
        """
        Send an event to every connection (rules 6 and 21).

        :param name: as the text protocol names it: ``reboot``.
        :param data: ``key=value`` pairs to append, which the draft has no place for.
        """
        self._tell_all(grammar.write_event(name, data) + b"\r\n")
