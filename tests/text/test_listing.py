"""The lines of 2009, from plain values."""

from __future__ import annotations

import pytest

from txqmp.text import listing
from txqmp.text.listing import Medium, SavedState


@pytest.mark.parametrize(
    ("running", "single_step", "line"),
    [
        (True, False, "VM status: running"),
        (True, True, "VM status: running (single step mode)"),
        (False, False, "VM status: paused"),
        (False, True, "VM status: paused"),
    ],
)
def test_status(running: bool, single_step: bool, line: str) -> None:
    assert listing.status(running, single_step) == line


@pytest.mark.parametrize(
    ("chosen", "halted", "line"),
    [
        (True, False, "* CPU #1: pc=0x000000000000fff0"),
        (False, False, "  CPU #1: pc=0x000000000000fff0"),
        (True, True, "* CPU #1: pc=0x000000000000fff0 (halted)"),
    ],
)
def test_cpu(chosen: bool, halted: bool, line: str) -> None:
    assert listing.cpu(1, 0xFFF0, chosen=chosen, halted=halted) == line


@pytest.mark.parametrize(
    ("removable", "locked", "medium", "rest"),
    [
        (False, False, None, "removable=0 [not inserted]"),
        (False, True, None, "removable=0 [not inserted]"),
        (True, False, None, "removable=1 locked=0 [not inserted]"),
        (True, True, None, "removable=1 locked=1 [not inserted]"),
        (False, False, Medium("/a", "raw", False),
         "removable=0 file=/a ro=0 drv=raw encrypted=0"),
        (True, True, Medium("/a", "qcow2", True, True),
         "removable=1 locked=1 file=/a ro=1 drv=qcow2 encrypted=1"),
        (False, False, Medium("/a", "qcow2", False, False, "/b c"),
         r"removable=0 file=/a backing_file=/b\ c ro=0 drv=qcow2 encrypted=0"),
        (False, False, Medium("", "raw", False),
         "removable=0 file= ro=0 drv=raw encrypted=0"),
    ],
)  # fmt: skip
def test_drive(removable: bool, locked: bool, medium: Medium | None, rest: str) -> None:
    line = listing.drive("d", "hd", removable=removable, locked=locked, medium=medium)
    assert line == f"d: type=hd {rest}"


@pytest.mark.parametrize(
    ("file", "escaped"),
    [
        ("/a b", r"/a\ b"),
        ('/"a"', r"/\"a\""),
        ("C:\\a", r"C:\\a"),
        ("/a\tb", r"/a\tb"),
        ("/a\r\nb", r"/a\r\nb"),
        ("/ä", "/ä"),
    ],
)
def test_file_names_are_escaped(file: str, escaped: str) -> None:
    line = listing.drive("d", "hd", removable=False, medium=Medium(file, "raw", False))
    assert line == f"d: type=hd removable=0 file={escaped} ro=0 drv=raw encrypted=0"


def test_drive_counters() -> None:
    assert listing.drive_counters("d", [("b", 1), ("a", 0)]) == "d: b=1 a=0"


# Snapshots.


def saved(size: int = 0, date: float = 0, clock: float = 0, tag: str = "t") -> str:
    return listing.snapshots(["d"], [SavedState("1", tag, size, date, clock)])[-1]


def test_no_drive_for_snapshots() -> None:
    assert listing.snapshots([], []) == ["No available block device supports snapshots"]


def test_the_head_of_the_snapshots() -> None:
    assert listing.snapshots(["a", "b"], []) == [
        "Snapshot devices: a b",
        "Snapshot list (from a):",
        "ID        TAG                 VM SIZE                DATE       VM CLOCK",
    ]


def test_a_snapshot() -> None:
    assert saved(3 << 20, 1245672000.9, 90061.5) == (
        "1         t                      3.0M 2009-06-22 12:00:00   25:01:01.500"
    )


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0.0K"),
        (1024, "1.0K"),
        (10 << 10, "10K"),
        (999 << 10, "999K"),
        (1000 << 10, "1.0M"),
        (15 << 20, "15M"),
        (1 << 30, "1.0G"),
        (5000 << 30, "5000G"),
    ],
)
def test_sizes(size: int, shown: str) -> None:
    assert saved(size).split()[2] == shown


def test_a_long_tag_is_not_cut() -> None:
    assert saved(tag="x" * 30).startswith("1         " + "x" * 30)


# Mice, VNC, network.


def test_no_mice() -> None:
    assert listing.mice([], None) == ["No mouse devices connected"]


@pytest.mark.parametrize(("current", "signs"), [(None, "  "), (2, "* "), (4, " *"), (9, "  ")])
def test_mice(current: int | None, signs: str) -> None:
    assert listing.mice([(2, "a"), (4, "b")], current) == [
        "Mouse devices available:",
        f"{signs[0]} Mouse #2: a",
        f"{signs[1]} Mouse #4: b",
    ]


def test_no_vnc() -> None:
    assert listing.vnc(None, "", [{"address": "a"}]) == ["Server: disabled"]


def test_vnc_without_clients() -> None:
    assert listing.vnc(("h", "5900"), "none", []) == [
        "Server:", "     address: h:5900", "        auth: none", "Client: none",
    ]  # fmt: skip


def test_vnc_clients() -> None:
    clients = [{"address": "a:1", "x509 dname": "n", "username": "u"}, {"address": "b:2"}]
    assert listing.vnc(("h", "5900"), "vnc", clients)[3:] == [
        "Client:", "     address: a:1", "  x509 dname: n", "    username: u",
        "Client:", "     address: b:2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("vlans", "others", "lines"),
    [
        ([], [], []),
        ([(0, ["  a: "]), (2, [])], [], ["VLAN 0 devices:", "  a: ", "VLAN 2 devices:"]),
        ([], ["  b: "], ["Devices not on any VLAN:", "  b: "]),
        ([(1, [])], ["  b: "], ["VLAN 1 devices:", "Devices not on any VLAN:", "  b: "]),
    ],
)
def test_network(vlans: list[tuple[int, list[str]]], others: list[str], lines: list[str]) -> None:
    assert listing.network(vlans, others) == lines


def test_network_member() -> None:
    assert listing.network_member("user.0", "") == "  user.0: "
    assert listing.network_member("n", "model=e1000") == "  n: model=e1000"
