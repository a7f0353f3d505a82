"""
The ``info`` sub-commands of the simulated machine's text monitor, as QEMU 0.10.50 printed them.

Each gets the machine and the :class:`~txqmp.text.server.Request`, and returns its lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from txqmp.machine.commands import CPU
from txqmp.machine.drives import Drive
from txqmp.machine.network import NetDevice
from txqmp.machine.state import Machine
from txqmp.text import listing

if TYPE_CHECKING:
    from collections.abc import Callable

    from txqmp.text.server import Request

QEMU_VERSION = "0.10.50"

_CONNECTIONS = "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ"


def fixed(*lines: str) -> Callable[[Machine, Request], list[str]]:
    """Make a sub-command that always prints the same."""
    return lambda machine, request: list(lines)


# The machine.


def name(machine: Machine, request: Request) -> list[str]:
    """``info name``: no line if it has none (rule 23)"""
    return [] if machine.name is None else [machine.name]


def uuid(machine: Machine, request: Request) -> list[str]:
    """``info uuid``"""
    return [machine.uuid]


def status(machine: Machine, request: Request) -> list[str]:
    """``info status``"""
    return [listing.status(machine.running, machine.singlestep)]


def cpus(machine: Machine, request: Request) -> list[str]:
    """``info cpus``, with a star at the CPU of this connection (rule 21)"""
    chosen = request.state.get(CPU, 0)
    return [
        listing.cpu(
            index,
            machine.program_counter(index),
            chosen=index == chosen,
            halted=machine.halted(index),
        )
        for index in range(machine.cpus)
    ]


def balloon(machine: Machine, request: Request) -> list[str]:
    """``info balloon``"""
    return [f"balloon: actual={machine.balloon}"]


def migrate(machine: Machine, request: Request) -> list[str]:
    """``info migrate``: no line before the first migration"""
    state = machine.migration.status
    return [] if state is None else [f"Migration status: {state}"]


# Drives and snapshots.


def _block(drive: Drive) -> str:
    medium = None
    if drive.file is not None:
        medium = listing.Medium(drive.file, drive.format, drive.read_only)
    return listing.drive(
        drive.name, drive.kind, removable=drive.removable, locked=drive.locked, medium=medium
    )


def block(machine: Machine, request: Request) -> list[str]:
    """``info block``"""
    return [_block(drive) for drive in machine.drives]


def blockstats(machine: Machine, request: Request) -> list[str]:
    """``info blockstats``"""
    return [
        listing.drive_counters(
            drive.name, zip(drive.statistics._fields, drive.statistics, strict=True)
        )
        for drive in machine.drives
    ]


def snapshots(machine: Machine, request: Request) -> list[str]:
    """``info snapshots``; dates are UTC"""
    drives = [drive.name for drive in machine.drives.with_snapshots()]
    states = [listing.SavedState(s.id, s.tag, s.size, s.date, s.clock) for s in machine.snapshots]
    return listing.snapshots(drives, states)


# Devices.


def _net_device(device: NetDevice) -> str:
    settings = [device.info] if device.info else []
    if not device.up:
        settings.append("link=down")
    return listing.network_member(device.name, ",".join(settings))


def network(machine: Machine, request: Request) -> list[str]:
    """
    ``info network``

    QEMU 0.10.50 did not show links; here one that is down adds ``link=down``, and brings a card
    that is on no VLAN into the list.
    """
    vlans = [
        (number, [_net_device(device) for device in members])
        for number, members in machine.network.vlans().items()
    ]
    unplugged = [_net_device(d) for d in machine.network if d.vlan is None and not d.up]
    return listing.network(vlans, unplugged)


def usernet(machine: Machine, request: Request) -> list[str]:
    """``info usernet``: nobody is ever connected"""
    lines = []
    for device in machine.network:
        if device.model == "user":
            lines += [f"VLAN {device.vlan} ({device.name}):", _CONNECTIONS]
    return lines


def pci(machine: Machine, request: Request) -> list[str]:
    """``info pci``, without the resources that a guest would have assigned"""
    lines = []
    for device in machine.pci:
        lines.append(f"  Bus  0, device {device.slot:3}, function {device.function}:")
        lines.append(f"    {device.what}: PCI device {device.ids}")
    return lines


def usb(machine: Machine, request: Request) -> list[str]:
    """``info usb``"""
    return [
        f"  Device 0.{device.address}, Speed 12 Mb/s, Product {device.product}"
        for device in machine.usb
    ]


def mice(machine: Machine, request: Request) -> list[str]:
    """``info mice``"""
    mice = [(index, str(mouse)) for index, mouse in enumerate(machine.mice)]
    return listing.mice(mice, machine.mice.current)


def vnc(machine: Machine, request: Request) -> list[str]:
    """``info vnc``"""
    server = machine.vnc
    if server.address is None:
        return listing.vnc(None, server.auth, ())
    host, port = server.address
    return listing.vnc((host, str(port)), server.auth, ())
