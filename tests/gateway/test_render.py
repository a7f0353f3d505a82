"""What today's QEMU tells, in the lines of 2009."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from txqmp.gateway import render

UNSET = (1 << 64) - 1
"""What QEMU says of an address that the guest has not set: -1, in some versions all bits."""

HOST = {"host": "127.0.0.1", "service": "5900", "family": "ipv4"}

SIMPLE: list[tuple[Callable[[Any], list[str]], Any, list[str]]] = [
    (render.version, {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""}, ["7.2.22"]),
    (render.version, {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": "Debian 1:7.2"},
     ["7.2.22 (Debian 1:7.2)"]),
    (render.version, {"qemu": {"major": 10, "minor": 0, "micro": 0}}, ["10.0.0"]),
    (render.status, {"running": True, "status": "running"}, ["VM status: running"]),
    (render.status, {"running": False, "status": "prelaunch"}, ["VM status: paused"]),
    (render.status, {"running": False, "status": "shutdown"}, ["VM status: paused"]),
    (render.status, {"running": True, "singlestep": False}, ["VM status: running"]),
    (render.status, {"running": True, "singlestep": True},
     ["VM status: running (single step mode)"]),
    (render.name, {"name": "vm1"}, ["vm1"]),
    (render.name, {"name": ""}, []),
    (render.name, {}, []),
    (render.uuid, {"UUID": "550e8400-e29b-41d4-a716-446655440000"},
     ["550e8400-e29b-41d4-a716-446655440000"]),
    (render.kvm, {"present": True, "enabled": True}, ["kvm support: enabled"]),
    (render.kvm, {"present": True, "enabled": False}, ["kvm support: disabled"]),
    (render.kvm, {"present": False, "enabled": False}, ["kvm support: not compiled"]),
    (render.balloon, {"actual": 128 << 20}, ["balloon: actual=128"]),
    (render.balloon, {"actual": (129 << 20) - 1}, ["balloon: actual=128"]),
    (render.migrate, {}, []),
    (render.migrate, {"status": "none"}, []),
    *((render.migrate, {"status": status}, ["Migration status: active"])
      for status in ("setup", "active", "postcopy-active", "cancelling", "pre-switchover")),
    *((render.migrate, {"status": status}, [f"Migration status: {status}"])
      for status in ("completed", "failed", "cancelled")),
    (render.chardev, [], []),
    (render.chardev, [{"label": "mon", "filename": "unix:/m,server=on", "frontend-open": True},
                      {"label": "ser ial", "filename": "vc"}],
     ["mon: filename=unix:/m,server=on", "ser ial: filename=vc"]),
    (render.mice, [], ["No mouse devices connected"]),
    (render.mice, [{"index": 2, "name": "QEMU PS/2 Mouse", "current": False, "absolute": False},
                   {"index": 3, "name": "Tablet", "current": True, "absolute": True}],
     ["Mouse devices available:", "  Mouse #2: QEMU PS/2 Mouse", "* Mouse #3: Tablet"]),
    (render.mice, [{"index": 0, "name": "M"}],
     ["Mouse devices available:", "  Mouse #0: M"]),
    (render.vnc, {"enabled": False}, ["Server: disabled"]),
    (render.vnc, {"enabled": True}, ["Server: disabled"]),
    (render.vnc, {"enabled": True, **HOST, "auth": "vnc", "clients": []},
     ["Server:", "     address: 127.0.0.1:5900", "        auth: vnc", "Client: none"]),
    (render.vnc, {"enabled": True, **HOST},
     ["Server:", "     address: 127.0.0.1:5900", "        auth: none", "Client: none"]),
    (render.vnc, {"enabled": True, **HOST, "auth": "x", "clients": [
        {"host": "::1", "service": "40000", "x509_dname": "CN=a", "sasl_username": "joe"},
        {"host": "h", "service": "2"}]},
     ["Server:", "     address: 127.0.0.1:5900", "        auth: x",
      "Client:", "     address: ::1:40000", "  x509 dname: CN=a", "    username: joe",
      "Client:", "     address: h:2"]),
]  # fmt: skip


@pytest.mark.parametrize(("rendered", "value", "lines"), SIMPLE)
def test_values(rendered: Callable[[Any], list[str]], value: Any, lines: list[str]) -> None:
    assert rendered(value) == lines


FORMATS = {
    render.version: r"\d+\.\d+\.\d+( \(.+\))?",
    render.status: r"VM status: (running|paused)( \(single step mode\))?",
    render.name: r".+",
    render.uuid: r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    render.kvm: r"kvm support: (enabled|disabled|not compiled)",
    render.balloon: r"balloon: actual=\d+",
    render.migrate: r"Migration status: (active|completed|failed|cancelled)",
    render.chardev: r".+: filename=.+",
    render.mice: r"Mouse devices available:|No mouse devices connected|[* ] Mouse #\d+: .+",
    render.vnc: r"Server: disabled|Server:|Client: none|Client:"
    r"|     address: .+:\d+|        auth: \w+|  x509 dname: .+|    username: .+",
}


@pytest.mark.parametrize(("rendered", "value", "lines"), SIMPLE)
def test_each_line_is_as_in_2009(
    rendered: Callable[[Any], list[str]], value: Any, lines: list[str]
) -> None:
    assert [line for line in rendered(value) if not re.fullmatch(FORMATS[rendered], line)] == []


# Drives.


def drive(
    name: str = "ide0-hd0", removable: bool = False, locked: bool = False, **inserted: Any
) -> dict[str, Any]:
    found = {"device": name, "removable": removable, "locked": locked}
    return found | ({"inserted": {"ro": False, "drv": "qcow2", **inserted}} if inserted else {})


BLOCK = re.compile(
    r"\S+: type=(hd|cdrom|floppy) removable=(0|1 locked=[01])"
    r"( \[not inserted\]| file=([^ \\]|\\.)+( backing_file=([^ \\]|\\.)+)?"
    r" ro=[01] drv=\S+ encrypted=[01])"
)

DRIVES = [
    (drive(file="/a.img"), "hd",
     "ide0-hd0: type=hd removable=0 file=/a.img ro=0 drv=qcow2 encrypted=0"),
    (drive("cd", True, True, file="/c", ro=True, drv="raw", encrypted=False), "cdrom",
     "cd: type=cdrom removable=1 locked=1 file=/c ro=1 drv=raw encrypted=0"),
    (drive("ide1-cd0", True), "cdrom", "ide1-cd0: type=cdrom removable=1 locked=0 [not inserted]"),
    (drive("floppy0", True), "floppy", "floppy0: type=floppy removable=1 locked=0 [not inserted]"),
    (drive("empty"), "hd", "empty: type=hd removable=0 [not inserted]"),
    (drive("a", file="/b", backing_file="/base"), "hd",
     "a: type=hd removable=0 file=/b backing_file=/base ro=0 drv=qcow2 encrypted=0"),
    (drive("a", file="/b", encrypted=True), "hd",
     "a: type=hd removable=0 file=/b ro=0 drv=qcow2 encrypted=1"),
    (drive("a", file='/my "disk"\r\n\t\\', backing_file="/a b"), "hd",
     (r'a: type=hd removable=0 file=/my\ \"disk\"\r\n\t\\ backing_file=/a\ b'
      r" ro=0 drv=qcow2 encrypted=0")),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind", "line"), DRIVES)
def test_block(value: dict[str, Any], kind: str, line: str) -> None:
    assert render.block([value], [kind]) == [line]


@pytest.mark.parametrize(("value", "kind", "line"), DRIVES)
def test_each_line_of_block_is_as_in_2009(value: dict[str, Any], kind: str, line: str) -> None:
    assert BLOCK.fullmatch(render.block([value], [kind])[0])


def test_block_keeps_the_order() -> None:
    lines = render.block([drive("b"), drive("a")], ["hd", "cdrom"])
    assert [line.split(" rem")[0] for line in lines] == ["b: type=hd", "a: type=cdrom"]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({"device": "d", "qdev": "q", "inserted": {"node-name": "n"}}, "d"),
        ({"device": "", "qdev": "q", "inserted": {"node-name": "n"}}, "q"),
        ({"qdev": "", "inserted": {"node-name": "n"}}, "n"),
        ({"device": ""}, "unnamed"),
    ],
)
def test_the_name_of_a_drive(value: dict[str, Any], name: str) -> None:
    assert render.drive_name(value) == name


@pytest.mark.parametrize(
    ("name", "device_type", "kind"),
    [
        ("x", "ide-cd", "cdrom"),
        ("x", "scsi-cd", "cdrom"),
        ("x", "floppy", "floppy"),
        ("x", "ide-hd", "hd"),
        ("x", "virtio-blk-device", "hd"),
        ("ide1-cd0", "", "cdrom"),
        ("floppy0", "", "floppy"),
        ("ide0-hd0", "", "hd"),
        ("pcdisk", "", "hd"),
        ("cd0", "", "cdrom"),
        # Where the device's type is known, the name that a user chose tells nothing.
        ("pcdisk", "virtio-blk-device", "hd"),
        ("floppy-image", "ide-hd", "hd"),
    ],
)
def test_the_kind_of_a_drive(name: str, device_type: str, kind: str) -> None:
    assert render.drive_kind({"device": name}, device_type) == kind


def test_blockstats() -> None:
    stats = {"wr_operations": 4, "rd_bytes": 1, "flush_operations": 9, "wr_bytes": 2,
             "rd_operations": 3}  # fmt: skip
    assert render.blockstats(
        [{"device": "hd0", "stats": stats}, {"qdev": "q", "stats": stats}]
    ) == [
        "hd0: rd_bytes=1 wr_bytes=2 rd_operations=3 wr_operations=4",
        "q: rd_bytes=1 wr_bytes=2 rd_operations=3 wr_operations=4",
    ]


def state(number: str, tag: str, size: int, nsec: int = 0) -> dict[str, Any]:
    return {"id": number, "name": tag, "vm-state-size": size, "date-sec": 0, "date-nsec": 0,
            "vm-clock-sec": 3661, "vm-clock-nsec": nsec}  # fmt: skip


def test_snapshots() -> None:
    kept = {"snapshots": [state("1", "a", 2048, 5_000_000), state("2", "disk only", 0)]}
    value = [
        drive("cd"),
        drive("raw", drv="raw", image={}),
        drive("hd0", image=kept),
        drive("hd1", image={"snapshots": [state("9", "not this", 1)]}),
        drive("ro", ro=True, image={}),
    ]
    assert render.snapshots(value) == [
        "Snapshot devices: hd0 hd1",
        "Snapshot list (from hd0):",
        "ID        TAG                 VM SIZE                DATE       VM CLOCK",
        "1         a                      2.0K 1970-01-01 00:00:00   01:01:01.005",
        "2         disk only              0.0K 1970-01-01 00:00:00   01:01:01.000",
    ]


def test_no_snapshots() -> None:
    assert render.snapshots([drive("hd0", image={})])[3:] == []


@pytest.mark.parametrize("value", [[], [drive("cd")], [drive("a", drv="raw", image={})]])
def test_nowhere_for_snapshots(value: list[Any]) -> None:
    assert render.snapshots(value) == ["No available block device supports snapshots"]


# Processors.

X86 = "RAX=0000000000000000 RBX=00000000ffff0000\nRIP=fffffff0deadbeef RFL=00000002 CPL=0 HLT=0\n"
I386 = "EAX=00000000 EBX=00000000\nEIP=0000fff0 EFL=00000002 II=0 HLT=0\n"
RESET = I386 + "ES =0000 00000000 0000ffff 00009300\nCS =f000 ffff0000 0000ffff 00009b00\n"


@pytest.mark.parametrize(
    ("registers", "line"),
    [
        (X86, "* CPU #0: pc=0xfffffff0deadbeef"),
        (X86.replace("HLT=0", "HLT=1"), "* CPU #0: pc=0xfffffff0deadbeef (halted)"),
        (I386, "* CPU #0: pc=0x000000000000fff0"),
        (RESET, "* CPU #0: pc=0x00000000fffffff0"),
        (" PC=0000000040080000 X00=0000000000000000\n", "* CPU #0: pc=0x0000000040080000"),
        (" pc       0000000080000000\n mhartid  0\n", "* CPU #0: pc=0x0000000080000000"),
        ("NIP fff00100   LR 00000000 CTR 00000000\n", "* CPU #0: pc=0x00000000fff00100"),
        ("pc: f0000000  npc: f0000004\n", "* CPU #0: pc=0x00000000f0000000"),
        ("nothing of the kind\n", "* CPU #0: pc=0x0000000000000000"),
    ],
)
def test_cpu(registers: str, line: str) -> None:
    assert render.cpu(0, 0, registers) == line
    assert re.fullmatch(r"[* ] CPU #\d+: pc=0x[0-9a-f]{16}( \(halted\))?", line)


def test_the_star_is_at_the_chosen_cpu() -> None:
    lines = [render.cpu(index, 1, X86) for index in range(3)]
    assert [line[:8] for line in lines] == ["  CPU #0", "* CPU #1", "  CPU #2"]


def test_the_cpu_of_a_32_bit_arm() -> None:
    registers = "R00=00000000 R01=00000000\nR12=00000000 R13=00000000 R14=00000000 R15=40001234\n"
    assert render.cpu(0, 0, registers) == "* CPU #0: pc=0x0000000040001234"


# The network.

CARD = "n0: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:56"
USER = "u0: index=0,type=user,net=10.0.2.0,restrict=off"


def test_no_network() -> None:
    assert render.network("") == []


def test_a_pair_is_a_vlan() -> None:
    assert render.network(f"{CARD}\n \\ {USER}\n") == [
        "VLAN 0 devices:",
        "  n0: model=e1000,macaddr=52:54:00:12:34:56",
        "  u0: net=10.0.2.0,restrict=off",
    ]


def test_a_hub_is_the_vlan_of_its_number() -> None:
    printed = f"hub 3\n \\ hub3port1: {USER}\n \\ hub3port0: {CARD}\n"
    assert render.network(printed) == [
        "VLAN 3 devices:",
        "  u0: net=10.0.2.0,restrict=off",
        "  n0: model=e1000,macaddr=52:54:00:12:34:56",
    ]


def test_pairs_get_the_numbers_that_hubs_leave() -> None:
    pairs = "".join(f"n{n}: index=0,type=nic,\n \\ u{n}: index=0,type=user,\n" for n in (5, 6))
    printed = f"hub 1\n \\ hub1port0: {USER}\nhub 0\n{pairs}"
    assert render.network(printed) == [
        "VLAN 0 devices:",
        "  n5: ",
        "  u5: ",
        "VLAN 1 devices:",
        "  u0: net=10.0.2.0,restrict=off",
        "VLAN 2 devices:",
        "  n6: ",
        "  u6: ",
    ]


def test_what_is_not_joined() -> None:
    assert render.network(f"{CARD}\n{USER}\n") == [
        "Devices not on any VLAN:",
        "  n0: model=e1000,macaddr=52:54:00:12:34:56",
        "  u0: net=10.0.2.0,restrict=off",
    ]


def test_filters_are_left_out() -> None:
    joined = f"{CARD}\n \\ {USER}\n"
    printed = f"{joined}filters:\n  - f0: type=filter-dump,file=/x\n"
    assert render.network(printed) == render.network(joined)


def test_of_several_queues_the_first_counts() -> None:
    queue = "n0: index={0},type=nic,model=virtio-net-pci\n \\ t0: index={0},type=tap,ifname=x\n"
    printed = queue.format(0) + queue.format(1)
    assert render.network(printed) == [
        "VLAN 0 devices:",
        "  n0: model=virtio-net-pci",
        "  t0: ifname=x",
    ]


def test_a_name_with_a_colon() -> None:
    printed = "hub 0\n \\ hub0port0: a: b: index=0,type=tap,ifname=t\n"
    assert render.network(printed)[1] == "  a: b: ifname=t"


@pytest.mark.parametrize("printed", [f"{CARD}\n \\ {USER}\n", f"{CARD}\n", f"hub 9\n \\ h: {USER}"])
def test_each_line_of_network_is_as_in_2009(printed: str) -> None:
    form = re.compile(r"VLAN \d+ devices:|Devices not on any VLAN:|  \S+: .*")
    assert [line for line in render.network(printed) if not form.fullmatch(line)] == []


# PCI.


def device(slot: int = 0, bus: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "bus": bus,
        "slot": slot,
        "function": 0,
        "class_info": {"class": 0x0600, "desc": "Host bridge"},
        "id": {"vendor": 0x8086, "device": 0x1237},
        "regions": [],
        "qdev_id": "",
        **more,
    }


HEAD = ["  Bus  0, device   0, function 0:", "    Host bridge: PCI device 8086:1237"]
PCI_LINE = re.compile(
    r"  Bus {1,2}\d+, device {1,3}\d+, function \d:|    [^:]+: PCI device [0-9a-f]{4}:[0-9a-f]{4}"
    r"|      IRQ \d+\.|      BUS \d+\.|      BAR\d: I/O at 0x[0-9a-f]{4,} \[0x[0-9a-f]{4,}\]\."
    r"|      BAR\d: (32|64) bit memory at 0x[0-9a-f]{8,} \[0x[0-9a-f]{8,}\]\."
)


def regions(*found: dict[str, Any]) -> list[str]:
    lines = render.pci([{"bus": 0, "devices": [device(regions=found)]}])
    assert all(PCI_LINE.fullmatch(line) for line in lines)
    assert lines[:2] == HEAD
    return lines[2:]


def test_pci_of_nothing() -> None:
    assert render.pci([]) == []


def test_pci_numbers_are_in_columns() -> None:
    lines = render.pci([{"bus": 10, "devices": [device(31, 10, function=7)]}])
    assert lines[0] == "  Bus 10, device  31, function 7:"


def test_pci_of_an_unknown_class() -> None:
    unknown = device(class_info={"class": 0xFF}, id={"vendor": 0x1AF4, "device": 0x1})
    assert render.pci([{"bus": 0, "devices": [unknown]}])[1] == (
        "    Class 00ff: PCI device 1af4:0001"
    )


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        ({"irq": 11, "irq_pin": 1}, ["      IRQ 11."]),
        ({"irq": 0, "irq_pin": 1}, ["      IRQ 0."]),
        ({"irq": 0, "irq_pin": 0}, []),
        ({"irq_pin": 1}, []),
        ({}, []),
    ],
)
def test_pci_irq(more: dict[str, int], lines: list[str]) -> None:
    assert render.pci([{"bus": 0, "devices": [device(**more)]}]) == HEAD + lines


@pytest.mark.parametrize(
    ("region", "line"),
    [
        ({"bar": 4, "type": "io", "address": 0xC040, "size": 16},
         "      BAR4: I/O at 0xc040 [0xc04f]."),
        ({"bar": 0, "type": "io", "address": -1, "size": 64},
         "      BAR0: I/O at 0xffffffff [0x003e]."),
        ({"bar": 0, "type": "memory", "address": 0xFD000000, "size": 0x1000000, "prefetch": True},
         "      BAR0: 32 bit memory at 0xfd000000 [0xfdffffff]."),
        ({"bar": 6, "type": "memory", "address": -1, "size": 0x10000, "mem_type_64": False},
         "      BAR6: 32 bit memory at 0xffffffff [0x0000fffe]."),
        ({"bar": 6, "type": "memory", "address": UNSET, "size": 0x10000},
         "      BAR6: 32 bit memory at 0xffffffff [0x0000fffe]."),
        ({"bar": 4, "type": "memory", "address": 0x10_0000_0000, "size": 0x4000,
          "mem_type_64": True},
         "      BAR4: 64 bit memory at 0x1000000000 [0x1000003fff]."),
    ],
)  # fmt: skip
def test_pci_regions(region: dict[str, Any], line: str) -> None:
    assert regions(region) == [line]


def test_pci_bridges_show_what_is_behind_them() -> None:
    behind = [device(5, 1), device(6, 1)]
    bridge = device(
        2,
        class_info={"class": 0x0604, "desc": "PCI bridge"},
        pci_bridge={"bus": {"number": 0, "secondary": 1, "subordinate": 1}, "devices": behind},
    )
    lines = render.pci([{"bus": 0, "devices": [bridge, device(9)]}])
    assert [line for line in lines if "Bus" in line or "BUS" in line] == [
        "  Bus  0, device   2, function 0:",
        "      BUS 1.",
        "  Bus  1, device   5, function 0:",
        "  Bus  1, device   6, function 0:",
        "  Bus  0, device   9, function 0:",
    ]
    assert [line for line in lines if not PCI_LINE.fullmatch(line)] == []


def test_a_bridge_without_devices() -> None:
    bridge = device(
        class_info={"class": 0x0604, "desc": "PCI bridge"},
        pci_bridge={"bus": {"number": 0, "secondary": 7, "subordinate": 7}},
    )
    assert render.pci([{"bus": 0, "devices": [bridge]}])[-1] == "      BUS 7."
