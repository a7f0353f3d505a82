"""The commands that concern a device: what is said, and what comes back."""

from __future__ import annotations

import pytest

from tests.machine.conftest import Talk, World


def data(lines: list[str]) -> list[str]:
    """The data of a command that succeeded."""
    assert lines[-1].startswith("+ OK ")
    return [line.removeprefix("= ") for line in lines[:-1]]


# Drives.


def test_change_then_eject(talk: Talk) -> None:
    assert talk.say('change ide1-cd0 "/my disc.iso"') == ["+ OK change completed"]
    assert data(talk.say("info block"))[1] == (
        "ide1-cd0: type=cdrom removable=1 locked=0 file=/my\\ disc.iso ro=1 drv=raw encrypted=0"
    )
    assert talk.say("eject ide1-cd0") == ["+ OK eject completed"]
    assert data(talk.say("info block"))[1].endswith(" locked=0 [not inserted]")


def test_change_to_another_format(talk: Talk) -> None:
    assert talk.say("change floppy0 a.img qcow2") == ["+ OK change completed"]
    assert data(talk.say("info block"))[2] == (
        "floppy0: type=floppy removable=1 locked=0 file=a.img ro=0 drv=qcow2 encrypted=0"
    )


def test_change_to_an_unknown_format_leaves_the_old_medium(talk: Talk) -> None:
    talk.say("change ide1-cd0 old.iso")
    assert talk.say("change ide1-cd0 new.iso zip") == ["- ERR invalid format zip"]
    assert " file=old.iso " in data(talk.say("info block"))[1]


def test_a_locked_tray_opens_by_force_alone(world: World, talk: Talk) -> None:
    talk.say("change ide1-cd0 a.iso")
    world.machine.drives.find("ide1-cd0").locked = True
    assert " locked=1 " in data(talk.say("info block"))[1]
    assert talk.say("eject ide1-cd0") == ["- ERR device is locked"]
    assert talk.say("change ide1-cd0 b.iso") == ["- ERR device is locked"]
    assert talk.say("eject -f ide1-cd0") == ["+ OK eject completed"]


def test_a_reset_unlocks_the_tray(world: World, talk: Talk) -> None:
    talk.say("change ide1-cd0 a.iso")
    world.machine.drives.find("ide1-cd0").locked = True
    talk.say("system_reset")
    assert talk.say("eject ide1-cd0") == ["+ OK eject completed"]


def test_a_disk_goes_by_force_alone(talk: Talk) -> None:
    assert talk.say("eject ide0-hd0") == ["- ERR device is not removable"]
    assert talk.say("change ide0-hd0 b.img") == ["- ERR device is not removable"]
    assert talk.say("eject -f ide0-hd0") == ["+ OK eject completed"]
    assert data(talk.say("info block"))[0] == "ide0-hd0: type=hd removable=0 [not inserted]"
    assert talk.say("change ide0-hd0 b.img raw") == ["+ OK change completed"]


def test_an_empty_drive_can_be_ejected(talk: Talk) -> None:
    assert talk.say("eject floppy0") == ["+ OK eject completed"]


@pytest.mark.parametrize("command", ["eject hdz", "eject -f hdz", "change hdz a", "commit hdz"])
def test_a_drive_that_is_not_there(talk: Talk, command: str) -> None:
    assert talk.say(command) == ["- ERR device not found"]


def test_commit(talk: Talk) -> None:
    assert talk.say("commit all") == ["+ OK commit completed"]
    assert talk.say("commit ide0-hd0") == ["+ OK commit completed"]


# The VNC server.


def test_change_vnc(talk: Talk) -> None:
    assert data(talk.say("info vnc")) == ["Server: disabled"]
    assert talk.say("change vnc localhost:1") == ["+ OK change completed"]
    assert data(talk.say("info vnc")) == [
        "Server:",
        "     address: localhost:5901",
        "        auth: none",
        "Client: none",
    ]
    assert talk.say("change vnc none") == ["+ OK change completed"]
    assert data(talk.say("info vnc")) == ["Server: disabled"]


def test_change_vnc_to_every_interface_with_a_password(talk: Talk) -> None:
    talk.say("change vnc :0,password")
    assert data(talk.say("info vnc"))[1:3] == ["     address: 0.0.0.0:5900", "        auth: vnc"]
    talk.say("change vnc :59635")
    assert data(talk.say("info vnc"))[1:3] == ["     address: 0.0.0.0:65535", "        auth: none"]


@pytest.mark.parametrize("display", ["x", ":", ":59636", "unix:/tmp/x", ":1,tls", "h:1,password,"])
def test_change_vnc_refuses(talk: Talk, display: str) -> None:
    assert talk.say(f"change vnc {display}") == [f"- ERR could not start VNC server on {display}"]


@pytest.mark.parametrize("word", ["password", "passwd"])
def test_change_vnc_password(world: World, talk: Talk, word: str) -> None:
    assert talk.say(f"change vnc {word} secret") == ["- ERR could not set VNC server password"]
    talk.say("change vnc :1,password")
    assert talk.say(f"change vnc {word} longsecret") == ["+ OK change completed"]
    assert world.machine.vnc.password == "longsecr"


def test_rule_19_there_are_no_prompts(talk: Talk) -> None:
    talk.say("change vnc :1,password")
    assert talk.say("change vnc password") == [
        "- ERR a password is required: there are no prompts here"
    ]


def test_acl(talk: Talk) -> None:
    assert data(talk.say("acl_show vnc.username")) == ["policy: deny"]
    assert data(talk.say("acl_add vnc.username bob allow")) == ["acl: added rule at position 1"]
    assert data(talk.say("acl_add vnc.username eve deny 1")) == ["acl: added rule at position 1"]
    assert data(talk.say("acl_add vnc.username * allow 9")) == ["acl: added rule at position 3"]
    assert data(talk.say("acl_policy vnc.username allow")) == ["acl: policy set to 'allow'"]
    assert data(talk.say("acl_show vnc.username")) == [
        "policy: allow",
        "1: deny eve",
        "2: allow bob",
        "3: allow *",
    ]
    assert data(talk.say("acl_remove vnc.username bob")) == ["acl: removed rule at position 2"]
    assert data(talk.say("acl_reset vnc.username")) == ["acl: removed all rules"]
    assert data(talk.say("acl_show vnc.username")) == ["policy: deny"]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("acl_show x", "unknown list 'x'"),
        ("acl_policy x allow", "unknown list 'x'"),
        ("acl_add x bob allow", "unknown list 'x'"),
        ("acl_remove x bob", "unknown list 'x'"),
        ("acl_reset x", "unknown list 'x'"),
        ("acl_policy vnc.username ask", "unknown policy 'ask', expected 'deny' or 'allow'"),
        ("acl_add vnc.username bob ask", "unknown policy 'ask', expected 'deny' or 'allow'"),
        ("acl_add vnc.username bob allow 0", "unable to add acl entry"),
        ("acl_remove vnc.username bob", "no matching acl entry"),
    ],
)
def test_acl_refuses(talk: Talk, command: str, reason: str) -> None:
    assert talk.say(command) == [f"- ERR acl: {reason}"]


def test_an_access_list_has_an_end(talk: Talk) -> None:
    talk.say(*["acl_add vnc.username bob allow"] * 100)
    assert talk.say("acl_add vnc.username bob allow") == ["- ERR acl: unable to add acl entry"]


# Network.


def test_set_link(talk: Talk) -> None:
    assert talk.say("set_link ne2k_pci.0 down", "set_link user.0 down") == [
        "+ OK set_link completed",
        "+ OK set_link completed",
    ]
    assert data(talk.say("info network")) == [
        "VLAN 0 devices:",
        "  user.0: link=down",
        "  ne2k_pci.0: model=ne2k_pci,macaddr=52:54:00:12:34:56,link=down",
    ]
    assert talk.say("set_link user.0 up") == ["+ OK set_link completed"]
    assert data(talk.say("info network"))[1] == "  user.0: "


def test_set_link_of_the_card_on_no_vlan(talk: Talk) -> None:
    assert talk.say("set_link e1000.0 down") == ["+ OK set_link completed"]
    assert data(talk.say("info network"))[3:] == [
        "Devices not on any VLAN:",
        "  e1000.0: model=e1000,macaddr=52:54:00:12:34:57,link=down",
    ]
    assert talk.say("set_link e1000.0 up") == ["+ OK set_link completed"]
    assert len(data(talk.say("info network"))) == 3


def test_set_link_refuses(talk: Talk) -> None:
    assert talk.say("set_link e1000.0 sideways") == [
        "- ERR invalid link status 'sideways'; only 'up' or 'down' valid"
    ]
    assert talk.say("set_link foo sideways") == ["- ERR could not find network device 'foo'"]


def test_host_net_add_and_remove(talk: Talk) -> None:
    assert talk.say("host_net_add tap vlan=1,ifname=tap3") == ["+ OK host_net_add completed"]
    assert talk.say("host_net_add user") == ["+ OK host_net_add completed"]
    assert talk.say("host_net_add socket name=s,listen") == ["+ OK host_net_add completed"]
    assert data(talk.say("info network")) == [
        "VLAN 0 devices:",
        "  user.0: ",
        "  ne2k_pci.0: model=ne2k_pci,macaddr=52:54:00:12:34:56",
        "  user.1: ",
        "  s: listen",
        "VLAN 1 devices:",
        "  tap.0: ifname=tap3",
    ]
    assert talk.say("host_net_remove 0 user.1") == ["+ OK host_net_remove completed"]
    assert talk.say("host_net_remove 1 tap.0") == ["+ OK host_net_remove completed"]
    assert data(talk.say("info network"))[3:] == ["  s: listen"]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("host_net_add pigeon", "invalid host network device pigeon"),
        ("host_net_add user name=user.0", "adding host network device user failed"),
        ("host_net_add user vlan=one", "invalid vlan 'one'"),
        ("host_net_add user vlan=123456", "invalid vlan '123456'"),
        ("host_net_remove 0 user.1", "can't find device user.1"),
        ("host_net_remove 1 user.0", "can't find device user.0"),
        ("host_net_remove 0 ne2k_pci.0", "invalid host network device ne2k_pci.0"),
    ],
)
def test_host_net_refuses(talk: Talk, command: str, reason: str) -> None:
    assert talk.say(command) == [f"- ERR {reason}"]


def test_a_network_has_an_end(talk: Talk) -> None:
    assert talk.say(*["host_net_add user"] * 61)[-1] == "+ OK host_net_add completed"
    assert talk.say("host_net_add user") == ["- ERR no more than 64 network devices"]


# PCI.


def test_pci_add_nic(talk: Talk) -> None:
    assert data(talk.say("pci_add auto nic model=e1000,vlan=2")) == [
        "OK domain 0, bus 0, slot 6, function 0"
    ]
    assert data(talk.say("info network"))[3:] == [
        "VLAN 2 devices:",
        "  e1000.1: model=e1000,macaddr=52:54:00:12:34:58",
    ]
    assert data(talk.say("info pci"))[-2:] == [
        "  Bus  0, device   6, function 0:",
        "    Ethernet controller: PCI device 8086:100e",
    ]
    assert talk.say("pci_del 6") == ["+ OK pci_del completed"]
    assert len(data(talk.say("info network"))) == 3
    assert talk.say("pci_del 6") == ["- ERR slot 6 empty"]


def test_pci_add_nic_as_it_comes(talk: Talk) -> None:
    talk.say("pci_add pci_addr=0:0:1f nic", "pci_add 8 nic macaddr=02:00:00:00:00:01")
    assert data(talk.say("info network"))[3:] == [
        "  rtl8139.0: model=rtl8139,macaddr=52:54:00:12:34:58",
        "  rtl8139.1: model=rtl8139,macaddr=02:00:00:00:00:01",
    ]
    assert data(talk.say("info pci"))[-2] == "  Bus  0, device  31, function 0:"


def test_pci_add_virtio_storage(talk: Talk) -> None:
    assert data(talk.say("pci_add auto storage if=virtio,file=v.img,format=qcow2")) == [
        "OK domain 0, bus 0, slot 6, function 0"
    ]
    assert data(talk.say("info block"))[3:] == [
        "virtio0: type=hd removable=0 file=v.img ro=0 drv=qcow2 encrypted=0"
    ]
    talk.say("pci_add auto storage if=virtio,file=w.img", "pci_del 6")
    assert [line.split(":")[0] for line in data(talk.say("info block"))[3:]] == ["virtio1"]


def test_storage_cards_call_themselves_what_they_are(talk: Talk) -> None:
    talk.say("pci_add 6 storage if=virtio,file=v.img", "pci_add 7 storage if=scsi")
    assert data(talk.say("info pci"))[-4:] == [
        "  Bus  0, device   6, function 0:",
        "    SCSI storage controller: PCI device 1af4:1001",
        "  Bus  0, device   7, function 0:",
        "    SCSI storage controller: PCI device 1000:0012",
    ]


def test_scsi_drives_live_on_their_adapter(talk: Talk) -> None:
    talk.say("pci_add 9 storage if=scsi,file=a.img", "pci_add 0xa storage if=scsi")
    assert data(talk.say("drive_add 9 if=scsi,file=b.img")) == ["OK bus 0, unit 1"]
    assert talk.say("pci_add a storage if=scsi")[-1] == "+ OK pci_add completed"
    assert data(talk.say("drive_add 0:a if=scsi,file=c.img")) == ["OK bus 1, unit 0"]
    names = [line.split(":")[0] for line in data(talk.say("info block"))[3:]]
    assert names == ["scsi0-hd0", "scsi0-hd1", "scsi1-hd0"]
    talk.say("pci_del 9")
    assert [line.split(":")[0] for line in data(talk.say("info block"))[3:]] == ["scsi1-hd0"]


def test_a_scsi_bus_has_an_end(talk: Talk) -> None:
    talk.say("pci_add 9 storage if=scsi", *["drive_add 9 if=scsi,file=a"] * 7)
    assert talk.say("drive_add 9 if=scsi,file=a") == ["- ERR the SCSI bus is full"]


def test_a_pci_bus_has_an_end(talk: Talk) -> None:
    assert talk.say(*["pci_add auto storage if=scsi"] * 26)[-1] == "+ OK pci_add completed"
    assert talk.say("pci_add auto storage if=scsi") == ["- ERR no free slot"]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("pci_add auto toaster", "invalid type: toaster"),
        ("pci_add 3 nic", "slot 3 is in use"),
        ("pci_add 20 nic", "Invalid pci address"),
        ("pci_add 1:3 nic", "Invalid pci address"),
        ("pci_add 1:0:3 nic", "Invalid pci address"),
        ("pci_add x nic", "Invalid pci address"),
        ("pci_add auto nic model=tin", "Unsupported NIC: tin"),
        ("pci_add auto nic vlan=-1", "invalid vlan '-1'"),
        ("pci_add auto nic macaddr=52:54", "invalid syntax for ethernet address"),
        ("pci_add auto storage", "no if= specified"),
        ("pci_add auto storage if=ide", "type ide not a hotpluggable PCI device."),
        ("pci_add auto storage if=virtio", "virtio requires a backing file/device."),
        ("pci_add auto storage if=virtio,file=a,format=zip", "invalid format zip"),
        ("pci_add auto storage if=scsi,file=a,format=zip", "invalid format zip"),
        ("pci_del 2", "slot 2 cannot be emptied"),
        ("pci_del auto", "Invalid pci address"),
        ("drive_add 3 if=scsi,file=a", "Device is not a SCSI adapter"),
        ("drive_add 9 if=scsi,file=a", "slot 9 empty"),
        ("drive_add 3 file=a", "Can't hot-add drive to type ide"),
        ("drive_add auto if=scsi,file=a", "Invalid pci address"),
    ],
)
def test_pci_refuses_and_changes_nothing(talk: Talk, command: str, reason: str) -> None:
    before = talk.say("info pci", "info network", "info block")
    assert talk.say(command) == [f"- ERR {reason}"]
    assert talk.say("info pci", "info network", "info block") == before


# USB.


def test_usb_add_and_del(talk: Talk) -> None:
    assert data(talk.say("info usb")) == []
    assert talk.say("usb_add mouse", "usb_add disk:stick.img", "usb_add keyboard") == (
        ["+ OK usb_add completed"] * 3
    )
    assert data(talk.say("info usb")) == [
        "  Device 0.1, Speed 12 Mb/s, Product QEMU USB Mouse",
        "  Device 0.2, Speed 12 Mb/s, Product QEMU USB MSD(stick.img)",
        "  Device 0.3, Speed 12 Mb/s, Product QEMU USB Keyboard",
    ]
    assert len(data(talk.say("info mice"))) == 3
    assert talk.say("usb_del 0.1") == ["+ OK usb_del completed"]
    assert len(data(talk.say("info mice"))) == 2
    assert data(talk.say("info usb"))[0].startswith("  Device 0.2,")


def test_the_current_mouse_is_unplugged(talk: Talk) -> None:
    talk.say("usb_add mouse", "usb_add tablet", "mouse_set 2", "usb_del 0.1")
    assert data(talk.say("info mice"))[1:] == [
        "  Mouse #0: QEMU PS/2 Mouse",
        "* Mouse #1: QEMU USB Tablet",
    ]
    talk.say("usb_del 0.2")
    assert data(talk.say("info mice"))[1:] == ["* Mouse #0: QEMU PS/2 Mouse"]


@pytest.mark.parametrize("name", ["toaster", "disk:", "host:1.2", "mouse:1"])
def test_usb_add_refuses(talk: Talk, name: str) -> None:
    assert talk.say(f"usb_add {name}") == [f"- ERR Could not add USB device '{name}'"]


def test_usb_del_refuses(talk: Talk) -> None:
    assert talk.say("usb_del 0.1") == ["- ERR Could not remove USB device '0.1'"]


def test_a_usb_bus_has_an_end(talk: Talk) -> None:
    assert talk.say(*["usb_add keyboard"] * 8)[-1] == "+ OK usb_add completed"
    assert talk.say("usb_add keyboard") == ["- ERR Could not add USB device 'keyboard'"]
