"""The gateway's commands: those it knows by name, and behind them the human monitor's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txqmp.errors import CommandFailed, CommandRejected, MonitorError
from txqmp.gateway import hmp
from txqmp.gateway.call import Call
from txqmp.gateway.catalogue import Row, Way, rows
from txqmp.proxy.common import GONE, NoAnswer
from txqmp.text.server import Request
from txqmp.text.table import CommandTable

_log = Logger()


class GatewayTable(CommandTable):
    """
    A table whose commands are carried out by a JSON monitor.

    :param make_call: makes the :class:`~txqmp.gateway.call.Call` of a request.
    :param human: whether ``human-monitor-command`` may be used; what needs it is an unknown
        command otherwise.
    """

    def __init__(self, make_call: Callable[[Request], Call], human: bool = True) -> None:
        super().__init__()
        self._make_call = make_call
        self._human = human
        self._rows: dict[str, Row] = {}
        for row in rows():
            if human or row.way not in (Way.HUMAN, Way.FALLBACK):
                self._rows[row.known.name] = row
                self.command(*row.known)(row.handler or hmp.pass_on)

    def call(self, request: Request) -> Any:
        """Carry out one command, by JSON commands or by the human monitor, if it is allowed."""
        call = self._make_call(request)
        delay = call.judge()
        return self._carry_out(call) if delay is None else self._carry_out_after(delay, call)

    async def _carry_out_after(self, delay: Deferred[None], call: Call) -> Any:
        monitor = call.upstream.monitor
        life = monitor.lives
        await delay
        if monitor.lives != life:
            # It was meant for the one before.
            raise NoAnswer(GONE)
        return self._carry_out(call)

    def _carry_out(self, call: Call) -> Any:
        request = call.request
        verb, words = request.command.verb, request.command.arguments
        try:
            entry, words = self.lookup(verb, words)
        except CommandRejected:
            if verb == "info":
                request.name = f"info {words[0].lower()}"
            return self._pass_on(call, None)
        request.name = entry.name
        row = self._rows.get(entry.name)
        if row is not None:
            if row.handler is None:
                return self._pass_on(call, row)
            return self._read(call, row.handler(call, *entry.bind(words)))
        if entry.name == "help" and words and self._human and not self._has_help(words):
            return self._help_of(call, " ".join(words))
        return entry.handler(request, *entry.bind(words))

    async def _read(self, call: Call, carried_out: Awaitable[Any]) -> Any:
        """
        Wait for a command's end.

        :raises CommandFailed: the monitor has returned what QEMU never does.
        """
        try:
            return await carried_out
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            if not call.was_answered or isinstance(error, MonitorError):
                raise
            name = call.request.name
            _log.warn(
                "{command}: the monitor's answer cannot be read: {error!r}",
                command=name,
                error=error,
            )
            raise CommandFailed(f"{name}: the monitor's answer is none of QEMU's") from None

    def _has_help(self, words: tuple[str, ...]) -> bool:
        asked = " ".join(words).lower()
        return any(asked in (*entry.aliases, "info") for entry in self)

    async def _pass_on(self, call: Call, row: Row | None) -> Any:
        """Have the human monitor carry the client's line out as it is."""
        gone = row is not None and row.way is Way.GONE
        if not self._human:
            raise _no_such(row) if gone else CommandRejected("unknown command")
        try:
            return await self._read(call, hmp.pass_on(call))
        except CommandRejected:
            if row is None:
                raise
            # It was a command in 2009: not a word that nobody understands.
            raise _no_such(row) from None

    async def _help_of(self, call: Call, asked: str) -> Any:
        try:
            return await hmp.pass_on(call)
        except CommandRejected:
            raise CommandFailed(f"help: no command '{asked}'") from None


def _no_such(row: Row | None) -> CommandFailed:
    assert row is not None
    successor = f" ({row.becomes})" if row.way is Way.GONE and row.becomes else ""
    return CommandFailed(f"{row.known.name}: this QEMU has no such command{successor}")
