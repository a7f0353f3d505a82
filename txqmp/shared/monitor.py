"""The monitor that many clients share: their commands, one after the other, and its answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from txqmp.errors import CommandError, CommandInterrupted, QueueFull
from txqmp.jsonqmp import grammar
from txqmp.proxy.common import GONE, CommonMonitor, NoAnswer, unknown_outcome
from txqmp.proxy.links import Links
from txqmp.shared.asked import Asked, Member
from txqmp.shared.connection import SharedJSONClient, SharedTextClient
from txqmp.shared.ledger import Ledger
from txqmp.shared.turns import Turns

_log = Logger()

IN_FLIGHT = 4
"""Commands sent ahead; with more than eight QEMU would not read one that is to overtake."""

_PROTOCOLS = {"json": SharedJSONClient, "text": SharedTextClient}


class SharedMonitor(CommonMonitor):
    """
    A monitor of either dialect, whose clients take turns.

    :param links: numbers the commands.
    :param ledger: keeps their times.
    :param coalesce: answer same queries that wait at the same time once for all.
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
        ledger: Ledger,
        coalesce: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(
            name, endpoint, tap, reactor, links=links, protocols=_PROTOCOLS, **settings
        )
        self._clock = reactor
        self._ledger = ledger
        self._turns = Turns(IN_FLIGHT, self._send, coalesce)
        self._free_since = 0.0

    def submit(self, asked: Asked) -> None:
        """Have a command carried out when its turn comes; at once, if it is urgent."""
        asked.at = self._clock.seconds()
        if not self.ready:
            asked.settle(NoAnswer(GONE))
        elif asked.urgent:
            self._send([asked])
        else:
            self._turns.add(asked)

    def drop(self, asked: Asked) -> None:
        """Do not send a command, if it was not sent yet."""
        self._turns.drop(asked)

    def leave(self, member: Member, names: list[str]) -> None:
        """
        A client is gone: what it waited for is not sent.

        :param names: the descriptors that it has left in the monitor: nobody else knows them.
        """
        self._turns.leave(member)
        for name in names if self.ready else ():
            data = grammar.write_command("closefd", {"fdname": name})
            self.submit(Asked(member, "closefd", data, lambda outcome: None))

    def _send(self, batch: list[Asked]) -> None:
        first = batch[0]
        if self.client is None:
            self._settled(NoAnswer(GONE), batch)
            return
        first.sent = self._clock.seconds()
        key, answer = self.client.submit(first)
        if first.link is not None:
            self._links.expect(key, first.link)
        answer.addBoth(self._settled, batch)
        answer.addErrback(self._failed_to_settle)

    def _settled(self, outcome: Any, batch: list[Asked]) -> None:
        first, now = batch[0], self._clock.seconds()
        if isinstance(outcome, Failure):
            outcome = _in_words(outcome, first.name)
        begun = now if first.sent is None else first.sent
        if not first.urgent:
            # It may have been sent ahead, and waited at the monitor.
            begun = max(begun, self._free_since)
            self._free_since = now
        handed = bool(first.descriptors)
        for asked in batch:
            if asked.link is not None:
                other = None if asked is first else first.link
                self._ledger.note(asked.link, begun - asked.at, now - begun, other)
            try:
                asked.settle(outcome)
            except Exception:
                _log.failure("the outcome of {command} could not be told", command=asked.name)
        if not first.urgent:
            self._turns.answered(handed)

    def _failed_to_settle(self, failure: Failure) -> None:
        _log.failure("an answer could not be attended to", failure)


def _in_words(failure: Failure, command: str) -> CommandError:
    error = failure.value
    if isinstance(error, CommandInterrupted):
        return NoAnswer(f"{GONE}: {unknown_outcome(command)}")
    if isinstance(error, CommandError):
        return error
    return NoAnswer(
        "too many commands wait for the monitor" if isinstance(error, QueueFull) else GONE
    )
