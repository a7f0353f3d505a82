"""The machine itself, without a monitor."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from twisted.internet.task import Clock

from tests.conftest import LoggedFailures
from tests.machine.conftest import World
from txqmp.errors import CommandFailed
from txqmp.machine.state import Machine


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"uuid": "1234"}, "not a UUID: '1234'"),
        ({"name": "a\nb"}, "printable text, not 'a\\\\nb'"),
        ({"memory": 0}, "1 to 1048576 MiB, not 0"),
        ({"memory": 1048577}, "1 to 1048576 MiB, not 1048577"),
        ({"cpus": 0}, "1 to 255 CPUs, not 0"),
        ({"cpus": 256}, "1 to 255 CPUs, not 256"),
    ],
)
def test_a_machine_that_cannot_be(setting: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Machine(clock=Clock(), **setting)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "setting", [{"memory": 1}, {"memory": 1048576}, {"cpus": 1}, {"cpus": 255}, {"name": ""}]
)
def test_a_machine_that_can_just_be(setting: dict[str, object]) -> None:
    assert Machine(clock=Clock(), **setting).running  # type: ignore[arg-type]


def test_events_have_the_names_of_json_qmp_and_no_data(world: World) -> None:
    heard: list[tuple[str, Mapping[str, object]]] = []
    world.machine.subscribe(lambda name, data: heard.append((name, data)))
    world.machine.stop()
    world.machine.cont()
    world.machine.reset()
    world.machine.powerdown()
    world.machine.quit()
    assert heard == [
        ("STOP", {}),
        ("RESUME", {}),
        ("RESET", {}),
        ("POWERDOWN", {}),
        ("SHUTDOWN", {}),
    ]


def test_a_machine_that_is_stopped_says_so_when_it_is_true(world: World) -> None:
    seen: list[bool] = []
    world.machine.subscribe(lambda name, data: seen.append(world.machine.running))
    world.machine.stop()
    world.machine.cont()
    assert seen == [False, True]


def test_unsubscribe(world: World) -> None:
    heard: list[str] = []
    callback = lambda name, data: heard.append(name)  # noqa: E731
    first, second = world.machine.subscribe(callback), world.machine.subscribe(callback)
    first()
    first()
    world.machine.stop()
    assert heard == ["STOP"]
    second()
    world.machine.cont()
    assert heard == ["STOP"]


def test_subscribers_may_leave_while_they_are_told(world: World) -> None:
    heard: list[str] = []

    def once(name: str, data: Mapping[str, object]) -> None:
        heard.append(name)
        leave()

    leave = world.machine.subscribe(once)
    world.machine.subscribe(lambda name, data: heard.append("other"))
    world.machine.stop()
    world.machine.cont()
    assert heard == ["STOP", "other", "other"]


def test_a_subscriber_that_fails_harms_nobody(
    world: World, logged_failures: LoggedFailures
) -> None:
    heard: list[str] = []
    world.machine.subscribe(lambda name, data: {}["nothing"])
    world.machine.subscribe(lambda name, data: heard.append(name))
    world.machine.stop()
    assert heard == ["STOP"]
    assert len(logged_failures.take(KeyError)) == 1


def test_quit_keeps_the_settings_and_the_subscribers() -> None:
    world = World(name="vm1", memory=64, cpus=3, paused=True)
    world.machine.cont()
    world.machine.set_balloon(32)
    world.machine.quit()
    machine = world.machine
    assert (machine.name, machine.balloon, machine.cpus) == ("vm1", 64, 3)
    assert not machine.running
    machine.cont()
    assert world.events == ["RESUME", "SHUTDOWN", "RESUME"]


def test_the_guests_clock_runs_with_the_guest(world: World) -> None:
    world.clock.advance(2)
    world.machine.stop()
    world.clock.advance(2)
    world.machine.cont()
    world.clock.advance(1.5)
    assert world.machine.guest_clock == 3.5


def test_a_reset_lets_go_of_the_keys(world: World) -> None:
    world.machine.keyboard.press(["a"], hold=10)
    world.machine.reset()
    assert world.machine.keyboard.down == ()


def test_a_snapshot_remembers_when_the_guest_booted(world: World) -> None:
    world.clock.advance(10)
    world.machine.save("a")
    before = world.machine.program_counter(0)
    world.clock.advance(10)
    world.machine.reset()
    world.machine.stop()
    world.machine.load("a")
    assert world.machine.program_counter(0) == before


def test_a_snapshot_is_as_large_as_the_guests_memory(world: World) -> None:
    world.machine.set_balloon(3)
    world.machine.save()
    assert [snapshot.size for snapshot in world.machine.snapshots] == [3 * 1024 * 1024]


def test_what_cannot_be_done_is_refused_in_the_words_of_2009(world: World) -> None:
    with pytest.raises(CommandFailed, match=r"^Invalid CPU index$"):
        world.machine.nmi(7)
