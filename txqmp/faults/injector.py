"""Stands between a client and a monitor, sees their messages whole, and does faults to some."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from txqmp.faults.choice import Choosers, Strike
from txqmp.faults.lane import Lane, Parcel, Pause
from txqmp.faults.outlet import Outlet, told
from txqmp.faults.rules import Rule
from txqmp.journal.record import Direction, Kind
from txqmp.jsonqmp import grammar as json_grammar
from txqmp.jsonqmp import values
from txqmp.jsonqmp.grammar import ABSENT
from txqmp.proxy.decode import (
    LONG_LINE,
    MAX_MESSAGE,
    UNHEARD,
    Decoder,
    JSONDecoder,
    Message,
    Slot,
    UnknownDecoder,
    decoder_for,
)
from txqmp.proxy.descriptors import close_all
from txqmp.proxy.interposed import IInterposer
from txqmp.proxy.order import AnswerOrder
from txqmp.text import grammar as text_grammar

_WHITE = b" \t\r\n"
_TO_MONITOR, _TO_CLIENT = Direction.TO_MONITOR, Direction.TO_CLIENT


@implementer(IInterposer)
class Injector:
    """
    Sees the messages of one conversation, and does to some what the rules say.

    What a rule hits is a whole message; of a text dialect's reply, all its lines. Messages of
    more than 4 MiB go by as they are, and so does all where the dialect is unknown.

    :param ends: the client and the monitor: :class:`~txqmp.proxy.interposed.IEnds`.
    :param choosers: the rules.
    :param clock: measures delays and pauses.
    """

    def __init__(self, ends: Any, choosers: Choosers, clock: IReactorTime) -> None:
        self._ends = ends
        self._choosers = choosers
        self._clock = clock
        self._decoder: Decoder | None = None
        self._early: list[tuple[Direction, bytes, list[int]]] = []
        self._early_size = 0
        self._descriptors: dict[Direction, list[int]] = {way: [] for way in Direction}
        self._unread = dict.fromkeys(Direction, 0)
        # What the monitor said last.
        self._last: Parcel | None = None
        self._lines: list[bytes] = []
        self._lines_size = 0
        self._too_long = False
        self._line_descriptors: list[int] = []
        self._order = AnswerOrder()
        self._outlet = Outlet(ends, choosers.limit(), self._delivered)
        self._wire = Lane(clock, self._outlet.give, self._check_rest)
        self._replies = Lane(clock, self._wire.put, self._check_rest)
        self._delayed: dict[Parcel, tuple[IDelayedCall, Rule]] = {}
        self._held = 0
        self._reading = True
        self._stopped = False
        self._at_rest: list[Callable[[], object]] = []
        self._asked_all: list[Callable[[], object]] = []

    # What comes in.

    def hear(self, way: Direction, data: bytes, descriptors: list[int]) -> None:
        """
        One end said something.

        :param way: where it goes.
        :param descriptors: that came with its first byte; they are the injector's from now on.
        """
        if self._stopped:
            close_all(descriptors)
            return
        if self._decoder is None:
            self._early.append((way, data, descriptors))
            self._early_size += len(data)
            first = data.lstrip(_WHITE)[:1] if way is _TO_CLIENT else b""
            if not first and self._early_size <= UNHEARD:
                return
            self._begin(decoder_for(first))
        else:
            self._read(self._decoder, way, data, descriptors)
        self._check_held()
        self._check_rest()

    def _begin(self, decoder: Decoder) -> None:
        self._decoder = decoder
        early, self._early = self._early, []
        for way, data, descriptors in early:
            if self._stopped:
                close_all(descriptors)
            else:
                self._read(decoder, way, data, descriptors)
        asked_all, self._asked_all = self._asked_all, []
        for then in asked_all:
            then()

    def _read(self, decoder: Decoder, way: Direction, data: bytes, descriptors: list[int]) -> None:
        self._descriptors[way] += descriptors
        if isinstance(decoder, JSONDecoder) and not self._unread[way]:
            # The end of a line may come later than its value, and somebody may wait for it.
            rest = data.lstrip(_WHITE)
            if len(rest) < len(data):
                self._line_end(way, data[: len(data) - len(rest)])
            data = rest
        messages = decoder.feed(way, data)
        self._unread[way] += len(data) - sum(len(message.raw) for message, _ in messages)
        for message, answers in messages:
            if self._stopped:
                return
            if way is _TO_MONITOR:
                self._command(decoder, message)
            else:
                self._said(message, answers)

    def _line_end(self, way: Direction, white: bytes) -> None:
        """It belongs to the message before it, and shares its fate."""
        last = self._last
        if way is _TO_MONITOR or last is None or (last.over and last.sent):
            self._pass_by(way, white)
        elif not last.over:
            self._held += len(white)
            last.append(white)

    def _pass_by(self, way: Direction, raw: bytes) -> None:
        """Pass on what no rule is about."""
        descriptors = self._take(way)
        if way is _TO_CLIENT:
            self._put(self._wire, Parcel(raw, descriptors=descriptors))
        else:
            count = len(descriptors)
            self._ends.write(way, raw, descriptors)
            self._ends.heard(way, raw, count)

    def _take(self, way: Direction) -> list[int]:
        descriptors, self._descriptors[way] = self._descriptors[way], []
        return descriptors

    # What the client says.

    def _command(self, decoder: Decoder, message: Message) -> None:
        slot, fields = message.slot, message.fields
        line = _line(fields) if decoder.dialect == "text" else ""
        if message.kind is Kind.COMMAND and slot is not None:
            names = [slot.command, line] if line else [slot.command]
            strike = self._choosers.choose("command", names)
            if strike is not None and not isinstance(decoder, UnknownDecoder):
                decoder.withdraw(slot)
                self._fail(strike.rule, message, slot)
                return
        if slot is not None and not fields.get("oob"):
            self._order.asked(slot, line)
        self._pass_by(_TO_MONITOR, message.raw)

    def _fail(self, rule: Rule, message: Message, slot: Slot) -> None:
        descriptors = self._take(_TO_MONITOR)
        close_all(descriptors)
        self._ends.heard(_TO_MONITOR, message.raw, len(descriptors))
        fields = told(rule, "command", _known(slot))
        self._ends.fault(_TO_MONITOR, fields, of_last=True)
        if isinstance(self._decoder, JSONDecoder):
            error = json_grammar.write_failure(
                rule.error_class,
                rule.description,
                message.fields.get("id", ABSENT),
            )
        else:
            error = text_grammar.write_failure(rule.description)
        answer = Parcel(error + b"\r\n", ours=True)
        self._held += len(answer.raw)
        if message.fields.get("oob"):
            self._wire.put(answer)
        else:
            self._order.answer(partial(self._replies.put, answer))

    # What the monitor says.

    def _said(self, message: Message, answers: Slot | None) -> None:
        match message.kind:
            case Kind.OUTPUT:
                self._output(message.raw)
            case Kind.SUCCESS | Kind.FAILURE | Kind.REJECTION:
                self._reply(message, answers)
            case Kind.EVENT:
                name = str(message.fields["event"])
                parcel = self._parcel(message.raw, "event", {"event": name})
                self._strike(parcel, self._wire, self._choosers.choose("event", [name]))
            case Kind.GREETING:
                parcel = self._parcel(message.raw, "greeting", {})
                self._strike(parcel, self._wire, self._choosers.choose("greeting"))
            case _:
                self._undecoded(message)

    def _parcel(self, raw: bytes, hit: str, known: dict[str, object]) -> Parcel:
        self._last = Parcel(raw, hit, known, self._take(_TO_CLIENT))
        return self._last

    def _output(self, raw: bytes) -> None:
        """Keep command data until the reply is whole, if a rule may be about that."""
        self._line_descriptors += self._take(_TO_CLIENT)
        self._lines.append(raw)
        self._lines_size += len(raw)
        if not self._choosers.are_about_replies:
            self._let_lines_go()
        elif self._too_long or self._lines_size > MAX_MESSAGE:
            self._too_long = True
            self._let_lines_go()

    def _let_lines_go(self) -> None:
        if self._lines:
            raw, descriptors = self._take_lines()
            self._put(self._replies, Parcel(raw, descriptors=descriptors))

    def _take_lines(self) -> tuple[bytes, list[int]]:
        raw, descriptors = b"".join(self._lines), self._line_descriptors
        self._lines, self._line_descriptors, self._lines_size = [], [], 0
        return raw, descriptors

    def _reply(self, message: Message, answers: Slot | None) -> None:
        line = self._order.answered(answers)
        lines, descriptors = self._take_lines()
        parcel = self._parcel(lines + message.raw, "reply", _known(answers))
        parcel.descriptors[:0] = descriptors
        names = [name for name in (answers.command if answers else "", line) if name]
        strike = None if self._too_long else self._choosers.choose("reply", names)
        self._too_long = False
        out_of_band = answers is not None and answers.oob
        self._strike(parcel, self._wire if out_of_band else self._replies, strike)
        self._order.go_on()

    def _undecoded(self, message: Message) -> None:
        self._let_lines_go()
        parcel = self._parcel(message.raw, "", {})
        parcel.torn = message.fields["problem"] in (values.TOO_LONG, LONG_LINE)
        self._put(self._replies, parcel)
        self._order.unread(message.raw, message.fields["problem"])
        self._order.go_on()

    # What is done.

    def _put(self, lane: Lane, parcel: Parcel) -> None:
        self._held += len(parcel.raw)
        lane.put(parcel)

    def _strike(self, parcel: Parcel, lane: Lane, strike: Strike | None) -> None:
        if strike is None:
            self._put(lane, parcel)
            return
        rule = strike.rule
        if rule.fault not in ("delay", "stall"):
            # It is done when the parcel has its turn.
            parcel.fault = strike
            self._put(lane, parcel)
            return
        fields = told(rule, parcel.hit, parcel.known)
        if rule.seconds is not None:
            fields["seconds"] = rule.seconds
        self._ends.fault(_TO_CLIENT, fields)
        if rule.fault == "delay" and lane is self._wire and parcel.hit != "greeting":
            assert rule.seconds is not None
            # What has no place in an order holds up nothing else.
            self._held += len(parcel.raw)
            call = self._clock.callLater(rule.seconds, self._come, parcel)
            self._delayed[parcel] = (call, rule)
            return
        (self._wire if rule.fault == "stall" else lane).put(Pause(rule.seconds, rule))
        self._put(lane, parcel)

    def _come(self, parcel: Parcel) -> None:
        """An event that was delayed has its turn."""
        del self._delayed[parcel]
        parcel.late = True
        self._wire.put(parcel)
        self._check_rest()

    # How it ends, and how much is held.

    def _delivered(self, size: int) -> None:
        self._held -= size
        if not self._reading and self._held <= MAX_MESSAGE:
            self._reading = True
            self._ends.read(True)

    def _check_held(self) -> None:
        if self._held > MAX_MESSAGE and not self._stopped:
            self._reading = False
            self._ends.read(False)

    def when_asked_all(self, then: Callable[[], object]) -> None:
        """
        The client says no more.

        :param then: called when the monitor was sent all that it said, at once or when the
            dialect is known.
        """
        if self._decoder is None and self._early and not self._stopped:
            self._asked_all.append(partial(self.when_asked_all, then))
            return
        if not self._stopped:
            self._finish(_TO_MONITOR)
        then()

    def when_at_rest(self, then: Callable[[], object]) -> None:
        """
        The monitor says no more.

        :param then: called when the client was sent all that is to reach it.
        """
        if self._stopped:
            then()
            return
        self._finish(_TO_CLIENT)
        self._at_rest.append(then)
        self._check_rest()

    def _finish(self, way: Direction) -> None:
        """Pass on what one end has said by halves."""
        if self._decoder is None:
            self._begin(UnknownDecoder())
        assert self._decoder is not None
        if way is _TO_CLIENT:
            self._let_lines_go()
        for message in self._decoder.finish(way):
            if way is _TO_MONITOR:
                self._pass_by(way, message.raw)
            else:
                self._put(self._replies, self._parcel(message.raw, "", {}))

    def _check_rest(self) -> None:
        while self._at_rest and self._wire.is_free and self._replies.is_free and not self._delayed:
            self._at_rest.pop(0)()

    def client_reads(self, reads: bool) -> None:
        """What the client does not read is held back at the monitor's end."""

    def client_is_gone(self) -> None:
        """Pass on what it said last, and stop."""
        if not self._stopped:
            self._finish(_TO_MONITOR)
        self.stop()

    def stop(self) -> None:
        """Do nothing more: the client hears no more. What it did not get is told."""
        if self._stopped:
            return
        self._stopped = True
        self._at_rest.clear()
        self._asked_all.clear()
        left: list[tuple[Parcel, Rule | None]] = [*self._wire.stop(), *self._replies.stop()]
        for parcel, (call, rule) in self._delayed.items():
            call.cancel()
            left.append((parcel, rule))
        self._delayed.clear()
        for parcel, holder in left:
            close_all(parcel.descriptors)
            if holder is not None and not parcel.ours:
                self._outlet.withhold(parcel, holder)
        for _, _, descriptors in self._early:
            close_all(descriptors)
        for way in Direction:
            close_all(self._take(way))
        close_all(self._line_descriptors)


def _line(fields: dict[str, Any]) -> str:
    """A command of the text dialect, its words with a space between."""
    return " ".join([str(fields.get("command", "")), *map(str, fields.get("arguments", ()))])


def _known(slot: Slot | None) -> dict[str, object]:
    if slot is None:
        return {}
    known: dict[str, object] = {"command": slot.command}
    return known if slot.id is ABSENT else {**known, "id": slot.id}
