"""Migration on the clock."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from txqmp.errors import CommandFailed
from txqmp.machine.migration import Migration


class Journey:
    """A migration of 1000 bytes at 100 bytes in a second."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.arrivals: list[float] = []
        self.migration = Migration(self.clock, lambda: self.arrivals.append(self.clock.seconds()))
        self.migration.set_speed(100)
        self.migration.start("tcp:there:1", 1000)


def test_it_takes_as_long_as_the_bytes_need() -> None:
    journey = Journey()
    journey.clock.advance(9.9)
    assert journey.migration.status == "active"
    journey.clock.advance(0.1)
    assert journey.migration.status == "completed"
    assert journey.arrivals == [10.0]


def test_it_is_over_when_the_machine_says_so() -> None:
    clock = Clock()
    seen: list[str | None] = []
    migration = Migration(clock, lambda: seen.append(migration.status))
    migration.start("tcp:there:1", 1)
    clock.advance(1)
    assert seen == ["completed"]


def test_a_change_of_speed_counts_from_now_on() -> None:
    journey = Journey()
    journey.clock.advance(5)
    journey.migration.set_speed(50)
    journey.clock.advance(5)
    journey.migration.set_speed(250)
    journey.clock.advance(0.9)
    assert journey.arrivals == []
    journey.clock.advance(0.1)
    assert journey.arrivals == [11.0]


def test_one_that_is_cancelled_leaves_no_call_behind() -> None:
    journey = Journey()
    journey.migration.cancel()
    journey.migration.cancel()
    assert journey.migration.status == "cancelled"
    assert journey.clock.getDelayedCalls() == []


def test_one_that_is_over_cannot_be_cancelled() -> None:
    journey = Journey()
    journey.clock.advance(10)
    journey.migration.cancel()
    assert journey.migration.status == "completed"


def test_a_change_of_speed_does_not_start_it_again() -> None:
    journey = Journey()
    journey.clock.advance(10)
    journey.migration.set_speed(1)
    assert journey.clock.getDelayedCalls() == []


def test_a_failure_does_not_arrive() -> None:
    journey = Journey()
    journey.migration.cancel()
    journey.migration.start("tcp:there:0", 1000)
    journey.clock.advance(10)
    assert journey.migration.status == "failed"
    assert journey.arrivals == []


def test_a_bad_destination_does_not_disturb_the_one_under_way() -> None:
    journey = Journey()
    with pytest.raises(CommandFailed, match="already in progress"):
        journey.migration.start("carrier:pigeon", 1000)
    assert journey.migration.status == "active"


def test_what_is_allowed_at_first() -> None:
    migration = Migration(Clock(), lambda: None)
    assert (migration.speed, migration.downtime) == (33_554_432, 0.03)


@pytest.mark.parametrize("speed", [0, 0.9, 2.0**63, float("nan")])
def test_a_speed_that_cannot_be(speed: float) -> None:
    with pytest.raises(CommandFailed):
        Journey().migration.set_speed(speed)


def test_limits_that_can_just_be() -> None:
    migration = Migration(Clock(), lambda: None)
    migration.set_speed(1)
    migration.set_downtime(0)
    assert (migration.speed, migration.downtime) == (1, 0)


@pytest.mark.parametrize("port", [65536, 99999])
def test_a_port_that_cannot_be(port: int) -> None:
    migration = Migration(Clock(), lambda: None)
    with pytest.raises(CommandFailed):
        migration.start(f"tcp:there:{port}", 1)
    migration.start("tcp:there:65535", 1)
    assert migration.status == "active"
    migration.cancel()


@pytest.mark.parametrize("seconds", [-1.0, 2.0**63, float("nan"), float("inf")])
def test_a_downtime_that_cannot_be(seconds: float) -> None:
    with pytest.raises(CommandFailed):
        Journey().migration.set_downtime(seconds)
