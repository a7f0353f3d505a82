"""A command of one of many clients, from when it was read until it is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from txqmp.proxy.descriptors import close_all
from txqmp.proxy.peer import describe_peer


class Member:
    """
    A client of a shared monitor.

    :ivar number: that of its connection.
    :ivar dialect: ``text`` or ``json``.
    :ivar transport: what it is connected by.
    """

    def __init__(self, number: int, dialect: str, transport: Any = None) -> None:
        self.number = number
        self.dialect = dialect
        self.transport = transport

    @property
    def peer(self) -> dict[str, Any]:
        """Who it is, as the journal has it."""
        return {} if self.transport is None else describe_peer(self.transport)


Judge = Callable[[Member, Any], Any]
"""
Judges a command before it is queued: gets the client and the command, a
:class:`txqmp.jsonqmp.grammar.Command` or a :class:`txqmp.text.grammar.Command`. It returns None to
let it go on, a :class:`~txqmp.CommandFailed` or :class:`~txqmp.CommandRejected` to have it answered
by that, at its place in the client's order; or a Deferred of one of these, which holds back what
the client asks for after it, too. If it raises, the command is denied.
"""


class Asked:
    """
    A command on its way.

    :ivar at: when it was read; in seconds of the reactor's clock, as all times.
    :ivar sent: when it was sent; None before.
    :param member: whose it is.
    :param name: its name, for errors.
    :param data: what is sent for it: a line, or JSON without an id.
    :param deliver: gets the outcome, once.
    :param urgent: it is to be run out of band: it overtakes.
    :param link: the number that it has in the journal; None if it was no client's.
    :param query: it changes nothing, and one answer may serve all who ask the same.
    :param descriptors: file descriptors that go with it; they are closed in the end.
    """

    __slots__ = (
        "_deliver", "at", "data", "descriptors", "link", "member", "name", "query", "sent", "urgent"
    )  # fmt: skip

    def __init__(
        self,
        member: Member,
        name: str,
        data: bytes | str,
        deliver: Callable[[Any], object],
        *,
        urgent: bool = False,
        link: int | None = None,
        query: bool = False,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.member = member
        self.name = name
        self.data = data
        self.urgent = urgent
        self.link = link
        self.query = query
        self.descriptors = list(descriptors)
        self.at = 0.0
        self.sent: float | None = None
        self._deliver = deliver

    def settle(self, outcome: Any) -> None:
        """
        It has ended.

        :param outcome: what the monitor said, or a :class:`~txqmp.errors.CommandError`.
        """
        self.drop()
        self._deliver(outcome)

    def drop(self) -> None:
        """Nobody wants to know how it ends, if it was sent at all."""
        close_all(self.descriptors)
        self.descriptors.clear()
