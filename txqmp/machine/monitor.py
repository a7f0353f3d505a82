"""The simulated machine's text monitor: the commands of 2009 that need no guest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from txqmp.machine import commands, devices, info
from txqmp.machine.state import Machine
from txqmp.text.events import from_json
from txqmp.text.server import TextServerFactory
from txqmp.text.table import CommandTable
from txqmp.text.vocabulary import VOCABULARY

_COMMANDS: dict[str, Callable[..., Any]] = {
    "stop": commands.stop,
    "cont": commands.cont,
    "system_reset": commands.system_reset,
    "system_powerdown": commands.system_powerdown,
    "quit": commands.quit_machine,
    "singlestep": commands.singlestep,
    "gdbserver": commands.gdbserver,
    "cpu": commands.cpu,
    "nmi": commands.nmi,
    "sendkey": commands.sendkey,
    "mouse_move": commands.mouse_move,
    "mouse_button": commands.mouse_button,
    "mouse_set": commands.mouse_set,
    "balloon": commands.balloon,
    "boot_set": commands.boot_set,
    "watchdog_action": commands.watchdog_action,
    "savevm": commands.savevm,
    "loadvm": commands.loadvm,
    "delvm": commands.delvm,
    "migrate": commands.migrate,
    "migrate_cancel": commands.migrate_cancel,
    "migrate_set_speed": commands.migrate_set_speed,
    "migrate_set_downtime": commands.migrate_set_downtime,
    "eject": devices.eject,
    "change": devices.change,
    "commit": devices.commit,
    "set_link": devices.set_link,
    "host_net_add": devices.host_net_add,
    "host_net_remove": devices.host_net_remove,
    "hostfwd_add": commands.no_ports,
    "hostfwd_remove": commands.no_ports,
    "pci_add": devices.pci_add,
    "pci_del": devices.pci_del,
    "drive_add": devices.drive_add,
    "usb_add": devices.usb_add,
    "usb_del": devices.usb_del,
    "acl_show": devices.acl_show,
    "acl_policy": devices.acl_policy,
    "acl_add": devices.acl_add,
    "acl_remove": devices.acl_remove,
    "acl_reset": devices.acl_reset,
    "screendump": commands.no_files,
    "logfile": commands.no_files,
    "log": commands.log,
    "memsave": commands.no_files,
    "pmemsave": commands.no_files,
    "wavcapture": commands.no_files,
    "stopcapture": commands.stopcapture,
    "info balloon": info.balloon,
    "info block": info.block,
    "info blockstats": info.blockstats,
    "info capture": info.fixed(),
    "info chardev": info.fixed("serial0: filename=null", "parallel0: filename=null"),
    "info cpus": info.cpus,
    "info history": info.fixed(),
    "info hpet": info.fixed("HPET is enabled by QEMU"),
    "info irq": info.fixed("irq statistic code not compiled."),
    "info kqemu": info.fixed("kqemu support: not compiled"),
    "info kvm": info.fixed("kvm support: not compiled"),
    "info mice": info.mice,
    "info migrate": info.migrate,
    "info name": info.name,
    "info network": info.network,
    "info numa": info.fixed("0 nodes"),
    "info pci": info.pci,
    "info pcmcia": info.fixed("No PCMCIA sockets"),
    "info profile": info.fixed("Internal profiler not compiled"),
    "info snapshots": info.snapshots,
    "info status": info.status,
    "info usb": info.usb,
    "info usernet": info.usernet,
    "info uuid": info.uuid,
    "info version": info.fixed(info.QEMU_VERSION),
    "info vnc": info.vnc,
}


def monitor_table(machine: Machine) -> CommandTable:
    """
    Put a text monitor's commands before a machine.

    :returns: a table for a :class:`~txqmp.text.server.TextServerFactory`; it tells no events.
    """
    table = CommandTable()
    for name, handler in _COMMANDS.items():
        table.command(*VOCABULARY[name])(partial(handler, machine))
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
