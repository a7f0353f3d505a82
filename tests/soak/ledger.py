"""What happened in a run, and what must not have."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

NONCE = re.compile(rb"n([0-9]{6})x")
"""A client's mark in all that it says."""


class Loss(Exception):
    """What must not happen has happened."""


class Ledger:
    """
    Counts.

    :ivar faults: what was done wrong on purpose, by sort, on either side.
    :ivar losses: what was told of each.
    :ivar whole: well-behaved clients whose every command was answered as it should be.
    :ivar resident: bytes of memory that a proxy has had at most.
    :ivar files: open files of a proxy before anybody came, and when all had left; of the proxy
        for which they differed most.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.commands = 0
        self.events = 0
        self.bytes = 0
        self.faults: Counter[str] = Counter()
        self.losses: list[str] = []
        self.whole = 0
        self.journal_lost = 0
        self.resident = 0
        self.files = (0, 0)
        self.seconds = 0.0

    def check(self, holds: bool, problem: str) -> None:
        """
        See that something holds.

        :raises Loss: it does not.
        """
        if not holds:
            self.losses.append(problem)
            raise Loss(problem)

    def figures(self) -> dict[str, Any]:
        """Tell what was counted."""
        return {
            "minutes": round(self.seconds / 60, 1),
            "connections": self.connections,
            "served whole": self.whole,
            "commands": self.commands,
            "events": self.events,
            "megabytes": round(self.bytes / 1e6),
            "faults": self.faults.total(),
            "faults by sort": dict(sorted(self.faults.items())),
            "records lost to a slow disk": self.journal_lost,
            "resident MB": round(self.resident / 1e6),
            "open files": list(self.files),
            "losses": len(self.losses),
        }
