"""
The network of the simulated machine: VLANs, as QEMU called its hubs, and what is on them.

A host back end is a name and nothing else: no interface, no socket is ever opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from txqmp.errors import CommandFailed

NIC_MODELS = {
    "e1000": "8086:100e",
    "i82551": "8086:1209",
    "i82557b": "8086:1229",
    "i82559er": "8086:1209",
    "ne2k_pci": "10ec:8029",
    "pcnet": "1022:2000",
    "rtl8139": "10ec:8139",
    "virtio": "1af4:1000",
}
"""The network cards that fit into a PCI slot: vendor and device, in hexadecimal."""

_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", re.IGNORECASE)

HOST_MODELS = frozenset("socket tap user vde".split())

MAX_DEVICES = 64
"""Cards and back ends together."""


@dataclass
class NetDevice:
    """
    A card or a back end of the host.

    :ivar name: model and number, ``e1000.0``, unless another was asked for.
    :ivar vlan: the VLAN it is on, or None.
    :ivar nic: whether it is a card.
    :ivar info: its settings, as the monitor shows them.
    :ivar up: the state of its link.
    """

    name: str
    model: str
    vlan: int | None
    nic: bool
    info: str = ""
    up: bool = True


def options(text: str) -> dict[str, str]:
    """Take ``key=value,key=value`` apart; what has no ``=`` is a key with an empty value."""
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {key: value for key, _, value in pairs}


def vlan_number(text: str) -> int:
    """
    Read the number of a VLAN.

    :raises CommandFailed: it is none.
    """
    if not (text.isdecimal() and text.isascii() and len(text) < 6):
        raise CommandFailed(f"invalid vlan '{text}'")
    return int(text)


class Network:
    """All cards and back ends, in the order in which they were added."""

    def __init__(self) -> None:
        self._devices: list[NetDevice] = []
        self._cards = 0
        self._add(NetDevice("user.0", "user", 0, nic=False))
        self.add_nic("ne2k_pci", 0)
        self.add_nic("e1000", None)

    def __iter__(self) -> Iterator[NetDevice]:
        return iter(self._devices)

    def vlans(self) -> dict[int, list[NetDevice]]:
        """What is on each VLAN, by its number."""
        found: dict[int, list[NetDevice]] = {}
        for device in self._devices:
            if device.vlan is not None:
                found.setdefault(device.vlan, []).append(device)
        return dict(sorted(found.items()))

    def set_link(self, name: str, up: bool) -> None:
        """
        Plug a cable in or out.

        :raises CommandFailed: no such device.
        """
        self.find(name).up = up

    def find(self, name: str) -> NetDevice:
        """
        Look a device up.

        :raises CommandFailed: ``could not find network device``.
        """
        for device in self._devices:
            if device.name == name:
                return device
        raise CommandFailed(f"could not find network device '{name}'")

    def add_nic(self, model: str, vlan: int | None, mac: str | None = None) -> NetDevice:
        """
        Add a card.

        :param mac: its address; None to number it.
        :raises CommandFailed: no such model, no such address, or too many devices.
        """
        if model not in NIC_MODELS:
            raise CommandFailed(f"Unsupported NIC: {model}")
        if mac is not None and not _MAC.fullmatch(mac):
            raise CommandFailed("invalid syntax for ethernet address")
        if mac is None:
            mac = f"52:54:00:12:34:{(0x56 + self._cards) & 0xFF:02x}"
        info = f"model={model},macaddr={mac}"
        card = self._add(NetDevice(self._free_name(model), model, vlan, nic=True, info=info))
        self._cards += 1
        return card

    def add_host(self, model: str, settings: str = "") -> NetDevice:
        """
        Add a back end.

        :param settings: as QEMU reads them: ``vlan=1,name=inside,…``.
        :raises CommandFailed: no such model, a name that is taken, or too many devices.
        """
        if model == "dump":
            raise CommandFailed("the simulated machine writes no files")
        if model not in HOST_MODELS:
            raise CommandFailed(f"invalid host network device {model}")
        given = options(settings)
        vlan = vlan_number(given.pop("vlan", "0"))
        name = given.pop("name", "") or self._free_name(model)
        if any(device.name == name for device in self._devices):
            raise CommandFailed(f"adding host network device {model} failed")
        info = ",".join(f"{key}={value}" if value else key for key, value in given.items())
        return self._add(NetDevice(name, model, vlan, nic=False, info=info))

    def remove_host(self, vlan: int, name: str) -> None:
        """
        Remove a back end.

        :raises CommandFailed: no such device on that VLAN, or it is a card.
        """
        for device in self._devices:
            if device.name == name and device.vlan == vlan:
                if device.nic:
                    raise CommandFailed(f"invalid host network device {name}")
                self._devices.remove(device)
                return
        raise CommandFailed(f"can't find device {name}")

    def remove_nic(self, name: str) -> None:
        """Remove a card; nothing happens if there is none of that name."""
        self._devices = [d for d in self._devices if d.name != name or not d.nic]

    def _add(self, device: NetDevice) -> NetDevice:
        if len(self._devices) == MAX_DEVICES:
            raise CommandFailed(f"no more than {MAX_DEVICES} network devices")
        self._devices.append(device)
        return device

    def _free_name(self, model: str) -> str:
        taken = {device.name for device in self._devices}
        return next(n for n in (f"{model}.{i}" for i in range(len(taken) + 1)) if n not in taken)
