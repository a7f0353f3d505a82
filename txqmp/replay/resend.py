"""A recorded client asks again: its commands, one after the other, and what differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, TimeoutError  # noqa: A004
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from txqmp.errors import GreetingTimeout, MonitorError, ProtocolViolation
from txqmp.journal.record import Kind
from txqmp.jsonqmp import grammar as json_grammar
from txqmp.replay.asker import ENDED, Answer, Asker, greeting_of, text_answer
from txqmp.replay.compare import NOTHING, Comparison, Difference
from txqmp.replay.matching import shown
from txqmp.replay.script import COMPLETIONS, Exchange, Said, Script
from txqmp.text import grammar as text_grammar

_T = TypeVar("_T")


async def resend(
    script: Script,
    endpoint: IStreamClientEndpoint,
    reactor: Any,
    comparison: Comparison,
    tell: Callable[[Difference], object],
    *,
    speed: float = 0.0,
    timeout: float = 30.0,
) -> None:
    """
    Send the commands of a conversation to a monitor, and compare what it says.

    Each is sent when the one before was answered, and when the events that were recorded before it
    have come. Those in which the journal hides something are not sent, nor are those that were
    not answered in it.

    :param comparison: compares, and counts.
    :param tell: called with each difference.
    :param speed: how many times as fast as the client was; 0: as fast as can be.
    :param timeout: seconds to connect, and to wait for the greeting, each answer and each event.
    :raises MonitorError: the monitor cannot be asked.
    """
    factory = Factory.forProtocol(lambda: Asker(script.dialect, reactor))
    factory.noisy = False
    try:
        asker: Any = await endpoint.connect(factory).addTimeout(timeout, reactor)
    except Exception as error:
        raise MonitorError(f"cannot connect: {error}") from None
    try:
        await _Resending(script, asker, reactor, comparison, tell, speed, timeout).run()
    finally:
        await asker.close()


class _Resending:
    def __init__(
        self,
        script: Script,
        asker: Asker,
        clock: Any,
        comparison: Comparison,
        tell: Callable[[Difference], object],
        speed: float,
        timeout: float,
    ) -> None:
        self._script = script
        self._asker = asker
        self._clock = clock
        self._comparison = comparison
        self._tell = tell
        self._speed = speed
        self._timeout = timeout
        self._missed: set[str] = set()
        self._finished = 0.0

    async def run(self) -> None:
        await self._greeted()
        await self._expect(self._script.before)
        for exchange in self._script.exchanges:
            if self._asker.over is not None or not _can_be_sent(exchange):
                self._comparison.unsent += 1
            else:
                await self._pause(exchange)
                await self._ask(exchange)
        if self._script.exchanges[-1].ends:
            await self._expect_end()
        else:
            # Whether they had come, too, if the client had stayed, nobody knows.
            self._asker.forget_late_events()
        for name, event in self._asker.events_left():
            self._differ(f"event {name}", NOTHING, event)
        if isinstance(self._asker.over, ProtocolViolation):
            raise self._asker.over

    async def _greeted(self) -> None:
        greeting = await self._wait(self._asker.greeting)
        if greeting is None:
            raise self._asker.over or GreetingTimeout(self._timeout)
        if self._script.greeting is not None:
            recorded = _recorded_greeting(self._script.greeting, self._script.dialect)
            self._compare("greeting", recorded, greeting)

    async def _ask(self, exchange: Exchange) -> None:
        what = shown(exchange.name, exchange.arguments) if exchange.name else "a line"
        raw = exchange.record.raw or b""
        transport: Any = self._asker.transport
        transport.write(raw if raw.endswith(b"\n") else raw + b"\r\n")
        self._comparison.sent += 1
        now = await self._wait(self._asker.answer)
        if now is None:
            # Whose an answer is that comes now cannot be told any more.
            problem = f"no answer within {self._timeout:g} s"
            self._differ(what, "an answer", problem)
            self._asker.give_up(MonitorError(problem))
            return
        recorded = _recorded_answer(exchange, self._script.dialect)
        if not exchange.is_withheld:
            self._compare(what, recorded, now)
        if now is not ENDED or recorded is ENDED:
            await self._expect([*exchange.answer, *exchange.after])

    async def _expect(self, recorded: list[Said]) -> None:
        """Wait for the events that were recorded here."""
        for said in recorded:
            if said.kind is Kind.EVENT:
                name = str(said.fields.get("event"))
                event = await self._event(name)
                if event is None:
                    self._missed.add(name)
                    self._differ(f"event {name}", said.fields.get("data") or {}, NOTHING)
                else:
                    data = said.fields.get("data") or type(event["data"])()
                    self._compare(f"event {name}", {"data": data}, event)

    async def _event(self, name: str) -> Answer | None:
        if name in self._missed:
            # It does not come: once is enough to have waited for it.
            return self._asker.event(name)
        return await self._wait(lambda: self._asker.event(name))

    async def _expect_end(self) -> None:
        if await self._wait(lambda: ENDED if self._asker.over is not None else None) is None:
            self._differ("the end", ENDED["end"], "it did not")

    async def _pause(self, exchange: Exchange) -> None:
        """Let as much time pass as the client did, from what was said last on."""
        recorded = exchange.record.mono
        idle = recorded - self._finished if self._finished else 0.0
        took = sum(said.delay for said in (*exchange.answer, *exchange.after))
        self._finished = max(recorded, self._finished) + took
        if self._speed and idle > 0:
            await deferLater(self._clock, idle / self._speed)

    async def _wait(self, look: Callable[[], _T | None]) -> _T | None:
        """Wait for something to be there, or for time to be up."""
        deadline = self._clock.seconds() + self._timeout
        while (found := look()) is None and self._asker.over is None:
            left = deadline - self._clock.seconds()
            if left <= 0:
                return None
            waiting: Deferred[None] = self._asker.news().addTimeout(left, self._clock)
            try:
                await waiting
            except TimeoutError:
                return look()
        return found if found is not None else look()

    def _compare(self, what: str, recorded: Answer, now: Answer) -> None:
        difference = self._comparison.compare(what, recorded, now)
        if difference is not None:
            self._tell(difference)

    def _differ(self, what: str, recorded: Any, now: Any) -> None:
        self._tell(self._comparison.differs(what, [("", recorded, now)]))


def _can_be_sent(exchange: Exchange) -> bool:
    record = exchange.record
    if record.raw is None or record.fields.get("redacted"):
        return False
    return exchange.is_answered or exchange.ends


def _recorded_greeting(raw: bytes, dialect: str) -> Answer:
    message: Any
    if dialect == "json":
        message = json_grammar.parse_server_message(raw)
        if not isinstance(message, json_grammar.Greeting):
            raise ProtocolViolation("the greeting in the journal is none", raw)
    else:
        message = text_grammar.parse_greeting(raw.rstrip(b"\r\n"))
    return greeting_of(message)


def _recorded_answer(exchange: Exchange, dialect: str) -> Answer:
    replies = [said for said in exchange.answer if said.kind in COMPLETIONS]
    if not replies:
        return ENDED
    fields, kind = replies[-1].fields, replies[-1].kind
    if dialect == "json":
        if kind is Kind.SUCCESS:
            return {"return": fields.get("return")}
        return {"error": {"class": fields.get("class"), "desc": fields.get("reason")}}
    completion: text_grammar.Completion
    if kind is Kind.SUCCESS:
        completion = text_grammar.Success(fields.get("completed", ""))
    elif kind is Kind.FAILURE:
        completion = text_grammar.Failure(fields.get("reason", ""))
    else:
        completion = text_grammar.Rejection(fields.get("reason", ""))
    output = [said.fields.get("text", "") for said in exchange.answer if said.kind is Kind.OUTPUT]
    return text_answer(output, completion)
