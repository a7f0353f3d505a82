"""
The commands that the monitor of 2009 had, as its ``help`` told of them.

``args`` are the types of :mod:`txqmp.text.table`. Where the versions of that year differ
(0.10.0, 0.10.50 of June, 0.11.0-rc0) it is the one of June, then the later; ``pci_add`` is
the later's, which takes all that June's does.
"""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """
    One command, or one sub-command of ``info``.

    :ivar names: its name, with aliases after ``|``.
    :ivar args: the types of its arguments.
    :ivar params: its arguments as ``help`` shows them.
    :ivar summary: what ``help`` says of it.
    """

    names: str
    args: str
    params: str
    summary: str

    @property
    def name(self) -> str:
        """The canonical name: the longest (rule 2)."""
        return max(self.names.split("|"), key=len)


_COMMANDS = (
    Known("commit", "s", "device|all", "write snapshot/overlay data back to base image(s)"),
    Known("q|quit", "", "", "terminate QEMU"),
    Known("eject", "-fB", "[-f] device", "remove medium; -f ignores lock"),
    Known("change", "BFs?", "device filename [format]", "swap medium / VNC display / VNC password"),
    Known("screendump", "F", "filename", "write PPM of screen to file"),
    Known("logfile", "F", "filename", "set log file"),
    Known("log", "s", "item1[,...]", 'enable log items ("none" clears)'),
    Known("savevm", "s?", "[tag|id]", "take full VM snapshot"),
    Known("loadvm", "s", "tag|id", "restore snapshot"),
    Known("delvm", "s", "tag|id", "delete snapshot"),
    Known("singlestep", "s?", "[on|off]", "toggle one-insn-per-TB mode"),
    Known("stop", "", "", "pause VM"),
    Known("c|cont", "", "", "resume VM"),
    Known("gdbserver", "s?", "[device]", "start/stop gdb stub"),
    Known("x", "/l", "/fmt addr", "dump guest virtual memory"),
    Known("xp", "/l", "/fmt addr", "dump guest physical memory"),
    Known("p|print", "/l", "/fmt expr", "evaluate+print expression"),
    Known("i", "/ii.", "/fmt addr", "read I/O port"),
    Known("o", "/ii", "/fmt addr value", "write I/O port"),
    Known("sendkey", "si?", "keys [hold_ms]", "press key combo"),
    Known("system_reset", "", "", "request reset"),
    Known("system_powerdown", "", "", "ACPI power button"),
    Known("sum", "ii", "addr size", "checksum memory region"),
    Known("usb_add", "s", "device", "plug USB device"),
    Known("usb_del", "s", "device", "unplug USB device"),
    Known("cpu", "i", "index", "choose default CPU for later commands"),
    Known("mouse_move", "sss?", "dx dy [dz]", "relative pointer move"),
    Known("mouse_button", "i", "state", "set button mask"),
    Known("mouse_set", "i", "index", "choose mouse device"),
    Known("wavcapture", "si?i?i?", "path [frequency [bits [channels]]]", "start WAV capture"),
    Known("stopcapture", "i", "capture index", "stop WAV capture"),
    Known("memsave", "lis", "addr size file", "save virtual memory to file"),
    Known("pmemsave", "lis", "addr size file", "save physical memory to file"),
    Known("boot_set", "s", "bootdevice", "set boot order"),
    Known("nmi", "i", "cpu", "inject NMI (i386)"),
    Known("migrate", "-ds", "[-d] uri", "start migration"),
    Known("migrate_cancel", "", "", "cancel migration"),
    Known("migrate_set_speed", "s", "value", "bandwidth cap (K/M/G suffix)"),
    Known("migrate_set_downtime", "s", "value", "max downtime (s/ms/us/ns)"),
    Known(
        "drive_add",
        "ss",
        "[[<domain>:]<bus>:]<slot> [file=file][,if=type][,bus=n] [,unit=m][,media=d][index=i] "
        "[,cyls=c,heads=h,secs=s[,trans=t]] [snapshot=on|off][,cache=on|off]",
        "hot-add drive to PCI controller (i386)",
    ),
    Known(
        "pci_add",
        "sss?",
        "auto|[[<domain>:]<bus>:]<slot> nic|storage [[vlan=n][,macaddr=addr][,model=type]] "
        "[file=file][,if=type][,bus=nr]...",
        "hot-add PCI nic/storage (i386)",
    ),
    Known("pci_del", "s", "[[<domain>:]<bus>:]<slot>", "hot-remove PCI device (i386)"),
    Known("host_net_add", "ss?", "tap|user|socket|vde|dump [options]", "add host net backend"),
    Known("host_net_remove", "is", "vlan_id name", "remove host net backend"),
    Known(
        "hostfwd_add",
        "ss?s?",
        "[vlan_id name] [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport",
        "add slirp forward",
    ),
    Known(
        "hostfwd_remove",
        "ss?s?",
        "[vlan_id name] [tcp|udp]:[hostaddr]:hostport",
        "remove slirp forward",
    ),
    Known("balloon", "i", "target", "set guest memory target in MB"),
    Known("set_link", "ss", "name up|down", "set NIC link up/down"),
    Known(
        "watchdog_action",
        "s",
        "[reset|shutdown|poweroff|pause|debug|none]",
        "choose watchdog action",
    ),
    Known("acl_show", "s", "aclname", "show ACL"),
    Known("acl_policy", "ss", "aclname allow|deny", "set ACL default"),
    Known("acl_add", "sssi?", "aclname match allow|deny [index]", "add ACL rule"),
    Known("acl_remove", "ss", "aclname match", "remove ACL rule"),
    Known("acl_reset", "s", "aclname", "clear ACL"),
    Known("mce", "iillll", "cpu bank status mcgstatus addr misc", "inject machine check (i386)"),
    Known(
        "host_net_redir",
        "ss?",
        "[tcp|udp]:host-port:[guest-host]:guest-port",
        "slirp redirection (pre-0.11)",
    ),
    Known(
        "acl",
        "sss?i?",
        "<command> <aclname> [<match> [<index>]] ",
        "ACL ops (single command, pre-0.11)",
    ),
)

_INFO = (
    ("migrate", "migration state"),
    ("balloon", "balloon size"),
    ("version", "QEMU version string"),
    ("network", "VLANs and clients"),
    ("chardev", "char devices"),
    ("block", "block devices"),
    ("blockstats", "block I/O counters"),
    ("registers", "CPU registers"),
    ("cpus", "CPU list"),
    ("history", "readline history"),
    ("irq", "interrupt counts"),
    ("pic", "i8259 state"),
    ("pci", "PCI tree"),
    ("tlb", "page mappings"),
    ("mem", "active mappings"),
    ("hpet", "HPET on/off"),
    ("jit", "translator stats"),
    ("kqemu", "kqemu state"),
    ("kvm", "KVM state"),
    ("numa", "NUMA nodes"),
    ("usb", "guest USB devices"),
    ("usbhost", "host USB devices"),
    ("profile", "profiler"),
    ("capture", "running captures"),
    ("snapshots", "saved VM snapshots"),
    ("status", "run state"),
    ("pcmcia", "PCMCIA sockets"),
    ("mice", "mouse devices"),
    ("vnc", "VNC server"),
    ("name", "VM name"),
    ("uuid", "VM UUID"),
    ("cpustats", "PPC CPU stats"),
    ("usernet", "slirp connections"),
    ("qtree", "qdev tree"),
    ("slirp", "slirp stats (pre-0.11)"),
)

VOCABULARY: dict[str, Known] = {
    **{known.name: known for known in _COMMANDS},
    **{f"info {name}": Known(f"info {name}", "", "", summary) for name, summary in _INFO},
}
"""All of them by their canonical names; ``help`` and ``info`` themselves aside."""
