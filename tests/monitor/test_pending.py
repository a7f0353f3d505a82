"""Commands in the order in which they were sent; cancelling keeps the slot (rules 3 to 5)."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from tests.wires import Outcomes, pending, result
from txqmp.errors import CommandTimeout, QueueFull
from txqmp.monitor.pending import CommandQueue, Pending

GRACE = 60.0


class Queue(CommandQueue):
    """A queue of which the test sees what was sent and what is overdue."""

    def __init__(self, window: int = 2, limit: int = 5) -> None:
        self.clock = Clock()
        self.wire: list[str] = []
        self.late: list[str] = []
        super().__init__(
            self.clock,
            window,
            limit,
            GRACE,
            lambda pending: self.wire.append(pending.line),
            lambda pending: self.late.append(pending.line),
        )

    def reply(self, text: str) -> Pending:
        taken = self.take()
        taken.succeed(text)
        return taken


def test_nothing_is_sent_before_the_greeting() -> None:
    queue = Queue()
    queue.add("stop", None)
    assert queue.wire == []
    queue.open()
    assert queue.wire == ["stop"]


def test_rule_04_no_more_than_the_window_is_sent_ahead() -> None:
    queue = Queue(window=2)
    queue.open()
    for line in "abcd":
        queue.add(line, None)
    assert queue.wire == ["a", "b"]
    queue.reply("")
    assert queue.wire == ["a", "b", "c"]


def test_rule_04_a_window_of_one_is_no_pipelining() -> None:
    queue = Queue(window=1)
    queue.open()
    queue.add("a", None)
    queue.add("b", None)
    assert queue.wire == ["a"]
    queue.reply("")
    assert queue.wire == ["a", "b"]


def test_rule_03_replies_fall_to_commands_in_the_order_of_sending() -> None:
    queue = Queue()
    queue.open()
    outcomes = Outcomes()
    for line in "abc":
        outcomes.watch(line, queue.add(line, None))
    for text in ("1", "2", "3"):
        queue.reply(text)
    assert outcomes.all == [("a", "1"), ("b", "2"), ("c", "3")]


def test_what_a_callback_adds_comes_after_what_waits() -> None:
    queue = Queue(window=1)
    queue.open()
    queue.add("a", None).addCallback(lambda _: queue.add("c", None))
    queue.add("b", None)
    queue.reply("")
    queue.reply("")
    assert queue.wire == ["a", "b", "c"]


def test_a_full_queue_refuses_and_sends_nothing() -> None:
    queue = Queue(limit=1)
    queue.open()
    queue.add("a", None)
    refused = result(queue.add("b", None))
    assert isinstance(refused, QueueFull)
    assert str(refused) == "1 commands wait already (max_queue)"
    assert queue.wire == ["a"]
    assert len(queue) == 1


def test_refused_commands_start_no_timer() -> None:
    queue = Queue(limit=1)
    queue.add("a", None)
    result(queue.add("b", 5.0))
    assert not queue.clock.getDelayedCalls()


def test_a_failure_is_the_command_s_own() -> None:
    queue = Queue()
    queue.open()
    deferred = queue.add("a", None)
    error = ValueError("no")
    queue.take().fail(error)
    assert result(deferred) is error


class TestCancelling:
    def test_rule_05_a_sent_command_keeps_its_slot(self) -> None:
        queue = Queue()
        queue.open()
        first, second = queue.add("a", None), queue.add("b", None)
        first.cancel()
        assert isinstance(result(first), CancelledError)
        assert len(queue) == 2
        assert queue.reply("a's").line == "a"
        queue.reply("b's")
        assert result(second) == "b's"

    def test_an_unsent_command_is_never_sent(self) -> None:
        queue = Queue(window=1)
        queue.open()
        queue.add("a", None)
        unsent = queue.add("b", None)
        queue.add("c", None)
        unsent.cancel()
        assert isinstance(result(unsent), CancelledError)
        assert len(queue) == 2
        queue.reply("")
        assert queue.wire == ["a", "c"]

    def test_an_unsent_command_leaves_no_timer(self) -> None:
        queue = Queue()
        queue.add("a", 5.0).addErrback(lambda _: None).cancel()
        assert not queue.clock.getDelayedCalls()

    def test_the_lines_of_an_abandoned_command_are_not_kept(self) -> None:
        queue = Queue()
        queue.open()
        deferred = queue.add("a", None)
        queue.sent[0].lines.append("data")
        deferred.addErrback(lambda _: None).cancel()
        assert queue.sent[0].lines == []
        assert queue.sent[0].abandoned

    @pytest.mark.parametrize("error", [None, ValueError("no")])
    def test_a_late_reply_goes_nowhere(self, error: Exception | None) -> None:
        queue = Queue()
        queue.open()
        outcomes = Outcomes()
        deferred = outcomes.watch("a", queue.add("a", None))
        deferred.cancel()
        late = queue.take()
        late.fail(error) if error else late.succeed("late")
        assert [type(outcome) for _, outcome in outcomes.all] == [CancelledError]
        assert not queue.clock.getDelayedCalls()

    def test_one_with_a_time_limit_behind_another_is_let_go_in_its_turn(self) -> None:
        queue = Queue()
        queue.open()
        first = queue.add("a", None)
        queue.add("b", 5.0).addErrback(lambda _: None).cancel()
        assert not queue.clock.getDelayedCalls()
        queue.reply("a's")
        queue.reply("b's")
        assert result(first) == "a's"
        assert not queue.clock.getDelayedCalls()

    def test_cancelling_what_was_answered_starts_nothing(self) -> None:
        queue = Queue()
        queue.open()
        deferred = queue.add("a", None)
        queue.reply("done")
        deferred.cancel()
        assert result(deferred) == "done"
        assert not queue.clock.getDelayedCalls()

    def test_cancelling_what_was_taken_out_starts_no_timer(self) -> None:
        queue = Queue()
        queue.open()
        deferred = queue.add("a", None)
        (taken,), _ = queue.take_all()
        deferred.addErrback(lambda _: None).cancel()
        assert not queue.clock.getDelayedCalls()
        taken.fail(ValueError("not for anybody"))


class TestTimeouts:
    def test_a_reply_in_time_stops_the_timer(self) -> None:
        queue = Queue()
        queue.open()
        deferred = queue.add("a", 5.0)
        queue.clock.advance(4.9)
        queue.reply("done")
        assert result(deferred) == "done"
        assert not queue.clock.getDelayedCalls()

    def test_none_in_time_fails_it_and_keeps_the_slot(self) -> None:
        queue = Queue()
        queue.open()
        deferred = queue.add("info balloon", 5.0)
        queue.sent[0].lines.append("actual=")
        queue.clock.advance(5)
        error = result(deferred)
        assert isinstance(error, CommandTimeout)
        assert (error.command, error.timeout, error.lines) == ("info balloon", 5.0, ("actual=",))
        assert len(queue) == 1

    def test_the_time_runs_from_the_call_not_from_the_sending(self) -> None:
        queue = Queue()
        deferred = queue.add("a", 5.0)
        queue.clock.advance(4)
        queue.open()
        queue.clock.advance(1)
        assert isinstance(result(deferred), CommandTimeout)

    def test_an_unsent_command_that_timed_out_is_never_sent(self) -> None:
        queue = Queue()
        deferred = queue.add("a", 5.0)
        queue.clock.advance(5)
        assert isinstance(result(deferred), CommandTimeout)
        queue.open()
        assert queue.wire == []
        assert not queue.clock.getDelayedCalls()

    def test_it_may_be_asked_again_while_it_times_out(self) -> None:
        queue = Queue()
        queue.open()
        again = queue.add("a", 5.0).addErrback(lambda _: queue.add("b", None))
        queue.clock.advance(5)
        queue.reply("a's")
        assert pending(again.result)
        queue.reply("b's")
        assert result(again) == "b's"


class TestOverdue:
    """The reply to an abandoned command may still come, for a while (rule 5)."""

    def test_rule_05_one_that_never_comes_is_reported(self) -> None:
        queue = Queue()
        queue.open()
        queue.add("a", None).addErrback(lambda _: None).cancel()
        queue.clock.advance(GRACE - 0.1)
        assert queue.late == []
        queue.clock.advance(0.1)
        assert queue.late == ["a"]

    def test_it_counts_from_the_time_out(self) -> None:
        queue = Queue()
        queue.open()
        queue.add("a", 5.0).addErrback(lambda _: None)
        queue.clock.advance(5)
        queue.clock.advance(GRACE - 0.1)
        assert queue.late == []
        queue.clock.advance(0.1)
        assert queue.late == ["a"]

    def test_what_is_owed_behind_a_slow_command_is_not_late(self) -> None:
        queue = Queue()
        queue.open()
        slow = queue.add("savevm", None)
        queue.add("info status", 5.0).addErrback(lambda _: None)
        queue.clock.advance(5)
        queue.clock.advance(10 * GRACE)
        assert queue.late == []
        queue.reply("saved")
        assert result(slow) == "saved"
        queue.clock.advance(GRACE)
        assert queue.late == ["info status"]

    def test_a_late_reply_gives_the_next_one_its_own_time(self) -> None:
        queue = Queue()
        queue.open()
        for line in "ab":
            queue.add(line, None).addErrback(lambda _: None).cancel()
        queue.clock.advance(GRACE - 1)
        queue.reply("late")
        queue.clock.advance(GRACE - 1)
        assert queue.late == []
        queue.clock.advance(1)
        assert queue.late == ["b"]

    def test_a_late_reply_stops_the_timer(self) -> None:
        queue = Queue()
        queue.open()
        queue.add("a", None).addErrback(lambda _: None).cancel()
        queue.reply("late")
        assert not queue.clock.getDelayedCalls()


class TestTheEnd:
    def test_everything_is_taken_out_sent_and_unsent(self) -> None:
        queue = Queue(window=1)
        queue.open()
        queue.add("a", None)
        queue.add("b", None)
        sent, unsent = queue.take_all()
        assert ([p.line for p in sent], [p.line for p in unsent]) == (["a"], ["b"])
        assert len(queue) == 0

    def test_nothing_is_sent_any_more(self) -> None:
        queue = Queue()
        queue.open()
        queue.take_all()
        queue.add("a", None)
        assert queue.wire == []

    def test_failing_what_was_taken_out_stops_its_timer(self) -> None:
        queue = Queue()
        queue.open()
        queue.add("a", 5.0).addErrback(lambda _: None)
        (taken,), _ = queue.take_all()
        taken.fail(ValueError("gone"))
        assert not queue.clock.getDelayedCalls()
