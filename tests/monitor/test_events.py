"""Who gets which event, waiting for one, and queues of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from tests.conftest import LoggedFailures
from tests.wires import Outcomes, pending, result
from txqmp.errors import ConnectionUnusable, EventTimeout
from txqmp.monitor.events import EventHub


class Event(NamedTuple):
    name: str
    number: int = 0


class Hub(EventHub[Event]):
    """A hub whose events have aliases: a trailing digit does not count."""

    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(self.clock, lambda name: name.lower().rstrip("0123456789"))

    def tell(self, *names: str) -> None:
        for number, name in enumerate(names):
            self.dispatch(Event(name, number))


@pytest.fixture
def hub() -> Hub:
    return Hub()


class TestSubscriptions:
    def test_none_means_every_event_in_order(self, hub: Hub) -> None:
        got: list[str] = []
        hub.subscribe(None, lambda event: got.append(event.name))
        hub.tell("stop", "cont", "STOP")
        assert got == ["stop", "cont", "STOP"]

    def test_rule_07_a_name_is_compared_in_its_canonical_form(self, hub: Hub) -> None:
        got: list[str] = []
        hub.subscribe("Stop1", lambda event: got.append(event.name))
        hub.tell("STOP", "cont", "stop2")
        assert got == ["STOP", "stop2"]

    def test_a_predicate_chooses(self, hub: Hub) -> None:
        got: list[str] = []
        hub.subscribe(lambda event: event.number == 1, lambda event: got.append(event.name))
        hub.tell("stop", "cont", "reboot")
        assert got == ["cont"]

    def test_all_who_want_it_get_it_in_the_order_of_subscribing(self, hub: Hub) -> None:
        got: list[str] = []
        for name in "ab":
            hub.subscribe("stop", lambda _, name=name: got.append(name))
        hub.tell("stop")
        assert got == ["a", "b"]

    def test_dispatch_says_whether_anybody_wanted_it(self, hub: Hub) -> None:
        hub.subscribe("stop", lambda _: None)
        assert hub.dispatch(Event("stop"))
        assert not hub.dispatch(Event("cont"))

    def test_a_cancelled_one_gets_no_more(self, hub: Hub) -> None:
        got: list[str] = []
        subscription = hub.subscribe(None, lambda event: got.append(event.name))
        hub.tell("stop")
        subscription.cancel()
        subscription.cancel()
        assert not hub.dispatch(Event("cont"))
        assert got == ["stop"]

    def test_one_that_fails_is_logged_and_the_others_are_served(
        self, hub: Hub, logged_failures: LoggedFailures
    ) -> None:
        got: list[str] = []
        hub.subscribe(None, lambda _: 1 / 0)
        hub.subscribe(None, lambda event: got.append(event.name))
        hub.tell("stop", "cont")
        assert got == ["stop", "cont"]
        assert len(logged_failures.take(ZeroDivisionError)) == 2

    def test_a_predicate_that_fails_is_logged(
        self, hub: Hub, logged_failures: LoggedFailures
    ) -> None:
        hub.subscribe(lambda _: 1 / 0 > 0, lambda _: None)
        hub.tell("stop")
        assert len(logged_failures.take(ZeroDivisionError)) == 1

    def test_the_first_may_cancel_the_second_while_an_event_is_told(self, hub: Hub) -> None:
        got: list[str] = []
        hub.subscribe(None, lambda _: second.cancel())
        second = hub.subscribe(None, lambda _: got.append("second"))
        hub.tell("stop")
        assert got == []

    def test_one_that_is_added_while_an_event_is_told_gets_the_next(self, hub: Hub) -> None:
        got: list[int] = []
        once: Any = hub.subscribe(
            None,
            lambda _: (once.cancel(), hub.subscribe(None, lambda event: got.append(event.number))),
        )
        hub.tell("stop", "cont")
        assert got == [1]

    def test_it_may_cancel_itself(self, hub: Hub) -> None:
        got: list[str] = []
        subscription = hub.subscribe(
            None, lambda event: (got.append(event.name), subscription.cancel())
        )
        hub.tell("stop", "cont")
        assert got == ["stop"]


class TestWaiting:
    def test_the_next_event_that_is_wanted(self, hub: Hub) -> None:
        waiting = hub.wait_for("reboot", None)
        hub.tell("stop", "Reboot", "reboot")
        assert result(waiting) == Event("Reboot", 1)

    def test_two_who_wait_both_get_it(self, hub: Hub) -> None:
        first, second = hub.wait_for("stop", None), hub.wait_for(None, None)
        hub.tell("stop")
        assert result(first) == result(second) == Event("stop")

    def test_none_in_time(self, hub: Hub) -> None:
        waiting = hub.wait_for("reboot", 5.0)
        hub.clock.advance(4.9)
        assert pending(waiting)
        hub.clock.advance(0.1)
        error = result(waiting)
        assert isinstance(error, EventTimeout)
        assert (error.event, error.timeout) == ("reboot", 5.0)
        assert not hub.dispatch(Event("reboot"))

    def test_an_event_in_time_stops_the_timer(self, hub: Hub) -> None:
        waiting = hub.wait_for("reboot", 5.0)
        hub.tell("reboot")
        assert result(waiting) == Event("reboot")
        assert not hub.clock.getDelayedCalls()

    def test_cancelling_stops_the_timer_and_wants_no_more(self, hub: Hub) -> None:
        waiting = hub.wait_for("reboot", 5.0)
        waiting.cancel()
        assert isinstance(result(waiting), CancelledError)
        assert not hub.clock.getDelayedCalls()
        assert not hub.dispatch(Event("reboot"))

    def test_it_is_not_served_twice_when_its_callback_waits_again(self, hub: Hub) -> None:
        got: list[Any] = []

        def again(event: Event) -> None:
            got.append(event.number)
            hub.wait_for(None, None).addCallback(again)

        hub.wait_for(None, None).addCallback(again)
        hub.tell("stop", "stop", "stop")
        assert got == [0, 1, 2]

    def test_the_end_fails_it(self, hub: Hub) -> None:
        waiting = hub.wait_for("reboot", 5.0)
        reason = ConnectionUnusable("over")
        hub.close(reason)
        assert result(waiting) is reason
        assert not hub.clock.getDelayedCalls()

    def test_the_end_may_make_one_cancel_another(self, hub: Hub) -> None:
        first, second, third = (hub.wait_for(None, 5.0) for _ in range(3))
        first.addErrback(lambda _: second.cancel())
        hub.close(ConnectionUnusable("over"))
        assert isinstance(result(second), CancelledError)
        assert isinstance(result(third), ConnectionUnusable)
        assert not hub.clock.getDelayedCalls()


class TestQueues:
    def test_what_came_before_is_taken_in_order(self, hub: Hub) -> None:
        queue = hub.queue(None, 10)
        hub.tell("stop", "cont")
        assert [result(anext(queue)).name for _ in range(2)] == ["stop", "cont"]

    def test_who_asks_first_waits(self, hub: Hub) -> None:
        queue = hub.queue("reboot", 10)
        first, second = queue.__anext__(), queue.__anext__()
        hub.tell("stop", "reboot", "reboot")
        assert (result(first).number, result(second).number) == (1, 2)

    def test_a_full_queue_drops_the_oldest_and_counts(self, hub: Hub) -> None:
        queue = hub.queue(None, 2)
        hub.tell("a", "b", "c", "d")
        assert queue.dropped == 2
        assert [result(anext(queue)).name for _ in range(2)] == ["c", "d"]

    def test_an_event_that_is_taken_makes_room(self, hub: Hub) -> None:
        queue = hub.queue(None, 1)
        for _ in range(3):
            hub.tell("a")
            result(anext(queue))
        assert queue.dropped == 0

    def test_one_who_no_longer_waits_gets_none(self, hub: Hub) -> None:
        queue = hub.queue(None, 10)
        impatient, patient = queue.__anext__(), queue.__anext__()
        impatient.cancel()
        assert isinstance(result(impatient), CancelledError)
        hub.tell("stop")
        assert result(patient) == Event("stop")

    def test_the_end_leaves_what_had_come(self, hub: Hub) -> None:
        queue = hub.queue(None, 10)
        hub.tell("stop")
        hub.close(ConnectionUnusable("over"))
        assert result(anext(queue)) == Event("stop")
        assert isinstance(result(anext(queue)), StopAsyncIteration)

    def test_the_end_wakes_who_waits(self, hub: Hub) -> None:
        queue = hub.queue(None, 10)
        waiting = [queue.__anext__() for _ in range(2)]
        hub.close(ConnectionUnusable("over"))
        assert [type(result(w)) for w in waiting] == [StopAsyncIteration] * 2

    def test_the_end_may_make_one_cancel_another(self, hub: Hub) -> None:
        queue = hub.queue(None, 10)
        first, second, third = (queue.__anext__() for _ in range(3))
        first.addErrback(lambda _: second.cancel())
        queue.close()
        assert isinstance(result(second), CancelledError)
        assert isinstance(result(third), StopAsyncIteration)

    def test_a_closed_queue_takes_no_more(self, hub: Hub) -> None:
        queue = hub.queue(None, 10)
        queue.close()
        queue.close()
        assert not hub.dispatch(Event("stop"))
        assert isinstance(result(anext(queue)), StopAsyncIteration)

    def test_closing_one_from_another_s_end_closes_each_once(self, hub: Hub) -> None:
        first, second = hub.queue(None, 10), hub.queue(None, 10)
        outcomes = Outcomes()
        outcomes.watch("first", first.__anext__()).addCallback(lambda _: second.close())
        outcomes.watch("second", second.__anext__())
        hub.close(ConnectionUnusable("over"))
        assert outcomes.names == ["first", "second"]

    def test_closed_queues_are_not_kept(self, hub: Hub) -> None:
        import gc
        import weakref

        queue = hub.queue(None, 10)
        kept = weakref.ref(queue)
        queue.close()
        del queue
        gc.collect()
        assert kept() is None

    async def test_async_for_ends_with_the_connection(self, hub: Hub) -> None:
        queue = hub.queue(None, 10)
        got: list[str] = []

        async def follow() -> None:
            async for event in queue:
                got.append(event.name)

        following = Deferred.fromCoroutine(follow())
        hub.tell("stop", "cont")
        assert got == ["stop", "cont"]
        hub.close(ConnectionUnusable("over"))
        await following
