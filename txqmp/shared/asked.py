"""A command of one of many clients, from when it was read until it is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from txqmp.proxy.descriptors import close_all


class Member:
    """
    A client of a shared monitor.

    :ivar number: that of its connection.
    """

    def __init__(self, number: int) -> None:
        self.number = number


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
