"""What can be plugged into the simulated machine while it runs: PCI cards and USB devices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from txqmp.errors import CommandFailed

_ADDRESS = re.compile(r"(?:(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):)?([0-9a-f]{1,2})", re.IGNORECASE)

SLOTS = 32
"""Slots of a PCI bus."""

USB_PORTS = 8

_USB = {
    "mouse": "QEMU USB Mouse",
    "tablet": "QEMU USB Tablet",
    "keyboard": "QEMU USB Keyboard",
    "wacom-tablet": "QEMU PenPartner Tablet",
}


def slot_number(address: str) -> int | None:
    """
    Read a PCI address, ``[[<domain>:]<bus>:]<slot>`` in hexadecimal, or ``auto``.

    :returns: the slot; None for ``auto``.
    :raises CommandFailed: no such address: there is one bus, in one domain.
    """
    if address == "auto":
        return None
    match = _ADDRESS.fullmatch(address)
    if match is None or any(int(part or "0", 16) for part in match.groups()[:2]):
        raise CommandFailed("Invalid pci address")
    slot = int(match[3], 16)
    if slot >= SLOTS:
        raise CommandFailed("Invalid pci address")
    return slot


@dataclass(frozen=True)
class PCIDevice:
    """
    One function of a PCI card.

    :ivar what: its class in words.
    :ivar ids: vendor and device, in hexadecimal.
    :ivar part: what is on the card: a network device, a drive, or a bus such as ``scsi0``, to
        which the drives ``scsi0-hd0``, ``scsi0-hd1``… belong.
    """

    slot: int
    function: int
    what: str
    ids: str
    part: str = ""


_BOARD = (
    PCIDevice(0, 0, "Host bridge", "8086:1237"),
    PCIDevice(1, 0, "ISA bridge", "8086:7000"),
    PCIDevice(1, 1, "IDE controller", "8086:7010"),
    PCIDevice(1, 2, "USB controller", "8086:7020"),
    PCIDevice(1, 3, "Bridge", "8086:7113"),
    PCIDevice(2, 0, "VGA controller", "1013:00b8"),
    PCIDevice(5, 0, "RAM controller", "1af4:1002"),
)


class PCIBus:
    """The one PCI bus: the board's own devices, and the cards in its slots."""

    def __init__(self) -> None:
        self._devices = list(_BOARD)

    def __iter__(self) -> Iterator[PCIDevice]:
        return iter(sorted(self._devices, key=lambda d: (d.slot, d.function)))

    def find(self, slot: int) -> PCIDevice:
        """
        Look up what is in a slot.

        :raises CommandFailed: nothing is.
        """
        for device in self:
            if device.slot == slot:
                return device
        raise CommandFailed(f"slot {slot} empty")

    def free_slot(self, wanted: int | None) -> int:
        """
        Choose a slot for a new card.

        :param wanted: None for any.
        :raises CommandFailed: it is taken, or all are.
        """
        taken = {device.slot for device in self._devices}
        for slot in range(SLOTS) if wanted is None else (wanted,):
            if slot not in taken:
                return slot
        raise CommandFailed("no free slot" if wanted is None else f"slot {wanted} is in use")

    def plug(self, slot: int, what: str, ids: str, part: str = "") -> None:
        """Put a card into a free slot."""
        self._devices.append(PCIDevice(slot, 0, what, ids, part))

    def unplug(self, slot: int) -> PCIDevice:
        """
        Take a card out.

        :raises CommandFailed: there is none, or it is part of the board.
        """
        device = self.find(slot)
        if device in _BOARD:
            raise CommandFailed(f"slot {slot} cannot be emptied")
        self._devices.remove(device)
        return device


@dataclass(frozen=True)
class USBDevice:
    """
    A device on the USB bus.

    :ivar address: its number on the bus.
    :ivar name: as it was asked for: ``tablet``.
    :ivar product: as it calls itself.
    """

    address: int
    name: str
    product: str

    @property
    def pointer(self) -> bool:
        """Whether it moves the mouse pointer."""
        return self.name in ("mouse", "tablet", "wacom-tablet")


class USBBus:
    """The one USB bus; what would be a device of the host cannot be added."""

    def __init__(self) -> None:
        self._devices: list[USBDevice] = []
        self._last = 0

    def __iter__(self) -> Iterator[USBDevice]:
        return iter(self._devices)

    def add(self, name: str) -> USBDevice:
        """
        Plug a device in.

        :param name: ``mouse``, ``tablet``, ``keyboard``, ``wacom-tablet`` or ``disk:<file>``.
        :raises CommandFailed: no such device here, or no port is free.
        """
        kind, _, file = name.partition(":")
        product = f"QEMU USB MSD({file})" if kind == "disk" and file else _USB.get(name)
        if product is None or len(self._devices) == USB_PORTS:
            raise CommandFailed(f"Could not add USB device '{name}'")
        self._last += 1
        device = USBDevice(self._last, name, product)
        self._devices.append(device)
        return device

    def remove(self, address: str) -> USBDevice:
        """
        Unplug a device.

        :param address: ``<bus>.<address>``.
        :raises CommandFailed: no such device.
        """
        for device in self._devices:
            if address == f"0.{device.address}":
                self._devices.remove(device)
                return device
        raise CommandFailed(f"Could not remove USB device '{address}'")
