"""What ``info`` prints, line by line."""

from __future__ import annotations

import pytest

from tests.machine.conftest import Talk, World

FRESH = {
    "balloon": ["balloon: actual=512"],
    "block": [
        "ide0-hd0: type=hd removable=0 file=disk0.qcow2 ro=0 drv=qcow2 encrypted=0",
        "ide1-cd0: type=cdrom removable=1 locked=0 [not inserted]",
        "floppy0: type=floppy removable=1 locked=0 [not inserted]",
    ],
    "blockstats": [
        "ide0-hd0: rd_bytes=0 wr_bytes=0 rd_operations=0 wr_operations=0",
        "ide1-cd0: rd_bytes=0 wr_bytes=0 rd_operations=0 wr_operations=0",
        "floppy0: rd_bytes=0 wr_bytes=0 rd_operations=0 wr_operations=0",
    ],
    "capture": [],
    "chardev": ["serial0: filename=null", "parallel0: filename=null"],
    "cpus": ["* CPU #0: pc=0x00000000fffffff0", "  CPU #1: pc=0x00000000fffffff0 (halted)"],
    "history": [],
    "hpet": ["HPET is enabled by QEMU"],
    "irq": ["irq statistic code not compiled."],
    "kqemu": ["kqemu support: not compiled"],
    "kvm": ["kvm support: not compiled"],
    "mice": ["Mouse devices available:", "* Mouse #0: QEMU PS/2 Mouse"],
    "migrate": [],
    "name": [],
    "network": [
        "VLAN 0 devices:",
        "  user.0: ",
        "  ne2k_pci.0: model=ne2k_pci,macaddr=52:54:00:12:34:56",
    ],
    "numa": ["0 nodes"],
    "pci": [
        "  Bus  0, device   0, function 0:",
        "    Host bridge: PCI device 8086:1237",
        "  Bus  0, device   1, function 0:",
        "    ISA bridge: PCI device 8086:7000",
        "  Bus  0, device   1, function 1:",
        "    IDE controller: PCI device 8086:7010",
        "  Bus  0, device   1, function 2:",
        "    USB controller: PCI device 8086:7020",
        "  Bus  0, device   1, function 3:",
        "    Bridge: PCI device 8086:7113",
        "  Bus  0, device   2, function 0:",
        "    VGA controller: PCI device 1013:00b8",
        "  Bus  0, device   3, function 0:",
        "    Ethernet controller: PCI device 10ec:8029",
        "  Bus  0, device   4, function 0:",
        "    Ethernet controller: PCI device 8086:100e",
        "  Bus  0, device   5, function 0:",
        "    RAM controller: PCI device 1af4:1002",
    ],
    "pcmcia": ["No PCMCIA sockets"],
    "profile": ["Internal profiler not compiled"],
    "snapshots": [
        "Snapshot devices: ide0-hd0",
        "Snapshot list (from ide0-hd0):",
        "ID        TAG                 VM SIZE                DATE       VM CLOCK",
    ],
    "status": ["VM status: running"],
    "usb": [],
    "usernet": [
        "VLAN 0 (user.0):",
        "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ",
    ],
    "uuid": ["00000000-0000-0000-0000-000000000000"],
    "version": ["0.10.50"],
    "vnc": ["Server: disabled"],
}


@pytest.mark.parametrize("name", FRESH)
def test_the_machine_as_it_was_switched_on(talk: Talk, name: str) -> None:
    assert talk.say(f"info {name}") == [
        *(f"= {line}" for line in FRESH[name]),
        f"+ OK info {name} completed",
    ]


def test_a_machine_with_settings() -> None:
    talk = World(
        name="vm 1",
        uuid="550E8400-E29B-41D4-A716-446655440000",
        memory=2048,
        cpus=1,
        paused=True,
    ).connect()
    assert talk.say("info name")[0] == "= vm 1"
    assert talk.say("info uuid")[0] == "= 550e8400-e29b-41d4-a716-446655440000"
    assert talk.say("info balloon")[0] == "= balloon: actual=2048"
    assert talk.say("info cpus") == [
        "= * CPU #0: pc=0x00000000fffffff0",
        "+ OK info cpus completed",
    ]
    assert talk.say("info status")[0] == "= VM status: paused"


def test_info_cpus_moves_while_the_machine_runs(world: World, talk: Talk) -> None:
    world.clock.advance(1)
    moved = talk.say("info cpus")
    assert moved[0].startswith("= * CPU #0: pc=0xffffffff802")
    talk.say("stop")
    world.clock.advance(1)
    assert talk.say("info cpus") == moved
    talk.say("system_reset")
    assert talk.say("info cpus")[0] == "= * CPU #0: pc=0x00000000fffffff0"


def test_info_blockstats_moves_where_there_is_a_medium(world: World, talk: Talk) -> None:
    world.clock.advance(2)
    talk.say("change ide1-cd0 a.iso", "change floppy0 a.img")
    world.clock.advance(1)
    assert talk.say("info blockstats")[:3] == [
        "= ide0-hd0: rd_bytes=122880 wr_bytes=49152 rd_operations=30 wr_operations=12",
        "= ide1-cd0: rd_bytes=4096 wr_bytes=0 rd_operations=2 wr_operations=0",
        "= floppy0: rd_bytes=512 wr_bytes=512 rd_operations=1 wr_operations=1",
    ]


def test_info_blockstats_stands_still_while_the_machine_is_paused(world: World, talk: Talk) -> None:
    world.clock.advance(3)
    talk.say("stop")
    before = talk.say("info blockstats")
    world.clock.advance(3)
    assert talk.say("info blockstats") == before


def test_info_blockstats_never_goes_back(world: World, talk: Talk) -> None:
    talk.say("savevm a")
    world.clock.advance(3)
    before = talk.say("info blockstats")
    talk.say("eject -f ide0-hd0")
    world.clock.advance(3)
    talk.say("change ide0-hd0 disk0.qcow2 qcow2", "loadvm a")
    assert talk.say("info blockstats") == before


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        (r'"C:\\my disk"', r"C:\\my\ disk"),
        (r'"say \"hi\"\r\n"', r"say\ \"hi\"\r\n"),
    ],
)
def test_info_block_escapes_file_names(talk: Talk, argument: str, shown: str) -> None:
    talk.say(f"change floppy0 {argument}")
    assert talk.say("info block")[2] == (
        f"= floppy0: type=floppy removable=1 locked=0 file={shown} ro=0 drv=raw encrypted=0"
    )


def test_info_snapshots() -> None:
    world = World(paused=True)
    talk = world.connect()
    world.clock.advance(1_245_412_800)  # the day of the draft
    talk.say("savevm before", "savevm", "balloon 5", "cont")
    world.clock.advance(3723.25)
    talk.say("savevm 2")
    assert talk.say("info snapshots")[2:-1] == [
        "= ID        TAG                 VM SIZE                DATE       VM CLOCK",
        "= 1         before                 512M 2009-06-19 12:00:00   00:00:00.000",
        "= 2                                5.0M 2009-06-19 13:02:03   01:02:03.250",
    ]


@pytest.mark.parametrize(
    ("memory", "shown"),
    [(1, "1.0M"), (9, "9.0M"), (10, "10M"), (999, "999M"), (1000, "1.0G"), (20480, "20G")],
)
def test_info_snapshots_shows_sizes_as_people_do(memory: int, shown: str) -> None:
    talk = World(memory=memory).connect()
    talk.say("savevm")
    assert talk.say("info snapshots")[3].split()[2] == shown


def test_info_snapshots_counts_hours(world: World, talk: Talk) -> None:
    world.clock.advance(100 * 3600)
    talk.say("savevm")
    assert talk.say("info snapshots")[3].split()[-1] == "100:00:00.000"


def test_info_snapshots_without_a_disk_for_them(talk: Talk) -> None:
    talk.say("eject -f ide0-hd0")
    assert talk.say("info snapshots")[0] == "= No available block device supports snapshots"


def test_what_a_client_named_is_shown_on_one_line(talk: Talk) -> None:
    talk.say(r'host_net_add user "name=a\r\n+ OK,vlan=1"')
    assert talk.say("info network")[4:-1] == [r"=   a\x0d\x0a+ OK: "]
