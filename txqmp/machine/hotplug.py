"""Putting devices into a simulated machine, and taking them out, while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txqmp.errors import CommandFailed
from txqmp.machine.network import NIC_MODELS, options, vlan_number

if TYPE_CHECKING:
    from txqmp.machine.state import Machine

SCSI_UNITS = 7
"""Drives on a SCSI bus."""


def add_nic(machine: Machine, slot: int | None, settings: str) -> int:
    """
    Plug a network card into a PCI slot.

    :param slot: None for any.
    :param settings: as QEMU reads them: ``model=…,vlan=…,macaddr=…``.
    :returns: the slot.
    :raises CommandFailed: the slot is taken, or there is no such card.
    """
    given = options(settings)
    model = given.get("model", "rtl8139")
    slot = machine.pci.free_slot(slot)
    vlan = vlan_number(given.get("vlan", "0"))
    card = machine.network.add_nic(model, vlan, given.get("macaddr"))
    machine.pci.plug(slot, "Ethernet controller", NIC_MODELS[model], card.name)
    return slot


def add_storage(machine: Machine, slot: int | None, settings: str) -> int:
    """
    Plug a SCSI adapter or a virtio disk into a PCI slot.

    :param slot: None for any.
    :param settings: as QEMU reads them: ``if=virtio,file=…,format=…``.
    :returns: the slot.
    :raises CommandFailed: the slot is taken, or there is no such card.
    """
    given = options(settings)
    interface, file = given.get("if"), given.get("file")
    if interface is None:
        raise CommandFailed("no if= specified")
    if interface not in ("scsi", "virtio"):
        raise CommandFailed(f"type {interface} not a hotpluggable PCI device.")
    if interface == "virtio" and not file:
        raise CommandFailed("virtio requires a backing file/device.")
    slot = machine.pci.free_slot(slot)
    parts = {device.part for device in machine.pci}
    part = next(name for name in (f"{interface}{i}" for i in range(99)) if name not in parts)
    ids = "1af4:1001" if interface == "virtio" else "1000:0012"
    if file:
        name = part if interface == "virtio" else f"{part}-hd0"
        machine.drives.attach(name, "hd", file, given.get("format", "raw"))
    machine.pci.plug(slot, "SCSI storage controller", ids, part)
    return slot


def add_drive(machine: Machine, slot: int, settings: str) -> tuple[int, int]:
    """
    Add a drive to the SCSI adapter in a PCI slot.

    :param settings: as QEMU reads them: ``if=scsi,file=…,format=…``.
    :returns: the number of the SCSI bus, and the drive's number on it.
    :raises CommandFailed: that is no SCSI adapter, or it is full.
    """
    given = options(settings)
    if given.get("if") != "scsi":
        raise CommandFailed(f"Can't hot-add drive to type {given.get('if', 'ide')}")
    part = machine.pci.find(slot).part
    if not part.startswith("scsi"):
        raise CommandFailed("Device is not a SCSI adapter")
    for unit in range(SCSI_UNITS):
        name = f"{part}-hd{unit}"
        if name not in machine.drives:
            machine.drives.attach(name, "hd", given.get("file"), given.get("format", "raw"))
            return int(part.removeprefix("scsi")), unit
    raise CommandFailed("the SCSI bus is full")


def remove(machine: Machine, slot: int) -> None:
    """
    Take a card out of a PCI slot, with all that is on it.

    :raises CommandFailed: there is none, or it is part of the board.
    """
    part = machine.pci.unplug(slot).part
    machine.network.remove_nic(part)
    for drive in list(machine.drives):
        if drive.name == part or drive.name.startswith(f"{part}-hd"):
            machine.drives.detach(drive.name)


def add_usb(machine: Machine, name: str) -> None:
    """
    Plug a USB device in.

    :param name: see :meth:`~txqmp.machine.buses.USBBus.add`.
    :raises CommandFailed: no such device, or no port is free.
    """
    device = machine.usb.add(name)
    if device.pointer:
        machine.mice.plug(device.product)


def remove_usb(machine: Machine, address: str) -> None:
    """
    Unplug a USB device.

    :param address: ``<bus>.<address>``.
    :raises CommandFailed: no such device.
    """
    device = machine.usb.remove(address)
    if device.pointer:
        machine.mice.unplug(device.product)
