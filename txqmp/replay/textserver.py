"""A replayed monitor that speaks QMP 0.1."""

from __future__ import annotations

from typing import Any

from txqmp.errors import CommandError, CommandFailed, CommandRejected, ProtocolViolation
from txqmp.replay.elsewhere import Elsewhere
from txqmp.replay.matching import Asked, NotRecorded
from txqmp.replay.player import Player, Replay
from txqmp.replay.server import MAX_COMMAND, ReplayingFactory, ReplayingServer
from txqmp.text import grammar
from txqmp.text.grammar import Event, Rejection
from txqmp.text.server import TextServer, TextServerFactory
from txqmp.text.table import CommandTable


class ReplayingTextServer(ReplayingServer, TextServer):
    """One connection of a client to a replayed monitor that speaks QMP 0.1."""

    factory: ReplayingTextFactory

    def __init__(self, factory: ReplayingTextFactory, player: Player) -> None:
        super().__init__(factory)
        self.player = player

    def lineReceived(self, line: bytes) -> None:
        """Read a line; one that is no command may have been answered in the record, too."""
        try:
            command = grammar.parse_command(line)
        except ProtocolViolation as violation:
            self._enqueue(self._find(Asked("", [], line=line, problem=violation.problem)))
        else:
            if command is not None:
                self._enqueue(self._find(Asked(command.verb, list(command.arguments))))

    def _answer_at_once(self, item: Any) -> Any:
        return super()._answer_at_once(item) if isinstance(item, Rejection) else item

    async def _answer(self, item: Any) -> None:
        await self._reply(item)

    def _refuse(self, asked: Asked, problem: NotRecorded) -> None:
        if problem.unknown:
            answer = grammar.write_rejection(asked.problem or "unknown command")
        else:
            answer = grammar.write_failure(f"replay: {problem}")
        self._utter(answer + b"\r\n")

    async def _ask_elsewhere(self, asked: Asked, elsewhere: Elsewhere) -> None:
        try:
            reply = await elsewhere.ask(
                lambda client, timeout: client.execute(
                    asked.name, *asked.arguments, timeout=timeout
                )
            )
            lines, completion = reply.lines, grammar.write_success(reply.completed)
        except CommandRejected as error:
            lines, completion = error.lines, grammar.write_rejection(error.reason)
        except CommandFailed as error:
            lines, completion = error.lines, grammar.write_failure(error.reason)
        except CommandError as error:
            lines, completion = error.lines, grammar.write_failure(f"replay: {error}")
        answer = [*map(grammar.write_output, lines), completion]
        self._utter(b"".join(line + b"\r\n" for line in answer))


class ReplayingTextFactory(ReplayingFactory, TextServerFactory):
    """Makes them."""

    def __init__(self, replay: Replay, reactor: Any, elsewhere: Elsewhere | None) -> None:
        super().__init__(CommandTable(), reactor, max_command_length=MAX_COMMAND)
        self.replay = replay
        self.elsewhere = elsewhere
        if elsewhere is not None:
            elsewhere.subscribe(self._event)

    def _build(self) -> ReplayingTextServer:
        return ReplayingTextServer(self, self.replay.begin())

    def _event(self, event: Event) -> None:
        self.broadcast(event.name, event.data)
