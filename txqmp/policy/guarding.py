"""A relay whose conversations a policy guards."""

from __future__ import annotations

from typing import Any

from txqmp.policy.guard import Guard
from txqmp.policy.interface import IJudge
from txqmp.policy.request import Client
from txqmp.proxy.interposed import InterposedSide
from txqmp.proxy.peer import identify_peer
from txqmp.proxy.relay import Conversation, Name, Side


class Guarding:
    """
    Holds up what the clients of a relay say to a policy.

    :param judge: an :class:`~txqmp.policy.interface.IJudge`.
    :param agent: the monitors are guest agents: they speak JSON, and do not greet.
    """

    def __init__(self, judge: IJudge, agent: bool = False) -> None:
        self._judge = judge
        self._agent = agent

    def make_side(self, name: Name, conversation: Conversation) -> Side:
        """Make an end of a conversation; it is the relay's ``make_side``."""
        return InterposedSide(name, conversation, self._guard)

    def _guard(self, ends: Any, conversation: Conversation) -> Guard:
        client = Client.from_peer(identify_peer(ends.client()))
        return Guard(ends, self._judge, client, conversation.clock, self._agent)
