"""What is done to the conversations of a relay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from txqmp.faults.choice import Choosers
from txqmp.faults.injector import Injector
from txqmp.faults.rules import Rule
from txqmp.proxy.interposed import InterposedSide
from txqmp.proxy.relay import Conversation, Name, Side


class FaultPlan:
    """
    The faults that are done to the conversations of a relay.

    :ivar rules: the earlier go before the later.
    :ivar seed: what is left to chance is the same for the same seed, in each connection for itself.
    """

    def __init__(self, rules: Sequence[Rule], seed: int = 0) -> None:
        self.rules = tuple(rules)
        self.seed = seed

    def make_side(self, name: Name, conversation: Conversation) -> Side:
        """Make an end of a conversation; it is the relay's ``make_side``."""
        return InterposedSide(name, conversation, self._inject)

    def _inject(self, ends: Any, conversation: Conversation) -> Injector:
        return Injector(ends, self.choosers(conversation.number), conversation.clock)

    def choosers(self, connection: int) -> Choosers:
        """Begin to count for a connection of this number."""
        return Choosers(self.rules, self.seed, connection)
