"""The commands of 2009 that QEMU's JSON monitor carries out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from txqmp.errors import CommandFailed
from txqmp.gateway.call import CPU, Call, Handler, in_words_of_2009
from txqmp.gateway.info import NO_BALLOON, check_cpu
from txqmp.proxy.common import NoAnswer

KEYS = {"<": "less", "altgr": "alt_r", "altgr_r": "alt_r"}
"""Names of keys that have another name today."""

MAX_KEYS = 16
"""Keys pressed together."""

_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([a-zA-Z]*)", re.ASCII)
_SIZES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_TIMES = {"": 1000.0, "s": 1000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
_NO_CPU = ("expects a CPU number", "Invalid CPU index")
_DISPLAY = re.compile(r"(?:\[([^\]\s]+)\]|([^\s,:\[\]]*)):([0-9]{1,5})", re.ASCII)
_KEY_CODE = re.compile(r"0x[0-9a-fA-F]{1,2}")
_VNC_PORT = 5900
_LAST_PORT = 65535


def sending(command: str, **arguments: Any) -> Handler:
    """Make a command of one JSON command that says nothing."""

    async def handler(call: Call) -> None:
        await call.ask(command, arguments)

    return handler


def naming(command: str, argument: str) -> Handler:
    """Make a command whose one argument goes to a JSON command under a name."""

    async def handler(call: Call, value: str) -> None:
        await call.ask(command, {argument: value})

    return handler


def _amount(text: str, units: Mapping[str, float]) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None or match[2].lower() not in units:
        raise CommandFailed(f"invalid value '{text}'")
    value = float(match[1]) * units[match[2].lower()]
    if not math.isfinite(value) or value >= 1 << 63:
        raise CommandFailed(f"invalid value '{text}'")
    return value


async def quit_machine(call: Call) -> None:
    """``quit`` (rule 18): that the monitor is gone before it says so is a success"""
    was_there = call.upstream.ready
    try:
        await call.ask("quit")
    except NoAnswer:
        if call.upstream.ready or not was_there:
            raise
    call.request.close()


# Drives and their media.


async def _drive(call: Call, name: str) -> dict[str, Any]:
    """Find a drive as ``info block`` names it, and say how QEMU wants it named."""
    for drive in await call.ask("query-block"):
        if not name or name not in (drive.get("device"), drive.get("qdev")):
            continue
        return {"device": name} if drive.get("device") == name else {"id": name}
    raise CommandFailed("device not found")


def _media_words() -> Any:
    return in_words_of_2009(
        (r"is locked", "device is locked"), (r"is not removable", "device is not removable")
    )


async def eject(call: Call, force: bool, device: str) -> None:
    """``eject [-f] device``"""
    drive = await _drive(call, device)
    with _media_words():
        await call.ask("eject", {**drive, "force": force})


async def change(call: Call, device: str, target: str, third: str | None) -> None:
    """``change device filename [format]``, ``change vnc display``, ``change vnc password …``"""
    if device == "vnc":
        await _change_vnc(call, target, third)
        return
    arguments = {**await _drive(call, device), "filename": target}
    if third is not None:
        arguments["format"] = third
    with _media_words(), in_words_of_2009((r"Unknown driver", f"invalid format {third}")):
        await call.ask("blockdev-change-medium", arguments)


async def _change_vnc(call: Call, target: str, password: str | None) -> None:
    if target in ("password", "passwd"):
        if password is None:
            raise CommandFailed("a password is required: there are no prompts here")
        with in_words_of_2009(("GenericError", "could not set VNC server password")):
            await call.ask("change-vnc-password", {"password": password})
        return
    path = target.removeprefix("unix:")
    match = _DISPLAY.fullmatch(target)
    port = _VNC_PORT + int(match[3]) if match else 0
    if path != target and path:
        address = {"type": "unix", "path": path}
    elif match is not None and port <= _LAST_PORT:
        address = {"type": "inet", "host": match[1] or match[2], "port": str(port)}
    else:
        raise CommandFailed(f"could not start VNC server on {target}")
    await call.ask("display-update", {"type": "vnc", "addresses": [address]})


async def block_resize(call: Call, device: str, size: str) -> None:
    """``block_resize device size``: MiB unless a suffix says otherwise"""
    amount = _amount(size, {**_SIZES, "": 1 << 20})
    await call.ask("block_resize", {"device": device, "size": int(amount)})


async def block_job_set_speed(call: Call, device: str, speed: str) -> None:
    """``block_job_set_speed device speed``: bytes in a second"""
    await call.ask("block-job-set-speed", {"device": device, "speed": int(_amount(speed, _SIZES))})


async def block_job_cancel(call: Call, force: bool, device: str) -> None:
    """``block_job_cancel [-f] device``"""
    await call.ask("block-job-cancel", {"device": device, "force": force})


# Devices.


def pairs(text: str, first: str) -> list[tuple[str, str]]:
    """
    Read ``driver,key=value,…``; a comma that belongs to a value is doubled.

    :param first: the key of what comes first without one.
    :raises CommandFailed: it cannot be read.
    """
    found = []
    for index, part in enumerate(text.replace(",,", "\0").split(",")):
        word, equals, value = part.replace("\0", ",").partition("=")
        if equals:
            key = word
        else:
            # A flag of old stands for "on".
            key, value = (first, word) if index == 0 else (word, "on")
        if not key:
            raise CommandFailed(f"invalid parameter '{word}'")
        found.append((key, value))
    return found


def properties(text: str, first: str = "") -> dict[str, str]:
    """Read what :func:`pairs` reads; the last of a key counts."""
    return dict(pairs(text, first))


async def device_add(call: Call, text: str) -> None:
    """``device_add driver[,prop=value][,...]``"""
    await call.ask("device_add", properties(text, "driver"))


async def set_link(call: Call, name: str, state: str) -> None:
    """``set_link name up|down``"""
    if state not in ("up", "down"):
        raise CommandFailed(f"invalid link status '{state}'; only 'up' or 'down' valid")
    with in_words_of_2009(("DeviceNotFound", f"could not find network device '{name}'")):
        await call.ask("set_link", {"name": name, "up": state == "up"})


async def balloon(call: Call, target: int) -> None:
    """``balloon target``, in MiB"""
    with in_words_of_2009(("DeviceNotActive", NO_BALLOON)):
        await call.ask("balloon", {"value": target << 20})


async def sendkey(call: Call, keys: str, hold: int | None) -> None:
    """``sendkey keys [hold_ms]``"""
    names = [name for name in keys.split("-") if name]
    if not names:
        raise CommandFailed(f"unknown key: '{keys}'")
    if len(names) > MAX_KEYS:
        raise CommandFailed("too many keys")
    arguments: dict[str, Any] = {"keys": [_key(name) for name in names]}
    if hold is not None:
        arguments["hold-time"] = hold
    try:
        await call.ask("send-key", arguments)
    except CommandFailed as error:
        unknown = re.search(r"does not accept value '(.*)'|Invalid parameter '(.*)'", error.reason)
        if unknown is None:
            raise
        raise CommandFailed(f"unknown key: '{unknown[1] or unknown[2]}'") from None


def _key(name: str) -> dict[str, Any]:
    if name.startswith("0x"):
        if not _KEY_CODE.fullmatch(name):
            raise CommandFailed(f"unknown key: '{name}'")
        return {"type": "number", "data": int(name, 16)}
    return {"type": "qcode", "data": KEYS.get(name, name)}


# Processors and memory.


async def cpu(call: Call, index: int) -> None:
    """``cpu index``, for this connection alone (rule 21)"""
    await check_cpu(call, index)
    call.request.state[CPU] = index


async def nmi(call: Call, index: int) -> None:
    """``nmi cpu``: QEMU chooses today who gets it"""
    await check_cpu(call, index)
    await call.ask("inject-nmi")


def _signed(address: int) -> int:
    # What goes beyond is sent as the negative number of the same 64 bits.
    return address - (1 << 64) if address >= 1 << 63 else address


async def memsave(call: Call, address: int, size: int, filename: str) -> None:
    """``memsave addr size file``: as the chosen CPU sees it"""
    with in_words_of_2009(_NO_CPU):
        place = {"val": _signed(address), "size": size, "filename": filename}
        arguments = call.for_cpu(place)
        await call.ask("memsave", arguments)


async def pmemsave(call: Call, address: int, size: int, filename: str) -> None:
    """``pmemsave addr size file``"""
    arguments = {"val": _signed(address), "size": size, "filename": filename}
    await call.ask("pmemsave", arguments)


async def watchdog_action(call: Call, action: str) -> None:
    """``watchdog_action action``"""
    with in_words_of_2009((r"does not accept value", f"Unknown action '{action}'")):
        await call.ask("watchdog-set-action", {"action": action})


# Migration.


async def migrate(call: Call, detach: bool, uri: str) -> None:
    """``migrate [-d] uri``: OK means started, detached or not (rule 20)"""
    await call.ask("migrate", {"uri": uri})


async def migrate_set_speed(call: Call, value: str) -> None:
    """``migrate_set_speed value``: bytes in a second"""
    speed = int(_amount(value, _SIZES))
    await call.ask("migrate-set-parameters", {"max-bandwidth": speed})


async def migrate_set_downtime(call: Call, value: str) -> None:
    """``migrate_set_downtime value``: seconds; to JSON, milliseconds, and no less than one"""
    limit = math.ceil(_amount(value, _TIMES))
    await call.ask("migrate-set-parameters", {"downtime-limit": limit})
