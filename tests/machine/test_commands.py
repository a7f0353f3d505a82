"""The commands that concern the machine as a whole: what is said, and what comes back."""

from __future__ import annotations

import pytest

from tests.machine.conftest import Talk, World


def test_stop_and_cont_tell_only_real_changes(talk: Talk) -> None:
    assert talk.say("stop") == ["* EVENT stop", "+ OK stop completed"]
    assert talk.say("stop") == ["+ OK stop completed"]
    assert talk.say("cont") == ["* EVENT cont", "+ OK cont completed"]
    assert talk.say("c") == ["+ OK cont completed"]


def test_system_reset_leaves_a_paused_machine_paused(talk: Talk) -> None:
    talk.say("stop")
    assert talk.say("system_reset") == ["* EVENT reboot", "+ OK system_reset completed"]
    assert talk.say("info status")[0] == "= VM status: paused"


def test_system_powerdown_is_an_event_and_no_more(talk: Talk) -> None:
    assert talk.say("system_powerdown") == [
        "* EVENT powerdown",
        "+ OK system_powerdown completed",
    ]
    assert talk.say("info status")[0] == "= VM status: running"


@pytest.mark.parametrize("command", ["q", "quit"])
def test_quit_is_answered_before_the_connection_closes(talk: Talk, command: str) -> None:
    assert talk.say(command) == ["* EVENT shutdown", "+ OK quit completed"]
    assert talk.transport.disconnecting


def test_singlestep_is_shown_while_the_machine_runs(talk: Talk) -> None:
    assert talk.say("singlestep") == ["+ OK singlestep completed"]
    assert talk.say("info status")[0] == "= VM status: running (single step mode)"
    assert talk.say("singlestep off") == ["+ OK singlestep completed"]
    assert talk.say("info status")[0] == "= VM status: running"
    assert talk.say("singlestep on", "stop", "info status")[-2] == "= VM status: paused"
    assert talk.say("singlestep maybe") == ["- ERR unexpected option maybe"]


@pytest.mark.parametrize(
    "command",
    [
        "screendump /tmp/x.ppm",
        "logfile /tmp/x.log",
        "log in_asm",
        "memsave 0 4096 /tmp/x",
        "pmemsave 0 4096 /tmp/x",
        "wavcapture /tmp/x.wav 44100 16 2",
        "host_net_add dump file=/tmp/x",
    ],
)
def test_nothing_writes_a_file(talk: Talk, command: str) -> None:
    assert talk.say(command) == ["- ERR the simulated machine writes no files"]


@pytest.mark.parametrize(
    "command", ["gdbserver", "gdbserver tcp::1", "hostfwd_add tcp::1-:2", "hostfwd_remove tcp::1"]
)
def test_nothing_listens(talk: Talk, command: str) -> None:
    assert talk.say(command) == ["- ERR the simulated machine opens no ports"]


def test_log_and_gdbserver_can_be_switched_off(talk: Talk) -> None:
    assert talk.say("log none") == ["+ OK log completed"]
    assert talk.say("gdbserver none") == ["= Disabled gdbserver", "+ OK gdbserver completed"]


def test_stopcapture_finds_nothing_to_stop(talk: Talk) -> None:
    assert talk.say("stopcapture 0") == ["- ERR no capture with index 0"]


@pytest.mark.parametrize("command", ["cpu 2", "cpu -1", "nmi 2", "nmi -1"])
def test_a_cpu_that_is_not_there(talk: Talk, command: str) -> None:
    assert talk.say(command) == ["- ERR Invalid CPU index"]


def test_nmi(world: World, talk: Talk) -> None:
    assert talk.say("nmi 1") == ["+ OK nmi completed"]
    assert world.machine.nmis == [0, 1]
    assert talk.say("nmi 0", "nmi 0")[1] == "+ OK nmi completed"
    assert world.machine.nmis == [2, 1]


def test_sendkey_holds_keys_for_a_tenth_of_a_second(world: World, talk: Talk) -> None:
    assert talk.say("sendkey ctrl-alt-f1") == ["+ OK sendkey completed"]
    world.clock.advance(0.09)
    assert world.machine.keyboard.down == ("ctrl", "alt", "f1")
    world.clock.advance(0.02)
    assert world.machine.keyboard.down == ()


def test_sendkey_holds_keys_as_long_as_asked(world: World, talk: Talk) -> None:
    assert talk.say("sendkey 0x1e 2000") == ["+ OK sendkey completed"]
    world.clock.advance(1.9)
    assert world.machine.keyboard.down == ("0x1e",)
    assert talk.say("sendkey b 0") == ["+ OK sendkey completed"]
    assert world.machine.keyboard.down == ()


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ("ctrl-nokey", "unknown key: 'nokey'"),
        ("0x100", "unknown key: '0x100'"),
        ("0xzz", "unknown key: '0xzz'"),
        ("-".join("a" * 17), "too many keys"),
    ],
)
def test_sendkey_refuses(world: World, talk: Talk, keys: str, reason: str) -> None:
    assert talk.say(f"sendkey {keys}") == [f"- ERR {reason}"]
    assert world.machine.keyboard.down == ()


def test_mouse_move_stays_on_the_screen(world: World, talk: Talk) -> None:
    assert talk.say("mouse_move 10 -20") == ["+ OK mouse_move completed"]
    assert (world.machine.mice.x, world.machine.mice.y) == (330, 220)
    assert talk.say("mouse_move -10000 0x10000 1") == ["+ OK mouse_move completed"]
    assert (world.machine.mice.x, world.machine.mice.y) == (0, 479)
    assert talk.say("mouse_move left 1") == ["- ERR mouse_move: integer expected"]


def test_mouse_button(world: World, talk: Talk) -> None:
    assert talk.say("mouse_button 5") == ["+ OK mouse_button completed"]
    assert world.machine.mice.buttons == 5


def test_mouse_set(talk: Talk) -> None:
    assert talk.say("mouse_set 1") == ["- ERR Mouse at given index not found"]
    assert talk.say("usb_add tablet", "mouse_set 1")[-1] == "+ OK mouse_set completed"
    assert talk.say("info mice") == [
        "= Mouse devices available:",
        "=   Mouse #0: QEMU PS/2 Mouse",
        "= * Mouse #1: QEMU USB Tablet",
        "+ OK info mice completed",
    ]


def test_balloon(talk: Talk) -> None:
    assert talk.say("balloon 256") == ["+ OK balloon completed"]
    assert talk.say("info balloon") == ["= balloon: actual=256", "+ OK info balloon completed"]
    assert talk.say("balloon 100000", "info balloon")[1] == "= balloon: actual=512"
    assert talk.say("balloon 1", "info balloon")[1] == "= balloon: actual=1"
    assert talk.say("balloon 0") == ["- ERR invalid balloon target 0"]
    assert talk.say("balloon much") == ["- ERR balloon: integer expected, not 'much'"]


def test_boot_set(world: World, talk: Talk) -> None:
    assert world.machine.boot_order == "cad"
    assert talk.say("boot_set ndc") == [
        "= boot device list now set to ndc",
        "+ OK boot_set completed",
    ]
    assert world.machine.boot_order == "ndc"
    assert talk.say("boot_set c")[1] == "+ OK boot_set completed"
    assert talk.say("boot_set cx") == ["- ERR Invalid boot device for PC: 'x'"]
    assert talk.say("boot_set cdna") == ["- ERR Too many boot devices for PC"]
    assert talk.say('boot_set ""') == ["- ERR no boot device"]


def test_watchdog_action(world: World, talk: Talk) -> None:
    assert world.machine.watchdog_action == "reset"
    assert talk.say("watchdog_action Pause") == ["+ OK watchdog_action completed"]
    assert world.machine.watchdog_action == "pause"
    assert talk.say("watchdog_action bark") == ["- ERR Unknown watchdog action 'bark'"]


# Snapshots.


def test_savevm_stops_the_machine_for_a_moment(talk: Talk) -> None:
    assert talk.say("savevm before") == ["* EVENT stop", "* EVENT cont", "+ OK savevm completed"]
    assert talk.say("stop", "savevm paused")[-1:] == ["+ OK savevm completed"]


def test_loadvm_takes_the_guest_back(world: World, talk: Talk) -> None:
    world.clock.advance(5)
    talk.say("savevm before", "balloon 64")
    world.clock.advance(60)
    assert talk.say("loadvm before") == ["* EVENT stop", "* EVENT cont", "+ OK loadvm completed"]
    assert talk.say("info balloon")[0] == "= balloon: actual=512"
    world.clock.advance(1)
    assert world.machine.guest_clock == 6


def test_loadvm_leaves_a_paused_machine_paused(talk: Talk) -> None:
    talk.say("savevm before", "stop")
    assert talk.say("loadvm 1") == ["+ OK loadvm completed"]
    assert talk.say("info status")[0] == "= VM status: paused"


def test_delvm(talk: Talk) -> None:
    talk.say("savevm a", "savevm b")
    assert talk.say("delvm a") == ["+ OK delvm completed"]
    assert talk.say("delvm a") == ["- ERR Error -2 while deleting snapshot on 'ide0-hd0'"]
    assert [line[:7] for line in talk.say("info snapshots")[3:-1]] == ["= 2    "]


def test_loadvm_of_an_unknown_snapshot_stops_nothing(talk: Talk) -> None:
    assert talk.say("loadvm nosuch") == [
        "- ERR Could not find snapshot 'nosuch' on device 'ide0-hd0'"
    ]


def test_without_a_qcow2_disk_there_are_no_snapshots(talk: Talk) -> None:
    talk.say("savevm a", "eject -f ide0-hd0")
    assert talk.say("savevm b") == ["- ERR No block device can accept snapshots"]
    assert talk.say("loadvm a") == ["- ERR No block device supports snapshots"]
    assert talk.say("delvm a") == ["- ERR No block device supports snapshots"]


def test_too_many_snapshots_leave_the_machine_running(talk: Talk) -> None:
    assert talk.say(*["savevm"] * 100)[-1] == "+ OK savevm completed"
    assert talk.say("savevm")[-1] == "- ERR no more than 100 snapshots"
    assert talk.say("info status")[0] == "= VM status: running"


# Migration: 512 MiB at 32 MiB/s are 16 seconds.


def test_rule_20_migrate_is_done_once_it_began(world: World, talk: Talk) -> None:
    assert talk.say("info migrate") == ["+ OK info migrate completed"]
    assert talk.say("migrate -d tcp:there:4444") == ["+ OK migrate completed"]
    world.clock.advance(15.9)
    assert talk.say("info migrate") == [
        "= Migration status: active",
        "+ OK info migrate completed",
    ]
    world.clock.advance(0.2)
    assert talk.heard() == ["* EVENT stop"]
    assert talk.say("info migrate")[0] == "= Migration status: completed"
    assert talk.say("info status")[0] == "= VM status: paused"


def test_migrate_of_a_paused_machine_ends_without_an_event(world: World, talk: Talk) -> None:
    talk.say("stop", "migrate tcp:there:4444")
    world.clock.advance(17)
    assert talk.heard() == []
    assert talk.say("info migrate")[0] == "= Migration status: completed"


def test_migrate_to_where_nobody_listens_fails_in_the_end(world: World, talk: Talk) -> None:
    assert talk.say("migrate tcp:there:0") == ["+ OK migrate completed"]
    assert talk.say("info migrate")[0] == "= Migration status: active"
    world.clock.advance(17)
    assert talk.say("info migrate")[0] == "= Migration status: failed"
    assert talk.say("info status")[0] == "= VM status: running"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("carrier:pigeon", "unknown migration protocol: carrier:pigeon"),
        ("exec:cat", "the simulated machine runs no programs"),
        ("tcp:there", "migration failed"),
        ("tcp:there:65536", "migration failed"),
    ],
)
def test_migrate_refuses(talk: Talk, uri: str, reason: str) -> None:
    assert talk.say(f"migrate {uri}") == [f"- ERR {reason}"]
    assert talk.say("info migrate")[0] == "= Migration status: failed"


def test_migrate_one_at_a_time(world: World, talk: Talk) -> None:
    talk.say("migrate tcp:there:4444")
    assert talk.say("migrate tcp:elsewhere:4444") == ["- ERR migration already in progress"]
    world.clock.advance(17)
    assert talk.say("migrate tcp:elsewhere:4444")[-1] == "+ OK migrate completed"


def test_migrate_cancel(world: World, talk: Talk) -> None:
    assert talk.say("migrate_cancel") == ["+ OK migrate_cancel completed"]
    talk.say("migrate tcp:there:4444")
    assert talk.say("migrate_cancel") == ["+ OK migrate_cancel completed"]
    world.clock.advance(20)
    assert talk.say("info migrate")[0] == "= Migration status: cancelled"
    assert talk.say("info status")[0] == "= VM status: running"


def test_quit_ends_a_migration(world: World, talk: Talk) -> None:
    talk.say("migrate tcp:there:4444", "quit")
    world.clock.advance(20)
    assert world.machine.running
    assert world.events == ["SHUTDOWN"]


@pytest.mark.parametrize(
    ("value", "speed"),
    [
        ("512", 512),
        ("4k", 4096),
        ("1M", 1 << 20),
        ("1.5m", 3 << 19),
        ("2G", 2 << 30),
        (".5g", 1 << 29),
    ],
)
def test_migrate_set_speed(world: World, talk: Talk, value: str, speed: int) -> None:
    assert talk.say(f"migrate_set_speed {value}") == ["+ OK migrate_set_speed completed"]
    assert world.machine.migration.speed == speed


@pytest.mark.parametrize("value", ["fast", "1T", "-1", "1 M", "9" * 400])
def test_migrate_set_speed_refuses(talk: Talk, value: str) -> None:
    assert talk.say(f'migrate_set_speed "{value}"') == [f"- ERR invalid value '{value}'"]


def test_migrate_set_speed_refuses_to_stand_still(talk: Talk) -> None:
    reason = "the migration speed is at least one byte in a second"
    assert talk.say("migrate_set_speed 0") == [f"- ERR {reason}"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2", 2.0), ("2s", 2.0), ("30ms", 0.03), ("500us", 0.0005), ("7ns", 7e-9), ("0", 0.0)],
)
def test_migrate_set_downtime(world: World, talk: Talk, value: str, seconds: float) -> None:
    assert talk.say(f"migrate_set_downtime {value}") == ["+ OK migrate_set_downtime completed"]
    assert world.machine.migration.downtime == pytest.approx(seconds)


def test_migrate_set_downtime_refuses(talk: Talk) -> None:
    assert talk.say("migrate_set_downtime 1min") == ["- ERR invalid value '1min'"]
