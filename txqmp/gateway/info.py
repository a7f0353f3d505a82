"""The sub-commands of ``info`` that QEMU's JSON monitor answers, in the format of 2009."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from txqmp.errors import CommandFailed
from txqmp.gateway import render
from txqmp.gateway.call import Call, Handler, in_words_of_2009
from txqmp.proxy.common import NoAnswer

NO_BALLOON = "Ballooning not activated in VM"


def asking(command: str, rendered: Callable[[Any], list[str]]) -> Handler:
    """Make a sub-command of one JSON command and the way to show what it returns."""

    async def handler(call: Call) -> list[str]:
        return rendered(await call.ask(command))

    return handler


async def balloon(call: Call) -> list[str]:
    """``info balloon``"""
    with in_words_of_2009(("DeviceNotActive", NO_BALLOON)):
        return render.balloon(await call.ask("query-balloon"))


async def block(call: Call) -> list[str]:
    """``info block``"""
    drives = await call.ask("query-block")
    return render.block(drives, [await _kind(call, drive) for drive in drives])


async def _kind(call: Call, drive: Mapping[str, Any]) -> str:
    device_type = ""
    if drive.get("qdev"):
        try:
            device_type = await call.ask("qom-get", {"path": drive["qdev"], "property": "type"})
        except NoAnswer:
            raise
        except CommandFailed:
            # Unplugged in between, or not to be found by its name: the drive's own name tells.
            device_type = ""
    return render.drive_kind(drive, device_type)


async def cpus(call: Call) -> list[str]:
    """``info cpus``: where each CPU is, only the human monitor knows"""
    lines = []
    for each in await call.ask("query-cpus-fast"):
        index = each["cpu-index"]
        registers = await call.hmp("info registers", cpu=index)
        lines.append(render.cpu(index, call.cpu or 0, registers))
    return lines


async def check_cpu(call: Call, index: int) -> None:
    """
    Check the number of a CPU.

    :raises CommandFailed: there is none.
    """
    cpus: Sequence[Mapping[str, Any]] = await call.ask("query-cpus-fast")
    if index not in [each["cpu-index"] for each in cpus]:
        raise CommandFailed("Invalid CPU index")


async def network(call: Call) -> list[str]:
    """``info network``: only the human monitor knows"""
    return render.network(await call.hmp("info network"))
