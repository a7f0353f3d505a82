"""Answers of ours have their turn among the monitor's."""

from __future__ import annotations

import pytest

from txqmp.proxy import order as order_module
from txqmp.proxy.decode import Slot
from txqmp.proxy.order import AnswerOrder


class Order:
    """An order, and what was answered by us, by name."""

    def __init__(self) -> None:
        self.order = AnswerOrder()
        self.given: list[str] = []

    def asks(self, name: str) -> Slot:
        slot = Slot(name)
        self.order.asked(slot, f"{name} now")
        return slot

    def answers(self, name: str) -> None:
        self.order.answer(lambda: self.given.append(name))


def test_an_answer_has_its_turn_after_all_before_it() -> None:
    them = Order()
    first, second = them.asks("a"), them.asks("b")
    them.answers("x")
    third = them.asks("c")
    them.answers("y")
    for slot, given in ((first, []), (second, ["x"]), (third, ["x", "y"])):
        assert them.order.answered(slot) == f"{slot.command} now"
        them.order.go_on()
        assert them.given == given


def test_it_is_not_given_before_the_reply_was_passed_on() -> None:
    them = Order()
    slot = them.asks("a")
    them.answers("x")
    them.order.answered(slot)
    assert them.given == []


def test_an_unknown_answer_is_the_oldests() -> None:
    them = Order()
    them.asks("a")
    them.answers("x")
    them.asks("b")
    assert them.order.answered(None) == "a now"
    them.order.go_on()
    assert them.given == ["x"]


def test_an_answer_out_of_all_order_changes_nothing() -> None:
    them = Order()
    them.asks("a")
    them.answers("x")
    assert them.order.answered(Slot("other")) == ""
    them.order.go_on()
    assert them.given == []


def test_the_order_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_module, "MAX_UNANSWERED", 3)
    them = Order()
    for _ in range(2):
        them.asks("a")
        them.answers("x")
    assert them.given == ["x", "x"]
    them.asks("b")
    them.answers("y")
    assert them.given == ["x", "x", "y"]
