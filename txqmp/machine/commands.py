"""
The commands of the simulated machine's text monitor that concern the machine as a whole.

Each gets the machine, the :class:`~txqmp.text.server.Request` and its arguments.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NoReturn

from txqmp.errors import CommandFailed
from txqmp.machine.state import Machine

if TYPE_CHECKING:
    from txqmp.text.server import Request

CPU = "cpu"
"""Where a connection keeps the CPU that its client chose (rule 21)."""

DEFAULT_HOLD = 100
"""Milliseconds that ``sendkey`` holds keys."""

_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([a-zA-Z]*)", re.ASCII)
_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_TIMES = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def _with_suffix(text: str, units: dict[str, Any]) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None or match[2].lower() not in units:
        raise CommandFailed(f"invalid value '{text}'")
    value = float(match[1]) * units[match[2].lower()]
    if not math.isfinite(value):
        raise CommandFailed(f"invalid value '{text}'")
    return float(value)


def no_files(machine: Machine, request: Request, *arguments: Any) -> NoReturn:
    """Refuse what would write a file."""
    raise CommandFailed("the simulated machine writes no files")


def no_ports(machine: Machine, request: Request, *arguments: Any) -> NoReturn:
    """Refuse what would listen on the host."""
    raise CommandFailed("the simulated machine opens no ports")


# Running, and not.


def stop(machine: Machine, request: Request) -> None:
    """``stop``"""
    machine.stop()


def cont(machine: Machine, request: Request) -> None:
    """``cont``"""
    machine.cont()


def system_reset(machine: Machine, request: Request) -> None:
    """``system_reset``"""
    machine.reset()


def system_powerdown(machine: Machine, request: Request) -> None:
    """``system_powerdown``"""
    machine.powerdown()


def quit_machine(machine: Machine, request: Request) -> None:
    """``quit`` (rule 18)"""
    machine.quit()
    request.close()


def singlestep(machine: Machine, request: Request, option: str | None) -> None:
    """``singlestep [on|off]``"""
    if option not in (None, "on", "off"):
        raise CommandFailed(f"unexpected option {option}")
    machine.singlestep = option != "off"


def gdbserver(machine: Machine, request: Request, device: str | None) -> str:
    """``gdbserver [device]``"""
    if device != "none":
        no_ports(machine, request)
    return "Disabled gdbserver"


def log(machine: Machine, request: Request, items: str) -> None:
    """``log item1[,...]``"""
    if items != "none":
        no_files(machine, request)


# The processors.


def cpu(machine: Machine, request: Request, index: int) -> None:
    """``cpu index``, for this connection alone (rule 21)"""
    machine.check_cpu(index)
    request.state[CPU] = index


def nmi(machine: Machine, request: Request, index: int) -> None:
    """``nmi cpu``"""
    machine.nmi(index)


# Keyboard and mice.


def sendkey(machine: Machine, request: Request, keys: str, hold: int | None) -> None:
    """``sendkey keys [hold_ms]``"""
    names = [name for name in keys.split("-") if name]
    machine.keyboard.press(names, (DEFAULT_HOLD if hold is None else hold) / 1000)


def mouse_move(machine: Machine, request: Request, dx: str, dy: str, dz: str | None) -> None:
    """``mouse_move dx dy [dz]``"""
    try:
        distance = [int(word, 0) for word in (dx, dy, dz or "0")]
    except ValueError:
        raise CommandFailed("mouse_move: integer expected") from None
    machine.mice.move(distance[0], distance[1])


def mouse_button(machine: Machine, request: Request, state: int) -> None:
    """``mouse_button state``"""
    machine.mice.press(state)


def mouse_set(machine: Machine, request: Request, index: int) -> None:
    """``mouse_set index``"""
    machine.mice.select(index)


def stopcapture(machine: Machine, request: Request, index: int) -> NoReturn:
    """``stopcapture index``: nothing is ever captured"""
    raise CommandFailed(f"no capture with index {index}")


# Settings.


def balloon(machine: Machine, request: Request, target: int) -> None:
    """``balloon target``"""
    machine.set_balloon(target)


def boot_set(machine: Machine, request: Request, order: str) -> str:
    """``boot_set bootdevice``"""
    machine.set_boot_order(order)
    return f"boot device list now set to {order}"


def watchdog_action(machine: Machine, request: Request, action: str) -> None:
    """``watchdog_action action``"""
    machine.set_watchdog_action(action)


# Snapshots and migration.


def savevm(machine: Machine, request: Request, name: str | None) -> None:
    """``savevm [tag|id]``"""
    machine.save(name)


def loadvm(machine: Machine, request: Request, name: str) -> None:
    """``loadvm tag|id``"""
    machine.load(name)


def delvm(machine: Machine, request: Request, name: str) -> None:
    """``delvm tag|id``"""
    machine.delete_snapshot(name)


def migrate(machine: Machine, request: Request, detach: bool, uri: str) -> None:
    """``migrate [-d] uri``: detached or not, it is done once it began (rule 20)"""
    machine.migrate(uri)


def migrate_cancel(machine: Machine, request: Request) -> None:
    """``migrate_cancel``"""
    machine.migration.cancel()


def migrate_set_speed(machine: Machine, request: Request, value: str) -> None:
    """``migrate_set_speed value``"""
    machine.migration.set_speed(_with_suffix(value, _SIZES))


def migrate_set_downtime(machine: Machine, request: Request, value: str) -> None:
    """``migrate_set_downtime value``"""
    machine.migration.set_downtime(_with_suffix(value, _TIMES))
