"""A replayed monitor that speaks JSON QMP."""

from __future__ import annotations

from typing import Any

from txqmp.errors import CommandError, CommandFailed
from txqmp.journal.record import Kind
from txqmp.jsonqmp import grammar
from txqmp.jsonqmp.grammar import ABSENT
from txqmp.jsonqmp.server import JSONServer, JSONServerFactory
from txqmp.jsonqmp.table import JSONCommandTable
from txqmp.replay.elsewhere import Elsewhere
from txqmp.replay.fitting import fit_id
from txqmp.replay.matching import Asked, NotRecorded
from txqmp.replay.player import Player, Replay
from txqmp.replay.script import COMPLETIONS, Exchange, Said
from txqmp.replay.server import MAX_COMMAND, Found, ReplayingFactory, ReplayingServer


class ReplayingJSONServer(ReplayingServer, JSONServer):
    """One connection of a client to a replayed monitor that speaks JSON QMP."""

    factory: ReplayingJSONFactory

    def __init__(self, factory: ReplayingJSONFactory, player: Player) -> None:
        super().__init__(factory)
        self.player = player
        # Events are where they were in the record, whatever was negotiated before.
        self.negotiated = True

    def _enqueue(self, item: Any) -> None:
        super()._enqueue(self._looked_up(item))

    def _overtake(self, item: Any) -> None:
        super()._overtake(self._looked_up(item))

    def _looked_up(self, item: Any) -> Any:
        asked = _asked(item)
        return item if asked is None else self._find(asked)

    async def _obey(self, message: Any) -> None:
        if isinstance(message, Found):
            await self._reply(message)
        else:
            # QEMU's words for what is no command need no record.
            await super()._obey(message)

    def _fitted(self, said: Said, asked: Asked) -> bytes:
        raw = super()._fitted(said, asked)
        if said.kind in COMPLETIONS:
            raw = fit_id(raw, said.fields.get("id", ABSENT), asked.id)
        return raw

    def _answered_from(self, exchange: Exchange) -> None:
        accepted = any(said.kind is Kind.SUCCESS for said in exchange.answer)
        if exchange.name == "qmp_capabilities" and accepted:
            enabled = exchange.arguments.get("enable")
            self.oob = isinstance(enabled, list) and "oob" in enabled

    def _refuse(self, asked: Asked, problem: NotRecorded) -> None:
        if problem.unknown:
            error_class, words = "CommandNotFound", f"The command {asked.name} has not been found"
        else:
            error_class, words = "GenericError", f"replay: {problem}"
        self._utter(grammar.write_failure(error_class, words, asked.id) + b"\r\n")

    async def _ask_elsewhere(self, asked: Asked, elsewhere: Elsewhere) -> None:
        try:
            value = await elsewhere.ask(
                lambda client, timeout: client.execute(asked.name, asked.arguments, timeout=timeout)
            )
            answer = grammar.write_success(value, asked.id)
        except CommandFailed as error:
            answer = grammar.write_failure(error.error_class, error.reason, asked.id)
        except CommandError as error:
            answer = grammar.write_failure("GenericError", f"replay: {error}", asked.id)
        self._utter(answer + b"\r\n")


def _asked(message: Any) -> Asked | None:
    """Read a command as leniently as the journal does; None where it is none."""
    if not isinstance(message, dict):
        return None
    names = [message[key] for key in ("execute", "exec-oob") if key in message]
    arguments = message.get("arguments", {})
    if len(names) != 1 or not isinstance(names[0], str) or not isinstance(arguments, dict):
        return None
    return Asked(names[0], arguments, message.get("id", ABSENT))


class ReplayingJSONFactory(ReplayingFactory, JSONServerFactory):
    """Makes them."""

    def __init__(self, replay: Replay, reactor: Any, elsewhere: Elsewhere | None) -> None:
        super().__init__(JSONCommandTable(), reactor, max_command_length=MAX_COMMAND)
        self.replay = replay
        self.elsewhere = elsewhere
        if elsewhere is not None:
            elsewhere.subscribe(self._event)

    def _build(self) -> ReplayingJSONServer:
        return ReplayingJSONServer(self, self.replay.begin())

    def _event(self, event: grammar.Event) -> None:
        self.broadcast(event.name, event.data)
