"""Clients of QMP 0.1 and a real QEMU, with the gateway between them."""

from __future__ import annotations

import csv
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted

from tests.integration.gateways import MACHINE, attended, connect, sent, start
from tests.integration.programs import Programs, eventually
from tests.integration.talk import Talk
from txqmp.gateway.catalogue import COMMANDS_OF_2009, Way

pytestmark = [pytest.mark.peer("qemu-system-x86_64", "qemu-img")]


# The dialogues of section 4 of the specification.


async def test_dialogue_1_cont(programs: Programs, folder: Path) -> None:
    await start(programs)
    client = connect(folder)
    assert client.say("cont") == (["* EVENT cont"], [], "+ OK cont completed")
    assert client.say("info status").data == ["VM status: running"]
    client.close()


async def test_dialogue_2_info_network(programs: Programs, folder: Path) -> None:
    await start(programs)
    client = connect(folder)
    assert client.say("info network") == (
        [],
        [
            "VLAN 0 devices:",
            "  e1000.0: model=e1000,macaddr=52:54:00:12:34:56",
            "  user.0: net=10.0.2.0,restrict=off",
        ],
        "+ OK info network completed",
    )
    client.close()


async def test_dialogue_3_an_event_while_another_client_asks(
    programs: Programs, folder: Path
) -> None:
    qemu, _ = await start(programs)
    asking, resetting = connect(folder), connect(folder)
    # Stopped, QEMU answers only when both have asked, the one that resets before the other.
    os.kill(qemu.pid, signal.SIGSTOP)
    resetting.send("system_reset")
    await eventually(lambda: "system_reset" in sent(folder))
    asking.send("info balloon")
    await eventually(lambda: "query-balloon" in sent(folder))
    os.kill(qemu.pid, signal.SIGCONT)
    assert asking.answer() == (
        ["* EVENT reboot"], ["balloon: actual=128"], "+ OK info balloon completed",
    )  # fmt: skip
    assert resetting.answer() == (["* EVENT reboot"], [], "+ OK system_reset completed")
    asking.close()
    resetting.close()


async def test_dialogues_4_and_5_bad_and_err(programs: Programs, folder: Path) -> None:
    await start(programs)
    client = connect(folder)
    assert client.say("foo").completion == "- BAD unknown command"
    assert client.say("set_link foo down").completion == (
        "- ERR could not find network device 'foo'"
    )
    client.close()


# Every command of 2009.


EXPECTED = {
    # One line for each command, and how it is answered, in this order on one machine.
    "stop": ("stop", "OK"),
    "cont": ("c", "OK"),
    "info status": ("info status", "DATA"),
    "system_powerdown": ("system_powerdown", "OK"),
    "system_reset": ("system_reset", "OK"),
    "help": ("help", "DATA"),
    "info": ("info", "DATA"),
    "savevm": ("savevm one", "OK"),
    "loadvm": ("loadvm one", "OK"),
    "info snapshots": ("info snapshots", "DATA"),
    "delvm": ("delvm one", "OK"),
    "commit": ("commit nosuch", "ERR"),
    "eject": ("eject ide0-hd0", "ERR"),
    "change": ("change ide1-cd0 spare.qcow2 qcow2", "OK"),
    "screendump": ("screendump screen.ppm", "OK"),
    "logfile": ("logfile qemu.log", "OK"),
    "log": ("log none", "OK"),
    "singlestep": ("singlestep off", "OK"),
    "gdbserver": ("gdbserver none", "DATA"),
    "x": ("x/4b 0xfffffff0", "DATA"),
    "xp": ("xp/4b 0xfffffff0", "DATA"),
    "print": ("p/x 40+2", "DATA"),
    "i": ("i/b 0x80", "DATA"),
    "o": ("o/b 0x80 1", "OK"),
    "sendkey": ("sendkey ctrl-alt-f1 10", "OK"),
    "sum": ("sum 0 16", "DATA"),
    "usb_add": ("usb_add tablet", "OK"),
    "info usb": ("info usb", "DATA"),
    "usb_del": ("usb_del 0.99", "ERR"),
    "cpu": ("cpu 0", "OK"),
    "mouse_move": ("mouse_move 1 1", "OK"),
    "mouse_button": ("mouse_button 0", "OK"),
    "mouse_set": ("mouse_set 99", "ERR"),
    "wavcapture": ("wavcapture out.wav", "ERR"),
    "stopcapture": ("stopcapture 0", "OK"),
    "memsave": ("memsave 0 16 mem", "OK"),
    "pmemsave": ("pmemsave 0 16 pmem", "OK"),
    "boot_set": ("boot_set n", "DATA"),
    "nmi": ("nmi 0", "OK"),
    "migrate_set_speed": ("migrate_set_speed 10m", "OK"),
    "migrate_set_downtime": ("migrate_set_downtime 30ms", "OK"),
    "migrate_cancel": ("migrate_cancel", "OK"),
    "drive_add": ("drive_add 0 if=none,id=more,file=other.qcow2", "DATA"),
    "pci_add": ("pci_add auto nic model=e1000,vlan=1", "DATA"),
    "host_net_add": ("host_net_add user vlan=1,name=lan", "OK"),
    "info network": ("info network", "DATA"),
    "hostfwd_add": ("hostfwd_add 1 lan tcp:127.0.0.1:0-:22", "OK"),
    "hostfwd_remove": ("hostfwd_remove 1 lan tcp:127.0.0.1:1", "ERR"),
    "host_net_redir": ("host_net_redir remove tcp:1", "ERR"),
    "host_net_remove": ("host_net_remove 1 lan", "OK"),
    "balloon": ("balloon 64", "OK"),
    "set_link": ("set_link e1000.0 down", "OK"),
    "pci_del": ("pci_del 10", "OK"),
    "watchdog_action": ("watchdog_action pause", "OK"),
    "acl_show": ("acl_show vnc.username", "ERR"),
    "acl_policy": ("acl_policy vnc.username deny", "ERR"),
    "acl_add": ("acl_add vnc.username bob allow", "ERR"),
    "acl_remove": ("acl_remove vnc.username bob", "ERR"),
    "acl_reset": ("acl_reset vnc.username", "ERR"),
    "acl": ("acl show vnc.username", "ERR"),
    "mce": ("mce 0 0 0 0 0 0", "ERR"),
    "info balloon": ("info balloon", "DATA"),
    "info version": ("info version", "DATA"),
    "info chardev": ("info chardev", "DATA"),
    "info block": ("info block", "DATA"),
    "info blockstats": ("info blockstats", "DATA"),
    "info registers": ("info registers", "DATA"),
    "info cpus": ("info cpus", "DATA"),
    "info history": ("info history", "OK"),
    "info irq": ("info irq", "DATA"),
    "info pic": ("info pic", "DATA"),
    "info pci": ("info pci", "DATA"),
    "info tlb": ("info tlb", "DATA"),
    "info mem": ("info mem", "DATA"),
    "info hpet": ("info hpet", "ERR"),
    "info jit": ("info jit", "DATA"),
    "info kqemu": ("info kqemu", "ERR"),
    "info kvm": ("info kvm", "DATA"),
    "info numa": ("info numa", "DATA"),
    "info usbhost": ("info usbhost", "ERR"),
    "info profile": ("info profile", "ERR"),
    "info capture": ("info capture", "OK"),
    "info pcmcia": ("info pcmcia", "ERR"),
    "info mice": ("info mice", "DATA"),
    "info vnc": ("info vnc", "DATA"),
    "info name": ("info name", "DATA"),
    "info uuid": ("info uuid", "DATA"),
    "info cpustats": ("info cpustats", "ERR"),
    "info usernet": ("info usernet", "DATA"),
    "info slirp": ("info slirp", "DATA"),
    "info qtree": ("info qtree", "DATA"),
    "migrate": ("migrate -d exec:false", "OK"),
    "info migrate": ("info migrate", "DATA"),
    "quit": ("q", "OK"),
}  # fmt: skip
GONE = "this QEMU has no such command"


@pytest_twisted.async_yield_fixture(scope="module")
async def monitor() -> AsyncIterator[Talk]:
    """A connection to one machine, for all that is tried on it, one after the other."""
    drive = ("-drive", "if=ide,index=0,file=disk.qcow2")
    machine = (*MACHINE, *drive, "-device", "qemu-xhci", "-vnc", "none")
    async with attended(machine, "disk", "other", "spare") as talk:
        yield talk


def test_no_command_of_2009_is_left_out() -> None:
    with (Path(__file__).parents[1] / "commands-2009.tsv").open() as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    names = {
        ("info " if row["kind"] == "info" else "") + max(row["name(|alias)"].split("|"), key=len)
        for row in rows
    }
    assert EXPECTED.keys() == names
    assert COMMANDS_OF_2009.keys() == names - {"help", "info"}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_command_of_2009(name: str, monitor: Talk) -> None:
    line, kind = EXPECTED[name]
    answer = monitor.say(line)
    assert answer.kind == kind, answer
    if kind in ("OK", "DATA"):
        assert answer.completion == f"+ OK {name} completed"
    row = COMMANDS_OF_2009.get(name)
    assert (GONE in answer.completion) == (row is not None and row.way is Way.GONE)


# The format of 2009.


SIZE = r"\d+(\.\d)?[KMG]"
MEDIUM = r"file=\S+( backing_file=\S+)? ro=[01] drv=\w+ encrypted=[01]"
FORMATS = {
    "info version": [r"\d+\.\d+\.\d+( \(.*\))?"],
    "info status": [r"VM status: (running|paused)"],
    "info network": [
        r"VLAN \d+ devices:", r"Devices not on any VLAN:", r"  [^:]+: [^:]*(:[^:]*)*",
    ],
    "info chardev": [r"\S+: filename=.*"],
    "info block": [
        rf"\S+: type=(hd|cdrom|floppy) removable=0 {MEDIUM}",
        rf"\S+: type=(hd|cdrom|floppy) removable=1 locked=[01] (\[not inserted\]|{MEDIUM})",
    ],
    "info blockstats": [
        r"\S+: rd_bytes=\d+ wr_bytes=\d+ rd_operations=\d+ wr_operations=\d+",
    ],
    "info balloon": [r"balloon: actual=\d+"],
    "info cpus": [r"[* ] CPU #\d+: pc=0x[0-9a-f]{16}( \(halted\))?"],
    "info kvm": [r"kvm support: (enabled|disabled|not compiled)"],
    "info name": [r"vm1"],
    "info uuid": [r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"],
    "info vnc": [
        r"Server:", r"     address: \S+:\d+", r"        auth: \S+", r"Client: none",
    ],
    "info mice": [r"Mouse devices available:", r"[* ] Mouse #\d+: .+"],
    "info migrate": [r"Migration status: (active|completed|failed|cancelled)"],
    "info pci": [
        r"  Bus [ \d]\d, device [ \d]{2}\d, function \d:",
        r"    .+: PCI device [0-9a-f]{4}:[0-9a-f]{4}",
        r"      IRQ \d+\.",
        r"      BUS \d+\.",
        r"      BAR\d: I/O at 0x[0-9a-f]{4,} \[0x[0-9a-f]{4,}\]\.",
        r"      BAR\d: (32|64) bit memory at 0x[0-9a-f]{8,} \[0x[0-9a-f]{8,}\]\.",
    ],
    "info snapshots": [
        r"Snapshot devices: \S+( \S+)*",
        r"Snapshot list \(from \S+\):",
        r"ID        TAG                 VM SIZE                DATE       VM CLOCK",
        rf"\d+ +\S+ +{SIZE} \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d +\d\d:\d\d:\d\d\.\d{{3}}",
    ],
}  # fmt: skip
"""For each line of an answer one of these."""

FULL = (
    *MACHINE, "-smp", "2", "-device", "qemu-xhci", "-device", "usb-mouse",
    "-device", "pci-bridge,chassis_nr=1", "-vnc", "127.0.0.1:0,to=99",
    "-drive", "if=ide,index=0,file=disk.qcow2", "-drive", "if=floppy,index=0",
)  # fmt: skip


@pytest_twisted.async_yield_fixture(scope="module")
async def full_monitor() -> AsyncIterator[Talk]:
    """A machine that has some of everything, one snapshot, and a migration that failed."""
    async with attended(FULL, "disk") as talk:
        assert talk.say("savevm one").kind == "OK"
        assert talk.say("migrate exec:false").kind == "OK"
        yield talk


def test_each_native_info_has_its_format() -> None:
    answered = (Way.NATIVE, Way.HUMAN)
    natives = {name for name, row in COMMANDS_OF_2009.items() if row.way in answered}
    assert {name for name in natives if name.startswith("info ")} - {"info slirp"} == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_each_line_is_of_2009(name: str, full_monitor: Talk) -> None:
    answer = full_monitor.say(name)
    assert answer.completion == f"+ OK {name} completed"
    assert answer.data
    for line in answer.data:
        assert any(re.fullmatch(form, line) for form in FORMATS[name]), line
