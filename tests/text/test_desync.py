"""Whose reply is it? A thousand commands, of which many are given up (rules 3 to 5)."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred

from tests.text.ends import ClientWire
from tests.wires import Outcomes, interrupted, result
from txqmp.errors import (
    CommandFailed,
    CommandInterrupted,
    CommandRejected,
    CommandTimeout,
    ConnectionUnusable,
)
from txqmp.text.client import Reply, State

COUNT = 1000


class Fate(NamedTuple):
    """How a caller loses patience, and when: after how many replies, one each second."""

    way: str
    moment: int


class Plan(NamedTuple):
    window: int
    fates: dict[int, Fate]


def plan(window: int, seed: int, share: float) -> Plan:
    chance = random.Random(seed)
    return Plan(
        window,
        {
            number: Fate(chance.choice(["cancel", "time out"]), chance.randint(1, COUNT))
            for number in range(COUNT)
            if chance.random() < share
        },
    )


plans = st.builds(
    plan,
    window=st.sampled_from([1, 2, 64, COUNT]),
    seed=st.integers(0, 2**32),
    share=st.sampled_from([0.01, 0.3, 0.9, 1.0]),
)


class Conversation:
    """A client that asks a thousand things at once, and a monitor that answers one a second."""

    def __init__(self, plan: Plan) -> None:
        self.wire = ClientWire(window=plan.window, late_reply_timeout=10 * COUNT)
        self.outcomes = Outcomes()
        self.asked: list[Deferred[Any]] = []
        self.fates = plan.fates
        self.told: list[str] = []
        self.owed: list[str] = []
        for number in range(COUNT):
            fate = plan.fates.get(number)
            timeout = fate.moment - 0.5 if fate and fate.way == "time out" else None
            deferred = self.wire.client.execute("info", f"c{number}", timeout=timeout)
            self.outcomes.watch(f"c{number}", deferred)
            self.asked.append(deferred)
        self.cancelled_at: dict[int, list[int]] = {}
        for number, fate in plan.fates.items():
            if fate.way == "cancel":
                self.cancelled_at.setdefault(fate.moment, []).append(number)
        self.listen()

    def listen(self) -> None:
        self.owed += [line.removeprefix("info ") for line in self.wire.heard()]

    def step(self, moment: int) -> None:
        self.wire.clock.advance(1)
        for number in self.cancelled_at.get(moment, ()):
            self.asked[number].cancel()
        self.listen()
        if self.owed:
            name = self.owed.pop(0)
            self.told.append(name)
            number = int(name[1:])
            completion = [f"+ OK info {name} completed", f"- ERR {name}", f"- BAD {name}"]
            self.wire.says(f"= {name}", "* EVENT stop", completion[number % 3])
            self.listen()

    def check(self, number: int) -> None:
        name = f"c{number}"
        outcome = self.outcomes[name]
        fate = self.fates.get(number)
        if fate is None or name in self.told[: fate.moment - 1]:
            assert type(outcome) is [Reply, CommandFailed, CommandRejected][number % 3]
        else:
            assert type(outcome) is (CancelledError if fate.way == "cancel" else CommandTimeout)
        if not isinstance(outcome, CancelledError):
            assert outcome.command == f"info {name}"
        if isinstance(outcome, Reply | CommandFailed | CommandRejected):
            assert outcome.lines == (name,)
        if isinstance(outcome, CommandFailed | CommandRejected):
            assert outcome.reason == name


@settings(max_examples=20)
@given(plans)
@example(Plan(COUNT, {}))
@example(Plan(1, {number: Fate("cancel", 1) for number in range(COUNT)}))
@example(Plan(COUNT, {number: Fate("time out", 1) for number in range(COUNT)}))
def test_rule_05_each_reply_falls_to_its_command_whoever_gave_up(plan: Plan) -> None:
    talk = Conversation(plan)
    for moment in range(1, COUNT + 1):
        talk.step(moment)
    assert len(talk.outcomes.all) == COUNT
    for number in range(COUNT):
        talk.check(number)
    assert talk.wire.client.state is State.IDLE
    assert talk.wire.calm
    numbers = [int(name[1:]) for name in talk.told]
    assert numbers == sorted(numbers)


@settings(max_examples=15)
@given(plans, st.integers(0, COUNT - 1))
@example(Plan(COUNT, {}), 0)
def test_a_connection_lost_in_the_middle_tells_each_its_own(plan: Plan, moment: int) -> None:
    talk = Conversation(plan)
    for second in range(1, moment + 1):
        talk.step(second)
    sent = set(talk.owed)
    fired = set(talk.outcomes.names)
    talk.wire.breaks()
    assert len(talk.outcomes.all) == COUNT
    for number in range(COUNT):
        name = f"c{number}"
        if name in fired:
            continue
        if name in sent:
            assert interrupted([talk.outcomes[name]]) == [f"info {name}"]
        else:
            assert type(talk.outcomes[name]) is ConnectionUnusable
    assert type(result(talk.wire.client.execute("stop"))) is ConnectionUnusable
    assert talk.wire.calm


def test_asking_again_for_each_loss_ends() -> None:
    wire = ClientWire(window=10)
    asked = 0

    def again(failure: Any) -> Any:
        nonlocal asked
        asked += 1
        return wire.client.execute("again")

    replies = [wire.client.execute("stop").addErrback(again) for _ in range(COUNT)]
    wire.breaks()
    assert asked == COUNT
    assert {type(result(reply)) for reply in replies} == {ConnectionUnusable}


def test_asking_for_ever_in_the_errback_of_asking_is_refused_each_time() -> None:
    wire = ClientWire()
    attempts: list[type] = []

    def again(failure: Any) -> Any:
        attempts.append(type(failure.value))
        return wire.client.execute("again").addErrback(again) if len(attempts) < 50 else None

    wire.client.execute("stop").addErrback(again)
    wire.breaks()
    assert attempts == [CommandInterrupted] + [ConnectionUnusable] * 49
