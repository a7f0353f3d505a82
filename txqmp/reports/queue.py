"""
How long a command waited for its turn, and how long it took then.

A monitor does one command at a time. One that was sent before the reply to another had come has
waited from its arrival until that reply; the rest of its latency the monitor worked on it. What
is sent out of band does not queue.
"""

from __future__ import annotations

MOST_WAITING = 10_000
"""Commands of one connection that are remembered without a reply; the oldest is given up."""


class Queue:
    """
    The commands of one connection that have no reply yet.

    Names are what the caller calls them by; None is a name too.
    """

    __slots__ = ("_last", "_out_of_band", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[int, str | None] = {}
        self._out_of_band: set[int] = set()
        self._last = float("-inf")

    def asked(self, seq: int, name: str | None, out_of_band: bool) -> list[str | None]:
        """
        Take a command.

        :param seq: the number of its record.
        :returns: the name of one that is given up, for there are too many; mostly nothing.
        """
        self._waiting[seq] = name
        if out_of_band:
            self._out_of_band.add(seq)
        if len(self._waiting) <= MOST_WAITING:
            return []
        oldest = next(iter(self._waiting))
        self._out_of_band.discard(oldest)
        return [self._waiting.pop(oldest)]

    def answered(self, reply_to: int | None, mono: float, latency: float | None) -> float:
        """
        Take a reply.

        :param reply_to: the number of its command's record.
        :param mono: seconds, when it came.
        :param latency: seconds; None if it is not known.
        :returns: seconds of the latency that the command waited for its turn.
        """
        if reply_to is not None:
            self._waiting.pop(reply_to, None)
            if reply_to in self._out_of_band:
                self._out_of_band.remove(reply_to)
                return 0.0
        last, self._last = self._last, mono
        if latency is None or last <= mono - latency:
            return 0.0
        return min(last - mono + latency, max(latency, 0.0))

    def end(self) -> list[str | None]:
        """Tell the names of those that will have no reply: the connection is over."""
        names = list(self._waiting.values())
        self._waiting.clear()
        self._out_of_band.clear()
        return names
