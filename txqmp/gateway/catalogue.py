"""
Every command of 2009, and what the gateway makes of it with a QEMU of today.

The table of the documentation is made from this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from txqmp.gateway import info, native, render, snapshots, successors
from txqmp.gateway.call import Handler
from txqmp.text.vocabulary import VOCABULARY, Known


class Way(Enum):
    """How a command gets to QEMU."""

    NATIVE = "native"
    """By JSON commands, its answer in the format of 2009."""
    HUMAN = "native, by the human monitor"
    """By the human monitor, in part or as a whole, its answer in the format of 2009."""
    FALLBACK = "fallback"
    """Its line goes to the human monitor as it is."""
    GONE = "gone"
    """QEMU 7.2 has nothing like it; an older one is asked all the same."""
    OWN = "own"
    """The gateway answers it by itself."""


class Row(NamedTuple):
    """
    One command.

    :ivar handler: carries it out; None where its line is passed on.
    :ivar becomes: the commands it becomes, or, where it is gone, what has come after it.
    :ivar note: what else a user should know.
    """

    known: Known
    way: Way
    becomes: str
    handler: Handler | None = None
    note: str = ""


def _native(name: str, becomes: str, handler: Handler, note: str = "") -> Row:
    return Row(VOCABULARY[name], Way.NATIVE, becomes, handler, note)


def _human(name: str, becomes: str, handler: Handler, note: str = "") -> Row:
    return Row(VOCABULARY[name], Way.HUMAN, becomes, handler, note)


def _fallback(name: str, note: str = "") -> Row:
    return Row(VOCABULARY[name], Way.FALLBACK, name, None, note)


def _gone(name: str, successor: str = "", note: str = "") -> Row:
    return Row(VOCABULARY[name], Way.GONE, successor, None, note)


_COMMANDS = (
    _native("stop", "stop", native.sending("stop")),
    _native("cont", "cont", native.sending("cont")),
    _native("quit", "quit", native.quit_machine, "the client's connection ends, too"),
    _native("system_reset", "system_reset", native.sending("system_reset")),
    _native("system_powerdown", "system_powerdown", native.sending("system_powerdown")),
    _native("eject", "query-block, eject", native.eject),
    _native(
        "change",
        "query-block, blockdev-change-medium; change-vnc-password; display-update",
        native.change,
        "a password is an argument: nothing is asked back",
    ),
    _native("set_link", "set_link", native.set_link),
    _native("balloon", "balloon", native.balloon),
    _native("sendkey", "send-key", native.sendkey),
    _fallback("boot_set", "QEMU has no JSON command for it"),
    _native("migrate", "migrate", native.migrate, "always detached: OK means started"),
    _native("migrate_cancel", "migrate_cancel", native.sending("migrate_cancel")),
    _native("migrate_set_speed", "migrate-set-parameters", native.migrate_set_speed),
    _native("migrate_set_downtime", "migrate-set-parameters", native.migrate_set_downtime),
    _native("savevm", "query-block, snapshot-save", snapshots.savevm, "a job, to its end"),
    _native("loadvm", "query-block, snapshot-load", snapshots.loadvm, "a job, to its end"),
    _native("delvm", "query-block, snapshot-delete", snapshots.delvm, "a job, to its end"),
    _native("screendump", "screendump", native.naming("screendump", "filename")),
    _native("memsave", "memsave", native.memsave),
    _native("pmemsave", "pmemsave", native.pmemsave),
    _native("nmi", "query-cpus-fast, inject-nmi", native.nmi, "QEMU chooses the CPU"),
    _native("watchdog_action", "watchdog-set-action", native.watchdog_action),
    _native("cpu", "query-cpus-fast", native.cpu, "kept for each client"),
    _native("usb_add", "device_add", successors.usb_add, "``disk:`` by the human monitor"),
    _human("usb_del", "info usb, device_del", successors.usb_del),
    _native(
        "pci_add",
        "netdev_add, device_add, query-pci",
        successors.pci_add,
        "a VLAN is a hub; ``storage`` by the human monitor",
    ),
    _native("pci_del", "query-pci, device_del", successors.pci_del),
    _native("host_net_add", "netdev_add", successors.host_net_add, "a VLAN is a hub; no ``dump``"),
    _native("host_net_remove", "netdev_del", successors.host_net_remove),
    _human("hostfwd_add", "hostfwd_add", successors.hostfwd_add),
    _human("hostfwd_remove", "hostfwd_remove", successors.hostfwd_remove),
    _human("host_net_redir", "hostfwd_add, hostfwd_remove", successors.host_net_redir),
    _fallback("commit"),
    _fallback("logfile"),
    _fallback("log"),
    _fallback("singlestep"),
    _fallback("gdbserver"),
    _fallback("x"),
    _fallback("xp"),
    _fallback("print"),
    _fallback("i"),
    _fallback("o"),
    _fallback("sum"),
    _fallback("mouse_move"),
    _fallback("mouse_button"),
    _fallback("mouse_set"),
    _fallback("wavcapture", "wants an audio device after the path today"),
    _fallback("stopcapture", "answers OK even where there is no such capture"),
    _fallback("drive_add"),
    _fallback("mce"),
    _gone("acl_show", "object_add authz-list"),
    _gone("acl_policy", "object_add authz-list"),
    _gone("acl_add", "object_add authz-list"),
    _gone("acl_remove", "object_add authz-list"),
    _gone("acl_reset", "object_add authz-list"),
    _gone("acl", "object_add authz-list"),
)

_INFO = (
    _native("info version", "query-version", info.asking("query-version", render.version)),
    _native("info status", "query-status", info.asking("query-status", render.status)),
    _human("info network", "info network", info.network, "QEMU has no JSON command for it"),
    _native("info chardev", "query-chardev", info.asking("query-chardev", render.chardev)),
    _native("info block", "query-block, qom-get", info.block),
    _native(
        "info blockstats", "query-blockstats", info.asking("query-blockstats", render.blockstats)
    ),
    _native("info balloon", "query-balloon", info.balloon),
    _human("info cpus", "query-cpus-fast, info registers", info.cpus),
    _native("info kvm", "query-kvm", info.asking("query-kvm", render.kvm)),
    _native("info name", "query-name", info.asking("query-name", render.name)),
    _native("info uuid", "query-uuid", info.asking("query-uuid", render.uuid)),
    _native("info vnc", "query-vnc", info.asking("query-vnc", render.vnc)),
    _native("info mice", "query-mice", info.asking("query-mice", render.mice)),
    _native("info migrate", "query-migrate", info.asking("query-migrate", render.migrate)),
    _native("info pci", "query-pci", info.asking("query-pci", render.pci)),
    _native("info snapshots", "query-block", info.asking("query-block", render.snapshots)),
    _fallback("info registers"),
    _fallback("info history", "the human monitor of one command has none"),
    _fallback("info irq"),
    _fallback("info pic"),
    _fallback("info tlb"),
    _fallback("info mem"),
    _fallback("info jit"),
    _fallback("info numa"),
    _fallback("info usb"),
    _fallback("info usbhost"),
    _fallback("info profile"),
    _fallback("info capture"),
    _fallback("info usernet"),
    _fallback("info qtree"),
    _human("info slirp", "info usernet", successors.info_slirp),
    _gone("info hpet", "info qtree"),
    _gone("info kqemu", "info kvm"),
    _gone("info pcmcia"),
    _gone("info cpustats"),
)

COMMANDS_OF_2009: dict[str, Row] = {row.known.name: row for row in (*_COMMANDS, *_INFO)}
"""By their canonical names; ``help`` and ``info`` themselves are the table's."""


def _later(names: str, args: str, params: str, becomes: str, handler: Handler) -> Row:
    known = Known(names, args, params, f"as in the human monitor of today: {becomes}")
    return Row(known, Way.NATIVE, becomes, handler)


COMMANDS_SINCE = (
    _later("device_add", "s", "driver[,prop=value][,...]", "device_add", native.device_add),
    _later("device_del", "s", "id", "device_del", native.naming("device_del", "id")),
    _later("block_resize", "Bs", "device size", "block_resize", native.block_resize),
    _later(
        "block_job_set_speed",
        "Bs",
        "device speed",
        "block-job-set-speed",
        native.block_job_set_speed,
    ),
    _later("block_job_cancel", "-fB", "[-f] device", "block-job-cancel", native.block_job_cancel),
    *(
        _later(
            f"block_job_{verb}",
            "B",
            "device",
            f"block-job-{verb}",
            native.naming(f"block-job-{verb}", "device"),
        )
        for verb in ("pause", "resume", "complete")
    ),
)
"""Commands that came after 2009 and that one JSON command carries out, under today's names."""


def rows() -> Iterator[Row]:
    """All that the gateway knows by name."""
    yield from COMMANDS_OF_2009.values()
    yield from COMMANDS_SINCE
