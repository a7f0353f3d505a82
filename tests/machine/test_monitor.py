"""The whole of the text monitor: what is in it, the draft's examples, events, and nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.conftest import Talk, World
from txqmp.machine.monitor import monitor_table
from txqmp.machine.state import Machine

COMMANDS = """
    help info stop cont quit system_reset system_powerdown singlestep gdbserver cpu nmi sendkey
    mouse_move mouse_button mouse_set balloon boot_set watchdog_action savevm loadvm delvm migrate
    migrate_cancel migrate_set_speed migrate_set_downtime eject change commit set_link
    host_net_add host_net_remove hostfwd_add hostfwd_remove pci_add pci_del drive_add usb_add
    usb_del acl_show acl_policy acl_add acl_remove acl_reset screendump logfile log memsave
    pmemsave wavcapture stopcapture
""".split()
INFOS = """
    balloon block blockstats capture chardev cpus history hpet irq kqemu kvm mice migrate name
    network numa pci pcmcia profile snapshots status usb usernet uuid version vnc
""".split()


def test_the_table_has_the_commands_of_2009_that_need_no_guest(world: World) -> None:
    names = {entry.name for entry in monitor_table(world.machine)}
    assert names == {*COMMANDS, *(f"info {name}" for name in INFOS)}


@pytest.mark.parametrize(
    "command",
    ["x/4i 0", "xp/4x 0", "print 1", "i 0x3c0", "o 0x3c0 1", "sum 0 4096", "info registers"],
)
def test_what_needs_a_guest_is_unknown(talk: Talk, command: str) -> None:
    assert talk.say(command) == ["- BAD unknown command"]


def test_help_shows_parameters_and_summary(talk: Talk) -> None:
    assert talk.say("help eject") == [
        "= eject [-f] device -- remove medium; -f ignores lock",
        "+ OK help completed",
    ]


def test_the_greeting(talk: Talk) -> None:
    assert talk.greeting == ["+ OK QEMU 0.10.50 QMP 0.1"]


# Section 4 of the draft.


def test_4_1_cont_of_a_machine_that_was_started_paused() -> None:
    talk = World(paused=True).connect()
    assert talk.say("cont") == ["* EVENT cont", "+ OK cont completed"]


def test_4_2_a_multiline_response(talk: Talk) -> None:
    assert talk.say("info network") == [
        "= VLAN 0 devices:",
        "=   user.0: ",
        "=   ne2k_pci.0: model=ne2k_pci,macaddr=52:54:00:12:34:56",
        "+ OK info network completed",
    ]


def test_4_3_a_reboot_is_an_event(world: World, talk: Talk) -> None:
    world.machine.reset()
    assert talk.heard() == ["* EVENT reboot"]


def test_4_4_a_protocol_error(talk: Talk) -> None:
    assert talk.say("foo") == ["- BAD unknown command"]


def test_4_5_a_command_error(talk: Talk) -> None:
    assert talk.say("set_link foo down") == ["- ERR could not find network device 'foo'"]


# Several clients.


@pytest.mark.parametrize(
    ("command", "event"),
    [
        ("stop", "stop"),
        ("system_reset", "reboot"),
        ("system_powerdown", "powerdown"),
        ("quit", "shutdown"),
    ],
)
def test_events_go_to_every_client_and_precede_the_completion(
    world: World, command: str, event: str
) -> None:
    one, other = world.connect(), world.connect()
    assert one.say(command) == [f"* EVENT {event}", f"+ OK {command} completed"]
    assert other.heard() == [f"* EVENT {event}"]


def test_the_chosen_cpu_is_the_connections_own(world: World) -> None:
    one, other = world.connect(), world.connect()
    assert one.say("cpu 1") == ["+ OK cpu completed"]
    assert [line[:10] for line in one.say("info cpus")[:2]] == ["=   CPU #0", "= * CPU #1"]
    assert [line[:10] for line in other.say("info cpus")[:2]] == ["= * CPU #0", "=   CPU #1"]


def test_quit_closes_the_connection_and_the_next_finds_a_new_machine(world: World) -> None:
    first = world.connect()
    first.say("stop", "balloon 100", "change ide1-cd0 a.iso")
    assert first.say("quit", "info status") == ["* EVENT shutdown", "+ OK quit completed"]
    assert first.transport.disconnecting
    second = world.connect()
    assert second.say("info status")[0] == "= VM status: running"
    assert second.say("info balloon")[0] == "= balloon: actual=512"
    assert second.say("info block")[1].endswith("[not inserted]")


def test_without_a_reactor_the_global_one_serves() -> None:
    from twisted.internet import reactor

    from txqmp.machine.monitor import monitor_factory

    assert monitor_factory(World().machine).reactor is reactor
    assert Machine().running


# Nonsense.

ARGUMENTS = [
    "ide0-hd0", "ide1-cd0", "floppy0", "vnc", "password", "a.iso", "raw", "qcow2", "-f", "-d", "up",
    "down", "ne2k_pci.0", "user.0", "e1000.0", "user", "tap", "dump", "vlan=1", "vlan=x", "name=n",
    "auto", "3", "4", "0:0:5", "1:0", "zz", "nic", "storage", "model=e1000", "if=scsi,file=d",
    "if=virtio,file=v", "if=ide", "mouse", "tablet", "disk:d", "0.1", "vnc.username", "allow",
    "deny", "0", "1", "2", "-1", "0x7fffffff", "-2147483648", "9" * 30, "ctrl-alt-f1", "0x", "a-",
    "-", ":1", ":99999", "h:2,password", "none", "tcp:h:1", "tcp:h:0", "tcp:h:99999", "exec:cat",
    "1M", "1e9", "0.5ms", "9" * 400, "reset", "c", "cdna", "", "a b", "\n", '"', "\\", "x" * 3000,
]  # fmt: skip
words = st.sampled_from(ARGUMENTS)
lines = st.tuples(
    st.sampled_from([*COMMANDS, *(f"info {name}" for name in INFOS)]), st.lists(words, max_size=4)
)


def quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@settings(deadline=None, max_examples=200)
@given(st.lists(lines, max_size=20), st.booleans())
def test_nonsense_is_answered_once_a_line_and_never_by_an_internal_error(
    script: list[tuple[str, list[str]]], paused: bool
) -> None:
    world = World(paused=paused)
    for verb, arguments in script:
        talk = world.connect()
        heard = talk.say(" ".join([verb, *(quoted(word) for word in arguments)]))
        completions = [line for line in heard if line.startswith(("+", "-"))]
        assert len(completions) == 1
        assert completions[0] == heard[-1]
        assert "internal error" not in heard[-1]
        world.clock.advance(1)
