"""
What today's QEMU tells, as the monitor of 0.10.50 printed it: pure functions, JSON to lines.

Where today's QEMU tells more than the old lines had a place for, it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from txqmp.text import listing

_PCI_BRIDGE = 0x0604
_MIGRATION = {"none": None, "completed": "completed", "failed": "failed", "cancelled": "cancelled"}
_COUNTERS = ("rd_bytes", "wr_bytes", "rd_operations", "wr_operations")
_HUB_PORT = re.compile(r"^[^:]*: (?=.*?: index=\d)")
_QUEUE = re.compile(r": index=[1-9]")
_NET_CLIENT = re.compile(r"(.+?): index=\d+,type=([^,]*),?(.*)")
_COUNTER = re.compile(r"\b(?:RIP|EIP|PC|R15|pc|NIP|PSW|epc)\s*[=:]?\s*(?:0x)?([0-9a-fA-F]{8,16})\b")
_CODE_SEGMENT = re.compile(r"^CS =[0-9a-f]{4} ([0-9a-f]{8,16}) ", re.MULTILINE)
_HALTED = re.compile(r"\bHLT=1\b")


def version(value: Mapping[str, Any]) -> list[str]:
    """``info version``, from ``query-version``"""
    qemu = value["qemu"]
    package = f" ({value['package']})" if value.get("package") else ""
    return [f"{qemu['major']}.{qemu['minor']}.{qemu['micro']}{package}"]


def status(value: Mapping[str, Any]) -> list[str]:
    """``info status``, from ``query-status``: it runs, or it does not"""
    return [listing.status(value["running"], value.get("singlestep", False))]


def name(value: Mapping[str, Any]) -> list[str]:
    """``info name``, from ``query-name``: no line if it has none (rule 23)"""
    return [value["name"]] if value.get("name") else []


def uuid(value: Mapping[str, Any]) -> list[str]:
    """``info uuid``, from ``query-uuid``"""
    return [value["UUID"]]


def kvm(value: Mapping[str, Any]) -> list[str]:
    """``info kvm``, from ``query-kvm``"""
    if not value["present"]:
        return ["kvm support: not compiled"]
    return [f"kvm support: {'enabled' if value['enabled'] else 'disabled'}"]


def balloon(value: Mapping[str, Any]) -> list[str]:
    """``info balloon``, from ``query-balloon``, in MiB"""
    return [f"balloon: actual={value['actual'] >> 20}"]


def migrate(value: Mapping[str, Any]) -> list[str]:
    """``info migrate``, from ``query-migrate``: no line before the first migration"""
    state = _MIGRATION.get(value.get("status", "none"), "active")
    return [] if state is None else [f"Migration status: {state}"]


def chardev(value: Sequence[Mapping[str, Any]]) -> list[str]:
    """``info chardev``, from ``query-chardev``"""
    return [f"{each['label']}: filename={each['filename']}" for each in value]


def mice(value: Sequence[Mapping[str, Any]]) -> list[str]:
    """``info mice``, from ``query-mice``"""
    current = next((each["index"] for each in value if each.get("current")), None)
    return listing.mice([(each["index"], each["name"]) for each in value], current)


def vnc(value: Mapping[str, Any]) -> list[str]:
    """``info vnc``, from ``query-vnc``"""
    clients = []
    for each in value.get("clients", ()):
        client = {"address": f"{each['host']}:{each['service']}"}
        if "x509_dname" in each:
            client["x509 dname"] = each["x509_dname"]
        if "sasl_username" in each:
            client["username"] = each["sasl_username"]
        clients.append(client)
    if not value["enabled"] or "host" not in value:
        return listing.vnc(None, "", ())
    return listing.vnc((value["host"], value["service"]), value.get("auth", "none"), clients)


# Drives.


def drive_name(drive: Mapping[str, Any]) -> str:
    """What a drive of ``query-block`` is called: its own name, its device's, or its node's."""
    return str(
        drive.get("device")
        or drive.get("qdev")
        or drive.get("inserted", {}).get("node-name")
        or "unnamed"
    )


def drive_kind(drive: Mapping[str, Any], device_type: str) -> str:
    """
    Tell what kind a drive of ``query-block`` is.

    :param device_type: what QEMU calls its device, such as ``ide-cd``; may be empty.
    :returns: ``hd``, ``cdrom`` or ``floppy``.
    """
    sign = device_type or drive_name(drive)
    if sign.startswith("floppy"):
        return "floppy"
    return "cdrom" if re.search(r"(^|-)cd\d*$", sign) else "hd"


def block(value: Sequence[Mapping[str, Any]], kinds: Iterable[str]) -> list[str]:
    """
    ``info block``, from ``query-block``.

    :param kinds: the kind of each.
    """
    return [
        listing.drive(
            drive_name(drive),
            kind,
            removable=drive["removable"],
            locked=drive["locked"],
            medium=_medium(drive.get("inserted")),
        )
        for drive, kind in zip(value, kinds, strict=True)
    ]


def _medium(inserted: Mapping[str, Any] | None) -> listing.Medium | None:
    if inserted is None:
        return None
    return listing.Medium(
        inserted["file"],
        inserted["drv"],
        inserted["ro"],
        inserted.get("encrypted", False),
        inserted.get("backing_file"),
    )


def blockstats(value: Sequence[Mapping[str, Any]]) -> list[str]:
    """``info blockstats``, from ``query-blockstats``"""
    return [
        listing.drive_counters(drive_name(each), [(key, each["stats"][key]) for key in _COUNTERS])
        for each in value
    ]


def snapshots(value: Sequence[Mapping[str, Any]]) -> list[str]:
    """``info snapshots``, from ``query-block``"""
    drives = snapshot_drives(value)
    states = [
        listing.SavedState(
            each["id"],
            each["name"],
            each["vm-state-size"],
            each["date-sec"],
            each["vm-clock-sec"] + each["vm-clock-nsec"] / 1e9,
        )
        for each in (saved_states(drives[0]) if drives else ())
    ]
    return listing.snapshots([drive_name(drive) for drive in drives], states)


def snapshot_drives(value: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The drives of ``query-block`` that can hold snapshots: those with a writable qcow2 file."""
    return [
        drive
        for drive in value
        if not drive.get("inserted", {"ro": True})["ro"] and drive["inserted"]["drv"] == "qcow2"
    ]


def saved_states(drive: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The snapshots that a drive of ``query-block`` holds."""
    return list(drive["inserted"]["image"].get("snapshots", ()))


# Processors.


def cpu(index: int, chosen: int, registers: str) -> str:
    """
    A line of ``info cpus``.

    :param registers: what ``info registers`` of the human monitor says of it.
    """
    counter = _COUNTER.search(registers)
    segment = _CODE_SEGMENT.search(registers)
    address = int(counter[1], 16) if counter else 0
    if segment:
        address += int(segment[1], 16)
    halted = bool(_HALTED.search(registers))
    return listing.cpu(index, address, chosen=index == chosen, halted=halted)


# The network, which has no JSON command.


def network(printed: str) -> list[str]:
    """
    ``info network``, from what the human monitor of today prints.

    A hub is the VLAN of its number. A card and a backend that are joined without one are a VLAN
    of their own, of the next free number.
    """
    hubs: dict[int, list[str]] = {}
    pairs: list[list[str]] = []
    group: list[str] = []
    for line in printed.splitlines():
        if not line.strip() or line == "filters:" or line.startswith("  ") or _QUEUE.search(line):
            # Filters, and the further queues of a card, were not known in 2009.
            continue
        head = re.fullmatch(r"hub (\d+)", line)
        if head:
            group = hubs.setdefault(int(head[1]), [])
        elif line.startswith(" \\ "):
            # Behind a hub's port stands what it is joined to.
            group.append(_member(_HUB_PORT.sub("", line.removeprefix(" \\ "))))
        else:
            group = [_member(line)]
            pairs.append(group)
    hubs = {number: members for number, members in hubs.items() if members}
    others = [member for pair in pairs if len(pair) == 1 for member in pair]
    free = (number for number in count() if number not in hubs)
    joined = [(next(free), pair) for pair in pairs if len(pair) > 1]
    return listing.network(sorted([*hubs.items(), *joined]), others)


def _member(line: str) -> str:
    match = _NET_CLIENT.fullmatch(line)
    return listing.network_member(match[1], match[3]) if match else listing.network_member(line, "")


# PCI.


def pci(value: Sequence[Mapping[str, Any]]) -> list[str]:
    """``info pci``, from ``query-pci``"""
    return [line for bus in value for device in bus["devices"] for line in _pci_device(device)]


def _pci_device(device: Mapping[str, Any]) -> list[str]:
    what, ids = device["class_info"], device["id"]
    name = what.get("desc") or f"Class {what['class']:04x}"
    lines = [
        f"  Bus {device['bus']:2}, device {device['slot']:3}, function {device['function']}:",
        f"    {name}: PCI device {ids['vendor']:04x}:{ids['device']:04x}",
    ]
    if device.get("irq_pin") and "irq" in device:
        lines.append(f"      IRQ {device['irq']}.")
    bridge = device.get("pci_bridge")
    if bridge and what["class"] == _PCI_BRIDGE:
        lines.append(f"      BUS {bridge['bus']['secondary']}.")
    lines += [_region(region) for region in device["regions"]]
    for behind in (bridge or {}).get("devices", ()):
        lines += _pci_device(behind)
    return lines


def _region(region: Mapping[str, Any]) -> str:
    # An address that the guest has not set is -1, all bits.
    start = region["address"]
    if region["type"] == "io":
        low, high = start & 0xFFFF_FFFF, (start + region["size"] - 1) & 0xFFFF_FFFF
        return f"      BAR{region['bar']}: I/O at 0x{low:04x} [0x{high:04x}]."
    bits = 64 if region.get("mem_type_64") else 32
    mask = (1 << bits) - 1
    low, high = start & mask, (start + region["size"] - 1) & mask
    return f"      BAR{region['bar']}: {bits} bit memory at 0x{low:08x} [0x{high:08x}]."
