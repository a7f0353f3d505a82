"""Commands that QEMU has given up, by what has come after them."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.gateway.fake import Exchange, Gateway, dialogue, human, no, not_found
from txqmp.gateway import successors


@pytest.fixture(autouse=True)
def known_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(successors, "token_hex", lambda size: "0a0b")


def usb(driver: str, **more: str) -> Exchange:
    return "device_add", {"id": "usb-0a0b", "driver": driver, **more}, {}


def add_drive(options: str, printed: str = "OK\r\n") -> Exchange:
    return human(f"drive_add 0 if=none,id=drive-0a0b,{options}", printed)


def netdev(kind: str, name: str, **more: Any) -> Exchange:
    return "netdev_add", {"type": kind, "id": name, **more}, {}


def port(name: str, hub: int = 0) -> Exchange:
    return netdev("hubport", f"{name}-port", hubid=hub, netdev=name)


def pci(*devices: tuple[str, int]) -> Exchange:
    found = [{"qdev_id": name, "bus": 0, "slot": slot, "function": 0} for name, slot in devices]
    behind = {"qdev_id": "nic-0a0b", "bus": 1, "slot": 9, "function": 0}
    buses = [{"bus": 0, "devices": found}, {"bus": 1, "devices": [behind]}]
    return "query-pci", None, buses


def failing(exchange: Exchange, error: Exception) -> Exchange:
    return exchange[0], exchange[1], error


USB: Exchange = human("info usb", "  Device 0.1, Port 1, Speed 12 Mb/s, Product M, ID: m\r\n"
                      "  Device 0.2, Port 2, Speed 12 Mb/s, Product QEMU Tablet\r\n"
                      "  Device 0.3, Port 3, Speed 12 Mb/s, Product A, B, ID: k\r\n"
                      "  Device 0.0, Port 4, Speed 480 Mb/s, Product C, ID: c\r\n"
                      "  Device 0.0, Port 5, Speed 480 Mb/s, Product D, ID: d\r\n")  # fmt: skip
HUB_PORT: Exchange = ("netdev_add", {"type": "hubport", "id": "nic-0a0b-port", "hubid": 0}, {})
CARD = {"driver": "rtl8139", "id": "nic-0a0b", "netdev": "nic-0a0b-port"}

GOOD: list[tuple[str, list[Exchange], list[str]]] = [
    ("usb_add mouse", [usb("usb-mouse")], []),
    ("usb_add tablet", [usb("usb-tablet")], []),
    ("usb_add keyboard", [usb("usb-kbd")], []),
    ("usb_add wacom-tablet", [usb("usb-wacom-tablet")], []),
    ("usb_add host:1.2", [usb("usb-host", hostbus="1", hostaddr="2")], []),
    ("usb_add host:46f4:1", [usb("usb-host", vendorid="0x46f4", productid="0x1")], []),
    ("usb_add disk:/a", [add_drive("file=/a"), usb("usb-storage", drive="drive-0a0b")], []),
    ("usb_add disk:format=raw:/a",
     [add_drive("file=/a,format=raw"), usb("usb-storage", drive="drive-0a0b")], []),
    ("usb_add disk:/a,b", [add_drive("file=/a,,b"), usb("usb-storage", drive="drive-0a0b")], []),
    ("usb_del 0.1", [USB, ("device_del", {"id": "m"}, {})], []),
    ("usb_del 0.3", [USB, ("device_del", {"id": "k"}, {})], []),
    ("pci_add auto nic", [HUB_PORT, ("device_add", CARD, {}), pci(("a", 1), ("nic-0a0b", 4))],
     ["OK domain 0, bus 0, slot 4, function 0"]),
    ("pci_add 0:1f nic model=e1000,macaddr=52:54:0:0:0:1,vlan=3,name=n", [
        ("netdev_add", {"type": "hubport", "id": "n-port", "hubid": 3}, {}),
        ("device_add", {"addr": "0x1f", "driver": "e1000", "id": "n", "mac": "52:54:0:0:0:1",
                        "netdev": "n-port"}, {}),
        pci(("n", 31)),
     ], ["OK domain 0, bus 0, slot 31, function 0"]),
    ("pci_add auto nic model=virtio", [
        HUB_PORT, ("device_add", {**CARD, "driver": "virtio-net-pci"}, {}), pci()], []),
    ("pci_add 0:0:5 storage file=/a,if=virtio", [
        add_drive("file=/a"),
        ("device_add", {"addr": "0x5", "driver": "virtio-blk-pci", "drive": "drive-0a0b",
                        "id": "disk-0a0b"}, {}),
        pci(("disk-0a0b", 5)),
     ], ["OK domain 0, bus 0, slot 5, function 0"]),
    ("pci_add auto storage file=/a", [
        add_drive("file=/a"),
        ("device_add", {"driver": "lsi53c895a", "id": "disk-0a0b"}, {}),
        ("device_add", {"driver": "scsi-hd", "bus": "disk-0a0b.0", "drive": "drive-0a0b"}, {}),
        pci(("disk-0a0b", 3))], ["OK domain 0, bus 0, slot 3, function 0"]),
    ("pci_add auto storage if=scsi", [
        ("device_add", {"driver": "lsi53c895a", "id": "disk-0a0b"}, {}), pci()], []),
    ("pci_del 4", [pci(("a", 1), ("n", 4)), ("device_del", {"id": "n"}, {})], []),
    ("pci_del 0:1f", [pci(("n", 31)), ("device_del", {"id": "n"}, {})], []),
    ("host_net_add user", [netdev("user", "user.0"), port("user.0")], []),
    ("host_net_add tap vlan=2,name=t,ifname=tap0,script=no", [
        netdev("tap", "t", ifname="tap0", script="no"), port("t", 2)], []),
    ("host_net_add user name=u,restrict=on,hostfwd=tcp::1-:2", [
        netdev("user", "u", restrict=True, hostfwd=[{"str": "tcp::1-:2"}]), port("u")], []),
    ("host_net_add user name=u,restrict=n", [netdev("user", "u", restrict=False), port("u")], []),
    ("host_net_add tap name=t,sndbuf=7", [netdev("tap", "t", sndbuf=7), port("t")], []),
    ("host_net_add user", [
        failing(netdev("user", "user.0"), no("Duplicate ID 'user.0' for netdev")),
        netdev("user", "user.1"), port("user.1")], []),
    ("host_net_remove 0 u", [
        ("netdev_del", {"id": "u"}, {}), ("netdev_del", {"id": "u-port"}, {})], []),
    ("host_net_remove 0 u", [
        ("netdev_del", {"id": "u"}, {}),
        ("netdev_del", {"id": "u-port"}, not_found("u-port"))], []),
    ("hostfwd_add tcp::1-:2", [human("hostfwd_add tcp::1-:2")], []),
    ("hostfwd_add u tcp::1-:2", [human("hostfwd_add u tcp::1-:2")], []),
    ("hostfwd_add 0 u tcp::1-:2", [human("hostfwd_add u tcp::1-:2")], []),
    ('hostfwd_add 0 "a b" tcp::1-:2', [human('hostfwd_add "a b" tcp::1-:2')], []),
    ("hostfwd_remove tcp::1",
     [human("hostfwd_remove tcp::1", "host forwarding rule for tcp::1 removed\r\n")],
     ["host forwarding rule for tcp::1 removed"]),
    ("hostfwd_remove 0 u tcp::1", [human("hostfwd_remove u tcp::1")], []),
    ("host_net_redir tcp:5022::22", [human("hostfwd_add tcp::5022-:22")], []),
    ("host_net_redir udp:1:10.0.2.9:2", [human("hostfwd_add udp::1-10.0.2.9:2")], []),
    ("host_net_redir remove tcp:5022", [human("hostfwd_remove tcp::5022")], []),
    ("info slirp", [human("info usernet", "Hub 0 (user.0):\r\n")], ["Hub 0 (user.0):"]),
]  # fmt: skip


@pytest.mark.parametrize(("line", "script", "lines"), GOOD)
def test_what_is_asked(line: str, script: list[Exchange], lines: list[str]) -> None:
    name = line if line.startswith("info ") else line.split()[0]
    assert dialogue(line, *script) == [*(f"= {text}" for text in lines), f"+ OK {name} completed"]


BAD: list[tuple[str, list[Exchange], str]] = [
    ("usb_add foo", [], "could not add USB device 'foo'"),
    ("usb_add host:foo", [], "could not add USB device 'host:foo'"),
    ("usb_add disk:", [], "could not add USB device 'disk:'"),
    ("usb_add", [], "usb_add: string expected"),
    ("usb_add mouse", [failing(usb("usb-mouse"), no("No 'usb-bus' bus found"))],
     "No 'usb-bus' bus found"),
    ("usb_add disk:/a", [add_drive("file=/a", "Could not open '/a'\r\n")], "Could not open '/a'"),
    ("usb_del 0.9", [USB], "could not remove USB device '0.9'"),
    ("usb_del foo", [USB], "could not remove USB device 'foo'"),
    ("usb_del 0.2", [USB], "the device at 0.2 has no id: device_del cannot remove it"),
    ("usb_del 0.0", [USB], "2 devices are at 0.0: use device_del and an id"),
    ("pci_add foo nic", [], "invalid pci address foo"),
    ("pci_add 1:3 nic", [], "1:3: only bus 0 can be named"),
    ("pci_add auto foo", [], "invalid type: foo"),
    ("pci_add auto nic vlan=x", [], "invalid VLAN 'x'"),
    ("pci_add auto nic foo=1", [], "unknown option 'foo'"),
    ("pci_add auto nic foo", [], "invalid parameter 'foo'"),
    ("pci_add auto nic", [
        HUB_PORT, ("device_add", CARD, no("no slot is free")),
        ("netdev_del", {"id": "nic-0a0b-port"}, {})], "no slot is free"),
    ("pci_add auto storage file=/a,if=ide", [], "type ide not a hotpluggable PCI device"),
    ("pci_add auto storage if=virtio", [], "no file was given: file=…"),
    ("pci_del 4", [pci(("a", 1))], "slot 4 empty"),
    ("pci_del 9", [pci(("a", 1))], "slot 9 empty"),
    ("pci_del 1", [pci(("", 1))], "the device at slot 1 has no id: device_del cannot remove it"),
    ("pci_del auto", [], "invalid pci address auto"),
    ("host_net_add dump", [], "invalid host network device dump"),
    ("host_net_add user vlan=x", [], "invalid VLAN 'x'"),
    ("host_net_add user restrict=maybe", [], "restrict is 'on' or 'off', not 'maybe'"),
    ("host_net_add tap sndbuf=big", [], "sndbuf is a number, not 'big'"),
    ("host_net_add user name=u", [failing(netdev("user", "u"), no("Duplicate ID 'u'"))],
     "Duplicate ID 'u'"),
    ("host_net_add user name=u", [
        netdev("user", "u"), failing(port("u"), no("no hub")), ("netdev_del", {"id": "u"}, {})],
     "no hub"),
    ("host_net_remove 0 u", [
        ("netdev_del", {"id": "u"}, not_found("u"))], "can't find device u"),
    ("host_net_add user type=tap", [], "unknown option 'type'"),
    ("host_net_remove 0 u", [("netdev_del", {"id": "u"}, no("monitor is gone"))],
     "monitor is gone"),
    ("host_net_remove u", [], "host_net_remove: integer expected, not 'u'"),
    ("hostfwd_add u tcp::1-:2",
     [human("hostfwd_add u tcp::1-:2", "unrecognized netdev id 'u'\r\n")],
     "unrecognized netdev id 'u'"),
    ("hostfwd_add", [], "hostfwd_add: string expected"),
    ("hostfwd_remove tcp::1",
     [human("hostfwd_remove tcp::1", "host forwarding rule for tcp::1 not found\r\n")],
     "host forwarding rule for tcp::1 not found"),
    ("host_net_redir foo", [], "invalid redirection foo"),
    ("host_net_redir tcp:1:2", [], "invalid redirection tcp:1:2"),
    ("host_net_redir remove tcp:1:2", [], "invalid redirection remove tcp:1:2"),
    ("host_net_redir add tcp:1", [], "invalid redirection add tcp:1"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "script", "reason"), BAD)
def test_what_is_an_error(line: str, script: list[Exchange], reason: str) -> None:
    shown = reason.replace("…", "\\u2026")
    assert dialogue(line, *script) == [f"- ERR {shown}"]


# What a command that fails leaves behind.


VIRTIO: Exchange = (
    "device_add",
    {"driver": "virtio-blk-pci", "drive": "drive-0a0b", "id": "disk-0a0b"},
    {},
)
CONTROLLER: Exchange = ("device_add", {"driver": "lsi53c895a", "id": "disk-0a0b"}, {})
DISK: Exchange = (
    "device_add",
    {"driver": "scsi-hd", "bus": "disk-0a0b.0", "drive": "drive-0a0b"},
    {},
)
NO_DRIVE = human("drive_del drive-0a0b")
NO_CONTROLLER: Exchange = ("device_del", {"id": "disk-0a0b"}, {})

TAKEN_BACK: list[tuple[str, list[Exchange]]] = [
    ("usb_add disk:/a", [
        add_drive("file=/a"), failing(usb("usb-storage", drive="drive-0a0b"), no("no bus")),
        NO_DRIVE]),
    ("pci_add auto storage file=/a,if=virtio", [
        add_drive("file=/a"), failing(VIRTIO, no("no bus")), NO_DRIVE]),
    ("pci_add auto storage file=/a", [
        add_drive("file=/a"), failing(CONTROLLER, no("no bus")), NO_DRIVE]),
    ("pci_add auto storage file=/a", [
        add_drive("file=/a"), CONTROLLER, failing(DISK, no("no bus")), NO_CONTROLLER, NO_DRIVE]),
    ("pci_add auto storage file=/a", [add_drive("file=/a", "no bus\r\n")]),
]  # fmt: skip


@pytest.mark.parametrize(("line", "script"), TAKEN_BACK)
def test_what_was_half_done_is_taken_back(line: str, script: list[Exchange]) -> None:
    assert dialogue(line, *script) == ["- ERR no bus"]


@pytest.mark.parametrize(
    ("line", "script"),
    [
        ("host_net_add user name=u", [
            netdev("user", "u"), failing(port("u"), no("no hub")),
            ("netdev_del", {"id": "u"}, no("nor can it be removed"))]),
        ("pci_add auto nic", [
            HUB_PORT, ("device_add", CARD, no("no hub")),
            ("netdev_del", {"id": "nic-0a0b-port"}, no("nor can it be removed"))]),
    ],
)  # fmt: skip
def test_the_first_error_is_told(line: str, script: list[Exchange]) -> None:
    assert dialogue(line, *script) == ["- ERR no hub"]


def test_it_is_taken_back_even_if_nobody_waits_any_more() -> None:
    command, arguments, _ = usb("usb-storage", drive="drive-0a0b")
    adding: Deferred[Any] = Deferred()
    gateway = Gateway(add_drive("file=/a"), (command, arguments, adding), NO_DRIVE)
    gateway.says("usb_add disk:/a")
    gateway.hangs_up()
    if not adding.called:
        adding.errback(no("no bus"))
    assert gateway.has_kept_to_the_script()


def test_an_option_that_is_a_list_may_come_twice() -> None:
    both = [{"str": "tcp::1-:2"}, {"str": "tcp::3-:4"}]
    line = "host_net_add user name=u,hostfwd=tcp::1-:2,hostfwd=tcp::3-:4"
    assert dialogue(line, netdev("user", "u", hostfwd=both), port("u")) == [
        "+ OK host_net_add completed"
    ]


# Without the human monitor.


@pytest.mark.parametrize(
    "line",
    [
        "usb_add disk:/a",
        "usb_del 0.1",
        "hostfwd_add tcp::1-:2",
        "hostfwd_remove tcp::1",
        "host_net_redir tcp:1::2",
        "info slirp",
        "pci_add auto storage file=/a,if=virtio",
    ],
)
def test_what_needs_it_is_unknown(line: str) -> None:
    assert dialogue(line, human=False) == ["- BAD unknown command"]


def test_an_unknown_command_does_nothing() -> None:
    gateway = Gateway(("device_add", {"driver": "lsi53c895a", "id": "disk-0a0b"}, {}), human=False)
    assert gateway.asks("pci_add auto storage file=/a") == ["- BAD unknown command"]
    assert gateway.upstream.asked == []


@pytest.mark.parametrize("line", ["usb_add mouse", "pci_add auto nic model=rtl8139"])
def test_what_does_not_need_it_is_not(line: str) -> None:
    script = [usb("usb-mouse"), HUB_PORT, ("device_add", CARD, {}), pci()]
    (said,) = Gateway(*script, human=False).asks(line)
    assert said == f"+ OK {line.split()[0]} completed"
