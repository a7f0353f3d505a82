"""What a command waited for its turn."""

from __future__ import annotations

import pytest

from txqmp.reports.queue import MOST_WAITING, Queue


def test_one_at_a_time_waits_for_nothing() -> None:
    queue = Queue()
    queue.asked(1, "a", False)
    assert queue.answered(1, 10.0, 2.0) == 0.0
    queue.asked(3, "b", False)
    assert queue.answered(3, 13.0, 1.0) == 0.0


def test_a_pipelined_command_waited_until_the_reply_before_its_own() -> None:
    queue = Queue()
    for seq in (1, 2, 3):
        queue.asked(seq, "a", False)  # all at 10.0
    assert queue.answered(1, 11.0, 1.0) == 0.0
    assert queue.answered(2, 14.0, 4.0) == 1.0
    assert queue.answered(3, 14.5, 4.5) == 4.0


def test_it_waited_from_its_own_arrival_only() -> None:
    queue = Queue()
    queue.answered(1, 11.0, 1.0)
    assert queue.answered(2, 12.0, 1.25) == 0.25


def test_out_of_band_nothing_queues() -> None:
    queue = Queue()
    queue.asked(1, "a", False)
    queue.asked(2, "b", True)
    assert queue.answered(2, 10.5, 0.5) == 0.0
    # Its reply is no turn of the others either.
    assert queue.answered(1, 11.0, 1.0) == 0.0
    queue.asked(4, "c", True)
    assert queue.answered(4, 11.5, 2.0) == 0.0


@pytest.mark.parametrize("latency", [None, 0.0, -1.0])
def test_without_a_latency_there_was_no_waiting(latency: float | None) -> None:
    queue = Queue()
    queue.answered(1, 11.0, 1.0)
    assert queue.answered(2, 10.5, latency) == 0.0


def test_it_never_waited_longer_than_all_of_it_took() -> None:
    queue = Queue()
    queue.answered(1, 11.0, 1.0)
    assert queue.answered(2, 10.0, 0.5) == 0.5  # stamps out of order


def test_what_has_no_reply_is_told_at_the_end() -> None:
    queue = Queue()
    queue.asked(1, "a", False)
    queue.asked(2, "b", True)
    queue.asked(3, None, False)
    queue.answered(1, 10.0, 0.1)
    queue.answered(None, 10.0, None)
    queue.answered(99, 10.0, None)
    assert queue.end() == ["b", None]
    assert queue.end() == []


def test_the_oldest_are_given_up_where_too_many_have_no_reply() -> None:
    queue = Queue()
    given_up = [
        name
        for seq in range(MOST_WAITING + 3)
        for name in queue.asked(seq, f"c{seq}", seq % 2 == 0)
    ]
    assert given_up == ["c0", "c1", "c2"]
    assert queue.answered(1, 5.0, 1.0) == 0.0
    assert queue.answered(2, 5.5, 1.0) == 0.5  # that it was out of band is forgotten too
    assert len(queue.end()) == MOST_WAITING
