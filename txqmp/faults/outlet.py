"""The last step on the way to a client, where faults are done to single messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from txqmp.faults.lane import Parcel, Pause
from txqmp.faults.rules import Rule
from txqmp.journal.record import Direction
from txqmp.proxy.descriptors import close_all

_TO_CLIENT = Direction.TO_CLIENT


def told(rule: Rule, hit: str, known: dict[str, object], **more: object) -> dict[str, Any]:
    """
    Say for a journal what a rule did.

    :param hit: what it was done to.
    :param known: what else is known of that.
    """
    fields: dict[str, Any] = {"fault": rule.fault, "rule": rule.text}
    return {**fields, **({"hit": hit} if hit else {}), **known, **more}


class Outlet:
    """
    Sends a client what has its turn, with the faults that were chosen for it.

    :param ends: of the conversation.
    :param limit: after how many bytes the conversation ends, and the rule that says so.
    :param done: called with the size of a message that waits no more.
    """

    def __init__(
        self, ends: Any, limit: tuple[int, Rule] | None, done: Callable[[int], object]
    ) -> None:
        self._ends = ends
        self._limit = limit
        self._done = done
        self._sent = 0
        # In the middle of something whose end cannot be told; what is inserted waits for it.
        self._torn = False
        self._inserted: list[Parcel] = []
        # The last message has come without its line end; one of ours is lent to it.
        self._line_open = False
        self._lent = False

    def give(self, parcel: Parcel) -> Pause | None:
        """
        Send a message.

        :returns: how long to wait before its next piece; None when it is done with.
        """
        if parcel.is_inserted and self._torn:
            self._inserted.append(parcel)
            return None
        pause = self._send(parcel)
        if pause is not None:
            return pause
        parcel.over = True
        self._done(len(parcel.raw))
        self._torn = self._line_open and (parcel.torn or (self._torn and not parcel.hit))
        while self._inserted and not self._torn:
            self.give(self._inserted.pop(0))
        return None

    def withhold(self, parcel: Parcel, rule: Rule) -> None:
        """Tell that a message did not reach the client, or not all of it."""
        fields = told(rule, parcel.hit, parcel.known, bytes=parcel.sent)
        self._ends.fault(_TO_CLIENT, fields, False, parcel.raw, parcel.sent)

    def _send(self, parcel: Parcel) -> Pause | None:
        fault = parcel.fault
        match "" if fault is None else fault.rule.fault:
            case "drop":
                assert fault is not None
                close_all(parcel.descriptors)
                self.withhold(parcel, fault.rule)
            case "cut":
                assert fault is not None
                end = _place_to_cut(parcel.raw, fault.rule, fault.chance())
                if self._write(parcel, parcel.raw[:end]):
                    self.withhold(parcel, fault.rule)
                    self._ends.close(f"fault: {fault.rule.text}")
            case "split":
                return self._send_piece(parcel)
            case "duplicate":
                assert fault is not None
                copy = Parcel(parcel.raw, parcel.hit, parcel.known, ours=True)
                if self._send_whole(parcel) and self._write(copy, self._line(copy.raw)):
                    fields = told(fault.rule, parcel.hit, parcel.known, bytes=copy.sent)
                    self._ends.fault(_TO_CLIENT, fields, True, b"", copy.sent)
            case _:
                self._send_whole(parcel)
        return None

    def _send_whole(self, parcel: Parcel) -> bool:
        data = parcel.raw
        if parcel.is_inserted:
            data = self._line(data)
        elif self._lent and not data.strip():
            data = data.removeprefix(b"\r").removeprefix(b"\n")
            self._lent = False
        count = len(parcel.descriptors)
        if not self._write(parcel, data):
            return False
        if data:
            self._ends.heard(_TO_CLIENT, data, count)
        return self._within()

    def _line(self, data: bytes) -> bytes:
        """What is inserted begins a line of its own, for those who read lines."""
        if not self._line_open:
            return data
        self._lent = data.endswith(b"\n")
        return b"\r\n" + data

    def _send_piece(self, parcel: Parcel) -> Pause | None:
        fault = parcel.fault
        assert fault is not None
        if not parcel.pieces:
            parcel.pieces = _pieces(parcel.raw, fault.rule, fault.chance())
            parcel.count = len(parcel.pieces), len(parcel.descriptors)
        if not self._write(parcel, parcel.pieces.popleft()):
            return None
        if parcel.pieces:
            return Pause(fault.rule.seconds, fault.rule)
        pieces, descriptors = parcel.count
        self._ends.heard(_TO_CLIENT, parcel.raw, descriptors)
        fields = told(fault.rule, parcel.hit, parcel.known, pieces=pieces)
        self._ends.fault(_TO_CLIENT, fields, True)
        self._within()
        return None

    def _write(self, parcel: Parcel, data: bytes) -> bool:
        """
        Send some bytes of a message.

        :returns: False if the client must not have them all: then the conversation has ended.
        """
        descriptors, parcel.descriptors = parcel.descriptors, []
        allowed = data
        if self._limit is not None:
            allowed = data[: self._limit[0] - self._sent]
        if allowed:
            self._ends.write(_TO_CLIENT, allowed, descriptors)
            self._sent += len(allowed)
            parcel.sent += len(allowed)
            self._line_open = not allowed.endswith(b"\n")
        else:
            close_all(descriptors)
        if len(allowed) == len(data):
            return True
        assert self._limit is not None
        rule = self._limit[1]
        if parcel.ours:
            fields = told(rule, parcel.hit, parcel.known, bytes=parcel.sent)
            self._ends.fault(_TO_CLIENT, fields, False, b"", parcel.sent)
        else:
            self.withhold(parcel, rule)
        self._close_by(rule)
        return False

    def _within(self) -> bool:
        """Whether the client may have more; if not, the conversation has ended."""
        if self._limit is None or self._sent < self._limit[0]:
            return True
        rule = self._limit[1]
        self._ends.fault(_TO_CLIENT, told(rule, "", {}))
        self._close_by(rule)
        return False

    def _close_by(self, rule: Rule) -> None:
        self._ends.close(f"fault: {rule.text}")


def _place_to_cut(raw: bytes, rule: Rule, chance: Random) -> int:
    """Where to cut a message so that something of it is missing, line ends and such aside."""
    body = raw.rstrip(b" \t\r\n")
    start = len(raw) - len(raw.lstrip(b" \t\r\n"))
    last = max(len(body) - start - 1, 0)
    if rule.bytes is not None:
        return start + min(rule.bytes, last)
    return start + (chance.randint(1, last) if last else 0)


def _pieces(raw: bytes, rule: Rule, chance: Random) -> deque[bytes]:
    """Take a message apart: where it can be, inside of a character of several bytes."""
    if rule.bytes is not None:
        places = list(range(rule.bytes, len(raw), rule.bytes))
    else:
        wanted = min(rule.pieces, len(raw)) - 1
        inside = [place for place in range(1, len(raw)) if raw[place] & 0xC0 == 0x80]
        places = chance.sample(inside, min(wanted, len(inside)))
        if len(places) < wanted:
            others = sorted(set(range(1, len(raw))).difference(inside))
            places += chance.sample(others, wanted - len(places))
        places.sort()
    ends = [*places, len(raw)]
    return deque(raw[start:end] for start, end in zip([0, *places], ends, strict=True))
