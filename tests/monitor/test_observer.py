"""One result for all who wait for it."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from tests.wires import Outcomes, pending, result
from txqmp.monitor.observer import OneShotObserver


def test_those_who_wait_before_get_the_result_in_their_order() -> None:
    observer: OneShotObserver[str] = OneShotObserver()
    outcomes = Outcomes()
    for name in "abc":
        outcomes.watch(name, observer.when())
    assert outcomes.all == []
    observer.fire("done")
    assert outcomes.all == [("a", "done"), ("b", "done"), ("c", "done")]


def test_those_who_ask_later_get_it_at_once() -> None:
    observer: OneShotObserver[str] = OneShotObserver()
    observer.fire("done")
    assert result(observer.when()) == "done"
    assert result(observer.when()) == "done"


def test_it_happens_once() -> None:
    observer: OneShotObserver[str] = OneShotObserver()
    observer.fire("first")
    observer.fire("second")
    observer.fire(Failure(ValueError()))
    assert result(observer.when()) == "first"


def test_nobody_needs_to_wait_for_a_failure() -> None:
    OneShotObserver[str]().fire(Failure(ValueError("nobody asked")))


def test_a_failure_is_one_s_own() -> None:
    observer: OneShotObserver[str] = OneShotObserver()
    failures: list[Failure] = []
    observer.when().addErrback(failures.append)
    observer.fire(Failure(ValueError("no")))
    observer.when().addErrback(failures.append)
    assert [str(failure.value) for failure in failures] == ["no", "no"]
    assert failures[0] is not failures[1]


def test_cancelling_concerns_one_alone() -> None:
    observer: OneShotObserver[str] = OneShotObserver()
    impatient, patient = observer.when(), observer.when()
    impatient.cancel()
    assert isinstance(result(impatient), CancelledError)
    assert pending(patient)
    observer.fire("done")
    assert result(patient) == "done"


def test_the_first_may_cancel_the_second_while_it_happens() -> None:
    observer: OneShotObserver[str] = OneShotObserver()
    first, second, third = observer.when(), observer.when(), observer.when()
    first.addCallback(lambda _: second.cancel())
    observer.fire("done")
    assert isinstance(result(second), CancelledError)
    assert result(third) == "done"


def test_who_asks_while_it_happens_is_answered() -> None:
    observer: OneShotObserver[str] = OneShotObserver()
    late: list[Deferred[str]] = []
    observer.when().addCallback(lambda _: late.append(observer.when()))
    observer.fire("done")
    assert result(late[0]) == "done"


def test_firing_from_a_callback_changes_nothing() -> None:
    observer: OneShotObserver[str] = OneShotObserver()
    first, second = observer.when(), observer.when()
    first.addCallback(lambda _: observer.fire("again"))
    observer.fire("done")
    assert result(second) == "done"
