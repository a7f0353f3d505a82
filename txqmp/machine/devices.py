"""
The commands of the simulated machine's text monitor that concern one of its devices.

Each gets the machine, the :class:`~txqmp.text.server.Request` and its arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from txqmp.errors import CommandFailed
from txqmp.machine import hotplug
from txqmp.machine.buses import slot_number
from txqmp.machine.state import Machine
from txqmp.machine.vnc import AccessList

if TYPE_CHECKING:
    from txqmp.text.server import Request


# Drives.


def eject(machine: Machine, request: Request, force: bool, device: str) -> None:
    """``eject [-f] device``"""
    machine.drives.eject(device, force)


def change(
    machine: Machine, request: Request, device: str, target: str, setting: str | None
) -> None:
    """``change device filename [format]``, ``change vnc display``, ``change vnc password …``"""
    if device != "vnc":
        machine.drives.change(device, target, setting)
    elif target not in ("password", "passwd"):
        machine.vnc.open(target)
    elif setting is None:
        # Rule 19.
        raise CommandFailed("a password is required: there are no prompts here")
    else:
        machine.vnc.set_password(setting)


def commit(machine: Machine, request: Request, device: str) -> None:
    """``commit device|all``: there are no overlays, so there is nothing to do"""
    if device != "all":
        machine.drives.find(device)


# Network.


def set_link(machine: Machine, request: Request, name: str, state: str) -> None:
    """``set_link name up|down``"""
    machine.network.find(name)
    if state not in ("up", "down"):
        raise CommandFailed(f"invalid link status '{state}'; only 'up' or 'down' valid")
    machine.network.set_link(name, state == "up")


def host_net_add(machine: Machine, request: Request, model: str, settings: str | None) -> None:
    """``host_net_add tap|user|socket|vde|dump [options]``"""
    machine.network.add_host(model, settings or "")


def host_net_remove(machine: Machine, request: Request, vlan: int, name: str) -> None:
    """``host_net_remove vlan_id name``"""
    machine.network.remove_host(vlan, name)


# PCI and USB.


def pci_add(
    machine: Machine, request: Request, address: str, kind: str, settings: str | None
) -> str:
    """``pci_add auto|[[<domain>:]<bus>:]<slot> nic|storage …``"""
    slot = slot_number(address.removeprefix("pci_addr="))
    if kind == "nic":
        slot = hotplug.add_nic(machine, slot, settings or "")
    elif kind == "storage":
        slot = hotplug.add_storage(machine, slot, settings or "")
    else:
        raise CommandFailed(f"invalid type: {kind}")
    return f"OK domain 0, bus 0, slot {slot}, function 0"


def pci_del(machine: Machine, request: Request, address: str) -> None:
    """``pci_del [[<domain>:]<bus>:]<slot>``"""
    hotplug.remove(machine, _slot(address))


def drive_add(machine: Machine, request: Request, address: str, settings: str) -> str:
    """``drive_add [[<domain>:]<bus>:]<slot> …``"""
    bus, unit = hotplug.add_drive(machine, _slot(address), settings)
    return f"OK bus {bus}, unit {unit}"


def _slot(address: str) -> int:
    slot = slot_number(address.removeprefix("pci_addr="))
    if slot is None:
        raise CommandFailed("Invalid pci address")
    return slot


def usb_add(machine: Machine, request: Request, name: str) -> None:
    """``usb_add device``"""
    hotplug.add_usb(machine, name)


def usb_del(machine: Machine, request: Request, address: str) -> None:
    """``usb_del device``"""
    hotplug.remove_usb(machine, address)


# The access list of the VNC server.


def _access_list(machine: Machine, name: str) -> AccessList:
    try:
        return machine.access[name]
    except KeyError:
        raise CommandFailed(f"acl: unknown list '{name}'") from None


def _allows(policy: str) -> bool:
    if policy not in ("allow", "deny"):
        raise CommandFailed(f"acl: unknown policy '{policy}', expected 'deny' or 'allow'")
    return policy == "allow"


def _policy(allow: bool) -> str:
    return "allow" if allow else "deny"


def acl_show(machine: Machine, request: Request, name: str) -> list[str]:
    """``acl_show aclname``"""
    acl = _access_list(machine, name)
    rules = [f"{i}: {_policy(allow)} {match}" for i, (allow, match) in enumerate(acl.rules, 1)]
    return [f"policy: {_policy(acl.allow)}", *rules]


def acl_policy(machine: Machine, request: Request, name: str, policy: str) -> str:
    """``acl_policy aclname allow|deny``"""
    acl = _access_list(machine, name)
    acl.allow = _allows(policy)
    return f"acl: policy set to '{policy}'"


def acl_add(
    machine: Machine, request: Request, name: str, match: str, policy: str, index: int | None
) -> str:
    """``acl_add aclname match allow|deny [index]``"""
    position = _access_list(machine, name).add(_allows(policy), match, index)
    return f"acl: added rule at position {position}"


def acl_remove(machine: Machine, request: Request, name: str, match: str) -> str:
    """``acl_remove aclname match``"""
    return f"acl: removed rule at position {_access_list(machine, name).remove(match)}"


def acl_reset(machine: Machine, request: Request, name: str) -> str:
    """``acl_reset aclname``"""
    _access_list(machine, name).reset()
    return "acl: removed all rules"
