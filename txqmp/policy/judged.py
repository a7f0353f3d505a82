"""A client of many who share a connection to a monitor, and what a policy makes of its commands."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from txqmp.errors import CommandFailed
from txqmp.journal.record import Dialect
from txqmp.jsonqmp import grammar as json_grammar
from txqmp.jsonqmp.grammar import ABSENT
from txqmp.policy.interface import IJudge
from txqmp.policy.request import Client
from txqmp.proxy.peer import identify_peer
from txqmp.text import grammar as text_grammar

_log = Logger()


class Judged:
    """
    A client whose commands are judged, each before anything is asked for it.

    :param policy: judges.
    :param dialect: what the client speaks.
    :param transport: what it is connected by; with TLS, it has shaken hands.
    :param clock: measures delays.
    """

    def __init__(
        self, policy: IJudge, dialect: Dialect, transport: Any, clock: IReactorTime
    ) -> None:
        self._policy: Any = policy
        self._dialect = dialect
        self._transport = transport
        self._clock = clock
        self._client = Client.from_peer(identify_peer(transport))

    def judge(
        self, command: json_grammar.Command | text_grammar.Command, link: int
    ) -> Deferred[None] | None:
        """
        Judge a command, and have the verdict journalled.

        :param command: as it was read; whatever is asked for it is made of that.
        :param link: the number that it has in the journal.
        :returns: None if it may go on at once, else what fires when it may; this can be
            cancelled.
        :raises CommandFailed: it is denied.
        """
        name = command.verb if isinstance(command, text_grammar.Command) else command.name
        try:
            verdict = self._policy.judge(self._client, self._dialect, command)
        except Exception:
            _log.failure("{command} could not be judged", command=name)
            reason = "internal error: the command could not be judged"
            raise CommandFailed(reason, name) from None
        fields = verdict.fields()
        if fields and hasattr(self._transport, "verdict"):
            about: dict[str, Any] = {"command": name, "link": link}
            if isinstance(command, json_grammar.Command) and command.id is not ABSENT:
                about["id"] = command.id
            self._transport.verdict({**fields, **about})
        if verdict.denied:
            raise CommandFailed(verdict.reply_reason, name)
        return deferLater(self._clock, verdict.wait) if verdict.wait else None
