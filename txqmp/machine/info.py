"""
The ``info`` sub-commands of the simulated machine's text monitor, as QEMU 0.10.50 printed them.

Each gets the machine and the :class:`~txqmp.text.server.Request`, and returns its lines.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from txqmp.machine.commands import CPU
from txqmp.machine.drives import Drive
from txqmp.machine.network import NetDevice
from txqmp.machine.state import Machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from txqmp.text.server import Request

QEMU_VERSION = "0.10.50"

_CONNECTIONS = "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ"
_ESCAPES = str.maketrans(
    {" ": "\\ ", '"': '\\"', "\\": "\\\\", "\t": "\\t", "\r": "\\r", "\n": "\\n"}
)


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
    if not machine.running:
        return ["VM status: paused"]
    return ["VM status: running" + (" (single step mode)" if machine.singlestep else "")]


def cpus(machine: Machine, request: Request) -> list[str]:
    """``info cpus``, with a star at the CPU of this connection (rule 21)"""
    chosen = request.state.get(CPU, 0)
    return [
        f"{'*' if index == chosen else ' '} CPU #{index}:"
        f" pc=0x{machine.program_counter(index):016x}"
        + (" (halted)" if machine.halted(index) else "")
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
    line = f"{drive.name}: type={drive.kind} removable={int(drive.removable)}"
    if drive.removable:
        line += f" locked={int(drive.locked)}"
    if drive.file is None:
        return f"{line} [not inserted]"
    line += f" file={drive.file.translate(_ESCAPES)}"
    return f"{line} ro={int(drive.read_only)} drv={drive.format} encrypted=0"


def block(machine: Machine, request: Request) -> list[str]:
    """``info block``"""
    return [_block(drive) for drive in machine.drives]


def blockstats(machine: Machine, request: Request) -> list[str]:
    """``info blockstats``"""
    lines = []
    for drive in machine.drives:
        counters = zip(drive.statistics._fields, drive.statistics, strict=True)
        lines.append(f"{drive.name}: " + " ".join(f"{key}={value}" for key, value in counters))
    return lines


def _human_size(size: int) -> str:
    amount, suffix = size / 1024, "K"
    for larger in "MG":
        if amount < 1000:
            break
        amount, suffix = amount / 1024, larger
    return f"{amount:.1f}{suffix}" if amount < 10 else f"{amount:.0f}{suffix}"


def snapshots(machine: Machine, request: Request) -> list[str]:
    """``info snapshots``; dates are UTC"""
    drives = machine.drives.with_snapshots()
    if not drives:
        return ["No available block device supports snapshots"]
    lines = [
        "Snapshot devices: " + " ".join(drive.name for drive in drives),
        f"Snapshot list (from {drives[0].name}):",
        f"{'ID':<10}{'TAG':<20}{'VM SIZE':>7}{'DATE':>20}{'VM CLOCK':>15}",
    ]
    for snapshot in machine.snapshots:
        date = datetime.fromtimestamp(snapshot.date, UTC).strftime("%Y-%m-%d %H:%M:%S")
        seconds, millis = divmod(int(snapshot.clock * 1000), 1000)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{millis:03}"
        size = _human_size(snapshot.size)
        lines.append(f"{snapshot.id:<10}{snapshot.tag:<20}{size:>7}{date:>20}{clock:>15}")
    return lines


# Devices.


def _net_device(device: NetDevice) -> str:
    settings = [device.info] if device.info else []
    if not device.up:
        settings.append("link=down")
    return f"  {device.name}: " + ",".join(settings)


def network(machine: Machine, request: Request) -> list[str]:
    """
    ``info network``

    QEMU 0.10.50 did not show links; here one that is down adds ``link=down``, and brings a card
    that is on no VLAN into the list.
    """
    lines = []
    for number, members in machine.network.vlans().items():
        lines.append(f"VLAN {number} devices:")
        lines += [_net_device(device) for device in members]
    unplugged = [d for d in machine.network if d.vlan is None and not d.up]
    if unplugged:
        lines.append("Devices not on any VLAN:")
        lines += [_net_device(device) for device in unplugged]
    return lines


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
    current = machine.mice.current
    return ["Mouse devices available:"] + [
        f"{'*' if index == current else ' '} Mouse #{index}: {mouse}"
        for index, mouse in enumerate(machine.mice)
    ]


def vnc(machine: Machine, request: Request) -> list[str]:
    """``info vnc``"""
    server = machine.vnc
    if server.address is None:
        return ["Server: disabled"]
    host, port = server.address
    return [
        "Server:",
        f"     address: {host}:{port}",
        f"        auth: {server.auth}",
        "Client: none",
    ]
