"""
The ``query-`` commands of the simulated machine's JSON monitor.

Each gets the machine and the :class:`~txqmp.jsonqmp.server.Request`, and returns what QEMU 7.2
would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from txqmp.errors import CommandFailed
from txqmp.jsonqmp.grammar import JSONObject, JSONValue, version_numbers
from txqmp.machine.drives import Drive
from txqmp.machine.state import Machine

if TYPE_CHECKING:
    from txqmp.jsonqmp.server import Request

QEMU_VERSION = "7.2.22"
YANK: JSONObject = {"type": "chardev", "id": "compat_monitor0"}
"""The one thing that ``yank`` could pull: the monitor's own connection."""

_MIB = 1024 * 1024
_UNLIMITED = ("bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr", "write_threshold")
_UNCOUNTED = """
    unmap_bytes flush_operations unmap_operations rd_total_time_ns wr_total_time_ns
    flush_total_time_ns unmap_total_time_ns wr_highest_offset rd_merged wr_merged unmap_merged
    failed_rd_operations failed_wr_operations failed_flush_operations failed_unmap_operations
    invalid_rd_operations invalid_wr_operations invalid_flush_operations invalid_unmap_operations
    """.split()
_QOM: dict[str, list[tuple[str, str]]] = {
    "/": [("type", "string"), ("machine", "child<pc-machine>"), ("chardevs", "child<container>")],
    "/machine": [("type", "string"), ("peripheral", "child<container>")],
    "/machine/peripheral": [("type", "string")],
    "/chardevs": [("type", "string"), ("serial0", "child<chardev-null>")],
}


def status(machine: Machine, request: Request) -> JSONValue:
    """``query-status``"""
    return {
        "status": "running" if machine.running else "paused",
        "singlestep": machine.singlestep,
        "running": machine.running,
    }


def name(machine: Machine, request: Request) -> JSONValue:
    """``query-name``"""
    return {} if machine.name is None else {"name": machine.name}


def uuid(machine: Machine, request: Request) -> JSONValue:
    """``query-uuid``"""
    return {"UUID": machine.uuid}


def version(machine: Machine, request: Request) -> JSONValue:
    """``query-version``"""
    return {"qemu": version_numbers(QEMU_VERSION), "package": ""}


def cpus(machine: Machine, request: Request) -> JSONValue:
    """``query-cpus-fast``"""
    return [
        {
            "thread-id": 1000 + index,
            "props": {"core-id": 0, "thread-id": 0, "socket-id": index},
            "qom-path": f"/machine/unattached/device[{index}]",
            "cpu-index": index,
            "target": "x86_64",
        }
        for index in range(machine.cpus)
    ]


def _inserted(drive: Drive, file: str) -> JSONObject:
    inserted: JSONObject = {
        "file": file,
        "ro": drive.read_only,
        "drv": drive.format,
        "backing_file_depth": 0,
        "encrypted": False,
        "detect_zeroes": "off",
        "image": {"filename": file, "format": drive.format, "virtual-size": 0},
        "cache": {"no-flush": False, "direct": False, "writeback": True},
    }
    inserted.update(dict.fromkeys(_UNLIMITED, 0))
    return inserted


def block(machine: Machine, request: Request) -> JSONValue:
    """``query-block``"""
    described: list[JSONValue] = []
    for drive in machine.drives:
        entry: JSONObject = {
            "device": drive.name,
            "type": "unknown",
            "removable": drive.removable,
            "locked": drive.locked,
        }
        if drive.removable:
            entry["tray_open"] = False
        if drive.file is not None:
            entry["inserted"] = _inserted(drive, drive.file)
        described.append(entry)
    return described


def blockstats(machine: Machine, request: Request) -> JSONValue:
    """``query-blockstats``"""
    described: list[JSONValue] = []
    for drive in machine.drives:
        stats: JSONObject = {
            **drive.statistics._asdict(),
            **dict.fromkeys(_UNCOUNTED, 0),
            "account_invalid": True,
            "account_failed": True,
            "timed_stats": [],
        }
        described.append({"device": drive.name, "stats": stats})
    return described


def balloon(machine: Machine, request: Request) -> JSONValue:
    """``query-balloon``, in bytes"""
    return {"actual": machine.balloon * _MIB}


def chardev(machine: Machine, request: Request) -> JSONValue:
    """``query-chardev``"""
    return [
        {"frontend-open": True, "filename": "null", "label": label}
        for label in ("serial0", "parallel0")
    ]


def kvm(machine: Machine, request: Request) -> JSONValue:
    """``query-kvm``"""
    return {"enabled": False, "present": False}


def vnc(machine: Machine, request: Request) -> JSONValue:
    """``query-vnc``"""
    server = machine.vnc
    if server.address is None:
        return {"enabled": False}
    host, port = server.address
    return {
        "enabled": True,
        "host": host,
        "service": str(port),
        "family": "ipv4",
        "auth": server.auth,
        "clients": [],
    }


def mice(machine: Machine, request: Request) -> JSONValue:
    """``query-mice``"""
    current = machine.mice.current
    return [
        {"name": mouse, "index": index, "current": index == current, "absolute": False}
        for index, mouse in enumerate(machine.mice)
    ]


def migrate(machine: Machine, request: Request) -> JSONValue:
    """``query-migrate``"""
    state = machine.migration.status
    return {} if state is None else {"status": state}


def yank(machine: Machine, request: Request) -> JSONValue:
    """``query-yank``"""
    return [dict(YANK)]


def qom_list(machine: Machine, request: Request, path: str) -> JSONValue:
    """``qom-list``: the beginnings of a tree"""
    properties = _QOM.get(path.rstrip("/") or "/")
    if properties is None:
        raise CommandFailed(f"Device '{path}' not found", error_class="DeviceNotFound")
    return [{"name": name, "type": kind} for name, kind in properties]
