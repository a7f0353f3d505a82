"""The simulated machine's text monitor: the commands of 2009 that need no guest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from txqmp.machine import commands, devices, info
from txqmp.machine.state import Machine
from txqmp.text.events import from_json
from txqmp.text.server import TextServerFactory
from txqmp.text.table import CommandTable


class _Row(NamedTuple):
    names: str
    args: str
    params: str
    summary: str
    handler: Callable[..., Any]


_COMMANDS = [
    _Row("stop", "", "", "pause VM", commands.stop),
    _Row("c|cont", "", "", "resume VM", commands.cont),
    _Row("system_reset", "", "", "request reset", commands.system_reset),
    _Row("system_powerdown", "", "", "ACPI power button", commands.system_powerdown),
    _Row("q|quit", "", "", "terminate QEMU", commands.quit_machine),
    _Row("singlestep", "s?", "[on|off]", "toggle one-insn-per-TB mode", commands.singlestep),
    _Row("gdbserver", "s?", "[device]", "start/stop gdb stub", commands.gdbserver),
    _Row("cpu", "i", "index", "choose default CPU for later commands", commands.cpu),
    _Row("nmi", "i", "cpu", "inject NMI (i386)", commands.nmi),
    _Row("sendkey", "si?", "keys [hold_ms]", "press key combo", commands.sendkey),
    _Row("mouse_move", "sss?", "dx dy [dz]", "relative pointer move", commands.mouse_move),
    _Row("mouse_button", "i", "state", "set button mask", commands.mouse_button),
    _Row("mouse_set", "i", "index", "choose mouse device", commands.mouse_set),
    _Row("balloon", "i", "target", "set guest memory target in MB", commands.balloon),
    _Row("boot_set", "s", "bootdevice", "set boot order", commands.boot_set),
    _Row(
        "watchdog_action",
        "s",
        "[reset|shutdown|poweroff|pause|debug|none]",
        "choose watchdog action",
        commands.watchdog_action,
    ),
    _Row("savevm", "s?", "[tag|id]", "take full VM snapshot", commands.savevm),
    _Row("loadvm", "s", "tag|id", "restore snapshot", commands.loadvm),
    _Row("delvm", "s", "tag|id", "delete snapshot", commands.delvm),
    _Row("migrate", "-ds", "[-d] uri", "start migration", commands.migrate),
    _Row("migrate_cancel", "", "", "cancel migration", commands.migrate_cancel),
    _Row(
        "migrate_set_speed",
        "s",
        "value",
        "bandwidth cap (K/M/G suffix)",
        commands.migrate_set_speed,
    ),
    _Row(
        "migrate_set_downtime",
        "s",
        "value",
        "max downtime (s/ms/us/ns)",
        commands.migrate_set_downtime,
    ),
    _Row("eject", "-fB", "[-f] device", "remove medium; -f ignores lock", devices.eject),
    _Row(
        "change",
        "BFs?",
        "device filename [format]",
        "swap medium / VNC display / VNC password",
        devices.change,
    ),
    _Row(
        "commit",
        "s",
        "device|all",
        "write snapshot/overlay data back to base image(s)",
        devices.commit,
    ),
    _Row("set_link", "ss", "name up|down", "set NIC link up/down", devices.set_link),
    _Row(
        "host_net_add",
        "ss?",
        "tap|user|socket|vde|dump [options]",
        "add host net backend",
        devices.host_net_add,
    ),
    _Row(
        "host_net_remove", "is", "vlan_id name", "remove host net backend", devices.host_net_remove
    ),
    _Row(
        "hostfwd_add",
        "ss?s?",
        "[vlan_id name] [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport",
        "add slirp forward",
        commands.no_ports,
    ),
    _Row(
        "hostfwd_remove",
        "ss?s?",
        "[vlan_id name] [tcp|udp]:[hostaddr]:hostport",
        "remove slirp forward",
        commands.no_ports,
    ),
    _Row(
        "pci_add",
        "sss?",
        "auto|[[<domain>:]<bus>:]<slot> nic|storage [[vlan=n][,macaddr=addr][,model=type]] "
        "[file=file][,if=type][,bus=nr]...",
        "hot-add PCI nic/storage (i386)",
        devices.pci_add,
    ),
    _Row(
        "pci_del", "s", "[[<domain>:]<bus>:]<slot>", "hot-remove PCI device (i386)", devices.pci_del
    ),
    _Row(
        "drive_add",
        "ss",
        "[[<domain>:]<bus>:]<slot> [file=file][,if=type][,bus=n] [,unit=m][,media=d][index=i] "
        "[,cyls=c,heads=h,secs=s[,trans=t]] [snapshot=on|off][,cache=on|off]",
        "hot-add drive to PCI controller (i386)",
        devices.drive_add,
    ),
    _Row("usb_add", "s", "device", "plug USB device", devices.usb_add),
    _Row("usb_del", "s", "device", "unplug USB device", devices.usb_del),
    _Row("acl_show", "s", "aclname", "show ACL", devices.acl_show),
    _Row("acl_policy", "ss", "aclname allow|deny", "set ACL default", devices.acl_policy),
    _Row("acl_add", "sssi?", "aclname match allow|deny [index]", "add ACL rule", devices.acl_add),
    _Row("acl_remove", "ss", "aclname match", "remove ACL rule", devices.acl_remove),
    _Row("acl_reset", "s", "aclname", "clear ACL", devices.acl_reset),
    _Row("screendump", "F", "filename", "write PPM of screen to file", commands.no_files),
    _Row("logfile", "F", "filename", "set log file", commands.no_files),
    _Row("log", "s", "item1[,...]", 'enable log items ("none" clears)', commands.log),
    _Row("memsave", "lis", "addr size file", "save virtual memory to file", commands.no_files),
    _Row("pmemsave", "lis", "addr size file", "save physical memory to file", commands.no_files),
    _Row(
        "wavcapture",
        "si?i?i?",
        "path [frequency [bits [channels]]]",
        "start WAV capture",
        commands.no_files,
    ),
    _Row("stopcapture", "i", "capture index", "stop WAV capture", commands.stopcapture),
]

_INFO: list[tuple[str, str, Callable[..., Any]]] = [
    ("balloon", "balloon size", info.balloon),
    ("block", "block devices", info.block),
    ("blockstats", "block I/O counters", info.blockstats),
    ("capture", "running captures", info.fixed()),
    (
        "chardev",
        "char devices",
        info.fixed("serial0: filename=null", "parallel0: filename=null"),
    ),
    ("cpus", "CPU list", info.cpus),
    ("history", "readline history", info.fixed()),
    ("hpet", "HPET on/off", info.fixed("HPET is enabled by QEMU")),
    ("irq", "interrupt counts", info.fixed("irq statistic code not compiled.")),
    ("kqemu", "kqemu state", info.fixed("kqemu support: not compiled")),
    ("kvm", "KVM state", info.fixed("kvm support: not compiled")),
    ("mice", "mouse devices", info.mice),
    ("migrate", "migration state", info.migrate),
    ("name", "VM name", info.name),
    ("network", "VLANs and clients", info.network),
    ("numa", "NUMA nodes", info.fixed("0 nodes")),
    ("pci", "PCI tree", info.pci),
    ("pcmcia", "PCMCIA sockets", info.fixed("No PCMCIA sockets")),
    ("profile", "profiler", info.fixed("Internal profiler not compiled")),
    ("snapshots", "saved VM snapshots", info.snapshots),
    ("status", "run state", info.status),
    ("usb", "guest USB devices", info.usb),
    ("usernet", "slirp connections", info.usernet),
    ("uuid", "VM UUID", info.uuid),
    ("version", "QEMU version string", info.fixed(info.QEMU_VERSION)),
    ("vnc", "VNC server", info.vnc),
]


def monitor_table(machine: Machine) -> CommandTable:
    """
    Put a text monitor's commands before a machine.

    :returns: a table for a :class:`~txqmp.text.server.TextServerFactory`; it tells no events.
    """
    table = CommandTable()
    for row in _COMMANDS:
        register = table.command(row.names, row.args, row.params, row.summary)
        register(partial(row.handler, machine))
    for name, summary, handler in _INFO:
        table.command(f"info {name}", help=summary)(partial(handler, machine))
    return table


def monitor_factory(machine: Machine, reactor: Any = None) -> TextServerFactory:
    """
    Put a text monitor before a machine: its commands, its events and the greeting of 2009.

    :param reactor: measures the connections' times; the global reactor where it is None.
    """
    factory = TextServerFactory(monitor_table(machine), reactor, qemu=info.QEMU_VERSION)

    def tell(name: str, data: Mapping[str, object]) -> None:
        # No event of 2009 has data, and the draft has no place for any.
        factory.broadcast(from_json(name))

    machine.subscribe(tell)
    return factory
