"""How long commands waited for their turn, and how long they took."""

from __future__ import annotations

from typing import Any

from txqmp.proxy.links import MAX_WAITING


class Ledger:
    """Keeps it, by the numbers of the commands, until it is journalled."""

    def __init__(self) -> None:
        self._entries: dict[int, dict[str, Any]] = {}

    def note(self, link: int, waited: float, executed: float, coalesced: int | None = None) -> None:
        """
        A command is answered. Where a client's command became several, their times add up.

        :param waited: seconds until its turn came.
        :param executed: seconds that the monitor took.
        :param coalesced: the number of the command by whose answer it is answered.
        """
        entry = self._entries.setdefault(link, {"waited": 0.0, "executed": 0.0})
        entry["waited"] = round(entry["waited"] + waited, 6)
        entry["executed"] = round(entry["executed"] + executed, 6)
        if coalesced is not None:
            entry["coalesced"] = coalesced
        if len(self._entries) > MAX_WAITING:
            # Of a client that has left: nobody asks.
            del self._entries[next(iter(self._entries))]

    def about(self, link: int) -> dict[str, Any]:
        """Hand out what is known of a command, for the record of its completion."""
        return self._entries.pop(link, {})
