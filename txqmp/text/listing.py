"""
How QEMU 0.10.50 printed what its ``info`` tells: lines, from plain values.

Whoever answers for a monitor of 2009 writes them alike; see "What the old monitor printed" in
``docs/interpretation.rst``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

_ESCAPES = str.maketrans(
    {" ": "\\ ", '"': '\\"', "\\": "\\\\", "\t": "\\t", "\r": "\\r", "\n": "\\n"}
)


def status(running: bool, single_step: bool = False) -> str:
    """``info status``"""
    if not running:
        return "VM status: paused"
    return "VM status: running" + (" (single step mode)" if single_step else "")


def cpu(index: int, counter: int, *, chosen: bool, halted: bool) -> str:
    """
    A line of ``info cpus``.

    :param counter: the address of its next instruction.
    :param chosen: it is this connection's CPU (rule 21).
    """
    line = f"{'*' if chosen else ' '} CPU #{index}: pc=0x{counter:016x}"
    return line + (" (halted)" if halted else "")


class Medium(NamedTuple):
    """What is in a drive; ``backing`` is the file it is an overlay of."""

    file: str
    format: str
    read_only: bool
    encrypted: bool = False
    backing: str | None = None


def drive(
    name: str, kind: str, *, removable: bool, locked: bool = False, medium: Medium | None
) -> str:
    """
    A line of ``info block``.

    :param kind: ``hd``, ``cdrom`` or ``floppy``.
    """
    line = f"{name}: type={kind} removable={int(removable)}"
    if removable:
        line += f" locked={int(locked)}"
    if medium is None:
        return f"{line} [not inserted]"
    line += f" file={medium.file.translate(_ESCAPES)}"
    if medium.backing is not None:
        line += f" backing_file={medium.backing.translate(_ESCAPES)}"
    return (
        f"{line} ro={int(medium.read_only)} drv={medium.format} encrypted={int(medium.encrypted)}"
    )


def drive_counters(name: str, counters: Iterable[tuple[str, int]]) -> str:
    """A line of ``info blockstats``; the counters in the order of 2009."""
    return f"{name}: " + " ".join(f"{key}={value}" for key, value in counters)


class SavedState(NamedTuple):
    """
    One line of ``info snapshots``.

    :ivar size: bytes.
    :ivar date: seconds since 1970.
    :ivar clock: the guest's clock, in seconds.
    """

    id: str
    tag: str
    size: int
    date: float
    clock: float


def snapshots(drives: Sequence[str], states: Iterable[SavedState]) -> list[str]:
    """
    ``info snapshots``; dates are UTC.

    :param drives: names of those that can hold snapshots; the states are the first one's.
    """
    if not drives:
        return ["No available block device supports snapshots"]
    lines = [
        "Snapshot devices: " + " ".join(drives),
        f"Snapshot list (from {drives[0]}):",
        f"{'ID':<10}{'TAG':<20}{'VM SIZE':>7}{'DATE':>20}{'VM CLOCK':>15}",
    ]
    for state in states:
        date = datetime.fromtimestamp(state.date, UTC).strftime("%Y-%m-%d %H:%M:%S")
        seconds, millis = divmod(int(state.clock * 1000), 1000)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{millis:03}"
        size = _human_size(state.size)
        lines.append(f"{state.id:<10}{state.tag:<20}{size:>7}{date:>20}{clock:>15}")
    return lines


def _human_size(size: int) -> str:
    amount, suffix = size / 1024, "K"
    for larger in "MG":
        if amount < 1000:
            break
        amount, suffix = amount / 1024, larger
    return f"{amount:.1f}{suffix}" if amount < 10 else f"{amount:.0f}{suffix}"


def mice(names: Iterable[tuple[int, str]], current: int | None) -> list[str]:
    """``info mice``: numbers and names, and the number of the one in use."""
    lines = [f"{'*' if index == current else ' '} Mouse #{index}: {name}" for index, name in names]
    return ["Mouse devices available:", *lines] if lines else ["No mouse devices connected"]


def vnc(address: tuple[str, str] | None, auth: str, clients: Sequence[dict[str, str]]) -> list[str]:
    """
    ``info vnc``.

    :param address: host and port; None where the server is disabled.
    :param clients: of each its ``address``, and ``x509 dname`` and ``username`` where known.
    """
    if address is None:
        return ["Server: disabled"]
    lines = ["Server:", f"     address: {':'.join(address)}", f"        auth: {auth}"]
    for client in clients:
        lines += ["Client:", *(f"{key:>12}: {value}" for key, value in client.items())]
    return lines if clients else [*lines, "Client: none"]


def network(vlans: Iterable[tuple[int, Sequence[str]]], others: Sequence[str]) -> list[str]:
    """
    ``info network``.

    :param vlans: numbers of VLANs, and the lines of their members.
    :param others: the lines of what is on no VLAN.
    """
    lines = []
    for number, members in vlans:
        lines += [f"VLAN {number} devices:", *members]
    return [*lines, "Devices not on any VLAN:", *others] if others else lines


def network_member(name: str, info: str) -> str:
    """A line of ``info network``."""
    return f"  {name}: {info}"
