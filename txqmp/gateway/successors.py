"""Commands of 2009 that QEMU has given up, by what has come after them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import count
from secrets import token_hex
from typing import Any

from txqmp.errors import CommandFailed
from txqmp.gateway import hmp
from txqmp.gateway.call import Call, in_words_of_2009, to_its_end
from txqmp.gateway.native import pairs, properties
from txqmp.text.grammar import quote

_USB = {
    "mouse": "usb-mouse",
    "tablet": "usb-tablet",
    "keyboard": "usb-kbd",
    "wacom-tablet": "usb-wacom-tablet",
}
_USB_DISK = re.compile(r"(?:format=([^:]*):)?(.+)")
_USB_HOST = re.compile(r"(\d+)\.(\d+)")
_USB_IDS = re.compile(r"([0-9a-fA-F]{1,4}):([0-9a-fA-F]{1,4})")
_USB_DEVICE = re.compile(r"^  Device (\d+\.\d+), .*?(?:, ID: (.*))?$", re.MULTILINE)
_PCI_ADDRESS = re.compile(r"(?:(?:([0-9a-fA-F]+):)?([0-9a-fA-F]+):)?([0-9a-fA-F]+)(?:\.0)?")
_TAG = "pci_addr="
_CARDS = {"virtio": "virtio-net-pci"}
_NET_KINDS = ("tap", "user", "socket", "vde")
_NET_FLAGS = ("restrict", "ipv4", "ipv6", "vnet_hdr", "vhost", "vhostforce")
_NET_NUMBERS = ("sndbuf", "queues", "port", "mode", "ipv6-prefixlen")
_NET_LISTS = ("hostfwd", "guestfwd", "dnssearch")
_MANY = 1000


def _fresh(kind: str) -> str:
    return f"{kind}-{token_hex(3)}"


# USB.


@to_its_end
async def usb_add(call: Call, device: str) -> None:
    """``usb_add device``: ``device_add``"""
    kind, _, rest = device.partition(":")
    arguments = {"id": _fresh("usb")}
    if device in _USB:
        arguments["driver"] = _USB[device]
    elif kind == "host":
        arguments |= {"driver": "usb-host", **_usb_host(device, rest)}
    elif kind == "disk":
        drive = await _add_drive(call, _usb_disk(device, rest))
        async with _or_undo(call.hmp, f"drive_del {drive}"):
            await call.ask("device_add", {**arguments, "driver": "usb-storage", "drive": drive})
        return
    else:
        raise CommandFailed(f"could not add USB device '{device}'")
    await call.ask("device_add", arguments)


def _usb_disk(device: str, rest: str) -> dict[str, str]:
    match = _USB_DISK.fullmatch(rest)
    if match is None:
        raise CommandFailed(f"could not add USB device '{device}'")
    return {"file": match[2], **({"format": match[1]} if match[1] else {})}


def _usb_host(device: str, rest: str) -> dict[str, str]:
    place = _USB_HOST.fullmatch(rest)
    if place:
        return {"hostbus": place[1], "hostaddr": place[2]}
    ids = _USB_IDS.fullmatch(rest)
    if ids:
        return {"vendorid": f"0x{ids[1]}", "productid": f"0x{ids[2]}"}
    raise CommandFailed(f"could not add USB device '{device}'")


async def usb_del(call: Call, device: str) -> None:
    """``usb_del bus.addr``: ``device_del`` of the device that has this address"""
    found = [name for at, name in _USB_DEVICE.findall(await call.hmp("info usb")) if at == device]
    if not found:
        raise CommandFailed(f"could not remove USB device '{device}'")
    if len(found) > 1:
        raise CommandFailed(f"{len(found)} devices are at {device}: use device_del and an id")
    await _remove(call, found[0], device)


async def _remove(call: Call, name: str, address: str) -> None:
    if not name:
        raise CommandFailed(f"the device at {address} has no id: device_del cannot remove it")
    await call.ask("device_del", {"id": name})


# PCI.


@to_its_end
async def pci_add(call: Call, address: str, kind: str, options: str | None) -> list[str]:
    """``pci_add auto|slot nic|storage options``: ``device_add``, and what it wants before"""
    settings = properties(options) if options else {}
    arguments = {} if address.removeprefix(_TAG) == "auto" else {"addr": f"0x{_slot(address):x}"}
    if kind == "nic":
        added = await _add_card(call, arguments, settings)
    elif kind == "storage":
        added = await _add_storage(call, arguments, settings)
    else:
        raise CommandFailed(f"invalid type: {kind}")
    for device in await _pci_devices(call):
        if device["qdev_id"] == added:
            place = f"bus {device['bus']}, slot {device['slot']}, function {device['function']}"
            return [f"OK domain 0, {place}"]
    return []


async def _add_card(call: Call, arguments: dict[str, str], settings: dict[str, str]) -> str:
    model = settings.pop("model", "rtl8139")
    card = settings.pop("name", None) or _fresh("nic")
    arguments |= {"driver": _CARDS.get(model, model), "id": card}
    if "macaddr" in settings:
        arguments["mac"] = settings.pop("macaddr")
    port = f"{card}-port"
    hub = _vlan(settings.pop("vlan", "0"))
    _nothing_left(settings)
    await call.ask("netdev_add", {"type": "hubport", "id": port, "hubid": hub})
    async with _or_undo(call.ask, "netdev_del", {"id": port}):
        await call.ask("device_add", {**arguments, "netdev": port})
    return card


async def _add_storage(call: Call, arguments: dict[str, str], settings: dict[str, str]) -> str:
    interface = settings.pop("if", "scsi")
    if interface not in ("scsi", "virtio"):
        raise CommandFailed(f"type {interface} not a hotpluggable PCI device")
    settings.pop("bus", None)
    disk = _fresh("disk")
    if interface == "scsi" and not settings:
        await call.ask("device_add", {**arguments, "driver": "lsi53c895a", "id": disk})
        return disk
    drive = await _add_drive(call, settings)
    async with _or_undo(call.hmp, f"drive_del {drive}"):
        if interface == "virtio":
            arguments |= {"driver": "virtio-blk-pci", "drive": drive, "id": disk}
            await call.ask("device_add", arguments)
            return disk
        await call.ask("device_add", {**arguments, "driver": "lsi53c895a", "id": disk})
        async with _or_undo(call.ask, "device_del", {"id": disk}):
            await call.ask("device_add", {"driver": "scsi-hd", "bus": f"{disk}.0", "drive": drive})
    return disk


@asynccontextmanager
async def _or_undo(act: Callable[..., Awaitable[Any]], *arguments: Any) -> AsyncIterator[None]:
    """Take back what was done before, if what follows fails."""
    try:
        yield
    except CommandFailed:
        with suppress(CommandFailed):
            await act(*arguments)
        raise


async def _add_drive(call: Call, settings: Mapping[str, str]) -> str:
    """Add a drive that no device has yet; its format is probed, as it was in 2009."""
    if "file" not in settings:
        raise CommandFailed("no file was given: file=…")
    drive = _fresh("drive")
    pairs = {"if": "none", "id": drive, **settings}
    text = ",".join(f"{key}={value.replace(',', ',,')}" for key, value in pairs.items())
    for _ in await hmp.carry_out(call, f"drive_add 0 {quote(text)}"):
        pass
    return drive


async def pci_del(call: Call, address: str) -> None:
    """``pci_del [[<domain>:]<bus>:]<slot>``: ``device_del``"""
    slot = _slot(address)
    at = [device for device in await _pci_devices(call) if device["slot"] == slot]
    if not at:
        raise CommandFailed(f"slot {slot} empty")
    await _remove(call, at[0]["qdev_id"], f"slot {slot}")


def _slot(address: str) -> int:
    match = _PCI_ADDRESS.fullmatch(address.removeprefix(_TAG))
    if match is None:
        raise CommandFailed(f"invalid pci address {address}")
    if int(match[1] or "0", 16) or int(match[2] or "0", 16):
        raise CommandFailed(f"{address}: only bus 0 can be named")
    return int(match[3], 16)


async def _pci_devices(call: Call) -> list[dict[str, Any]]:
    buses = await call.ask("query-pci")
    return [device for bus in buses if bus["bus"] == 0 for device in bus["devices"]]


# The network: the VLAN of old is the hub of today.


def _vlan(text: str) -> int:
    if not text.isdecimal():
        raise CommandFailed(f"invalid VLAN '{text}'")
    return int(text)


def _nothing_left(settings: Mapping[str, str]) -> None:
    if settings:
        raise CommandFailed(f"unknown option '{next(iter(settings))}'")


@to_its_end
async def host_net_add(call: Call, kind: str, options: str | None) -> None:
    """``host_net_add tap|user|socket|vde [options]``: ``netdev_add``, on a hub"""
    if kind not in _NET_KINDS:
        raise CommandFailed(f"invalid host network device {kind}")
    arguments: dict[str, Any] = {"type": kind}
    hub, name = 0, None
    for key, value in pairs(options, "") if options else ():
        if key in ("type", "id"):
            raise CommandFailed(f"unknown option '{key}'")
        if key == "vlan":
            hub = _vlan(value)
        elif key == "name":
            name = value
        elif key in _NET_LISTS:
            arguments.setdefault(key, []).append({"str": value})
        else:
            arguments[key] = _typed(key, value)
    backend = await _add_backend(call, arguments, name)
    async with _or_undo(call.ask, "netdev_del", {"id": backend}):
        port = {"type": "hubport", "id": f"{backend}-port", "hubid": hub, "netdev": backend}
        await call.ask("netdev_add", port)


async def _add_backend(call: Call, arguments: Mapping[str, Any], name: str | None) -> str:
    for number in count():
        backend = name or f"{arguments['type']}.{number}"
        try:
            await call.ask("netdev_add", {**arguments, "id": backend})
        except CommandFailed as error:
            if name is not None or number >= _MANY or not error.reason.startswith("Duplicate"):
                raise
        else:
            return backend
    raise AssertionError("there is no last number")


def _typed(key: str, value: str) -> Any:
    if key in _NET_FLAGS:
        if value not in ("on", "off", "yes", "no", "y", "n"):
            raise CommandFailed(f"{key} is 'on' or 'off', not '{value}'")
        return value in ("on", "yes", "y")
    if key in _NET_NUMBERS:
        if not value.isdecimal():
            raise CommandFailed(f"{key} is a number, not '{value}'")
        return int(value)
    return value


@to_its_end
async def host_net_remove(call: Call, vlan: int, name: str) -> None:
    """``host_net_remove vlan_id name``: ``netdev_del``, and then of its place on a hub"""
    with in_words_of_2009(("DeviceNotFound", f"can't find device {name}")):
        await call.ask("netdev_del", {"id": name})
    try:
        await call.ask("netdev_del", {"id": f"{name}-port"})
    except CommandFailed as error:
        if error.error_class != "DeviceNotFound":
            raise


async def hostfwd_add(
    call: Call, first: str, second: str | None, third: str | None
) -> Iterable[str]:
    """``hostfwd_add [vlan_id name] rule``: the name alone tells the backend today"""
    return await _hostfwd(call, "hostfwd_add", first, second, third)


async def hostfwd_remove(
    call: Call, first: str, second: str | None, third: str | None
) -> Iterable[str]:
    """``hostfwd_remove [vlan_id name] rule``"""
    return await _hostfwd(call, "hostfwd_remove", first, second, third)


async def _hostfwd(call: Call, *words: str | None) -> Iterable[str]:
    command, *given = [word for word in words if word is not None]
    if len(given) == 3:
        del given[0]
    return await hmp.carry_out(call, " ".join([command, *map(quote, given)]))


async def host_net_redir(call: Call, rule: str, removed: str | None) -> Iterable[str]:
    """``host_net_redir [tcp|udp]:host-port:[guest-host]:guest-port``: ``hostfwd_add``"""
    parts = (removed or rule).split(":")
    if removed is not None:
        if rule != "remove" or len(parts) != 2:
            raise CommandFailed(f"invalid redirection {rule} {removed}")
        return await hmp.carry_out(call, f"hostfwd_remove {quote(f'{parts[0]}::{parts[1]}')}")
    if len(parts) != 4:
        raise CommandFailed(f"invalid redirection {rule}")
    protocol, port, guest, guest_port = parts
    line = f"hostfwd_add {quote(f'{protocol}::{port}-{guest}:{guest_port}')}"
    return await hmp.carry_out(call, line)


async def info_slirp(call: Call) -> Iterable[str]:
    """``info slirp``: ``info usernet``"""
    return await hmp.carry_out(call, "info usernet")
