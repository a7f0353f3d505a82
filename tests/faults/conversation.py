"""A relay in memory with faults in it."""

from __future__ import annotations

from typing import Any

from tests.proxy.conversation import JSON, TEXT, command, done, event
from tests.proxy.conversation import Conversation as Plain
from txqmp.faults.plan import FaultPlan
from txqmp.faults.rules import parse_rule
from txqmp.journal.record import Kind

__all__ = ["JSON", "TEXT", "Conversation", "command", "done", "event"]


class Conversation(Plain):
    """One client and its monitor; the monitor has greeted, where ``greeting`` is given."""

    def __init__(self, *rules: str, greeting: bytes = JSON, seed: int = 0, number: int = 1) -> None:
        plan = FaultPlan([parse_rule(rule) for rule in rules], seed)
        super().__init__(plan.make_side, greeting=greeting, number=number)

    def faults(self) -> list[dict[str, Any]]:
        """The fields of the faults that were recorded."""
        return [record.fields for record in self.journal() if record.kind is Kind.FAULT]
