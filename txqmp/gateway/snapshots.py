"""Snapshots of a whole machine, by the jobs that QEMU has for them since 6.0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from secrets import token_hex
from time import localtime, strftime
from typing import Any

from txqmp.errors import CommandFailed
from txqmp.gateway.call import Call, to_its_end
from txqmp.gateway.hmp import pass_on
from txqmp.gateway.render import drive_name, saved_states, snapshot_drives
from txqmp.jsonqmp.grammar import Event


class _Drives:
    """Where snapshots go: all that is writable, and the machine's state to one of them."""

    def __init__(self, drives: list[dict[str, Any]]) -> None:
        able = snapshot_drives(drives)
        if not able:
            raise CommandFailed("No block device can accept snapshots")
        self._first = able[0]
        self._nodes = [
            drive["inserted"]["node-name"]
            for drive in drives
            if not drive.get("inserted", {"ro": True})["ro"]
        ]

    def tag(self, name: str) -> str | None:
        """The tag of the snapshot of this tag or number, or None."""
        for state in saved_states(self._first):
            if name in (state["id"], state["name"]):
                return str(state["name"])
        return None

    def need(self, name: str) -> str:
        tag = self.tag(name)
        if tag is None:
            device = drive_name(self._first)
            raise CommandFailed(f"Could not find snapshot '{name}' on device '{device}'")
        return tag

    def devices(self, tag: str) -> dict[str, Any]:
        return {"tag": tag, "devices": self._nodes}

    def devices_and_state(self, tag: str) -> dict[str, Any]:
        return {**self.devices(tag), "vmstate": self._first["inserted"]["node-name"]}


@to_its_end
async def savevm(call: Call, name: str | None) -> Iterable[str] | None:
    """``savevm [tag|id]``: one of this name is replaced"""
    if not await call.knows("snapshot-save"):
        return await pass_on(call)
    drives = _Drives(await call.ask("query-block"))
    old = None if name is None else drives.tag(name)
    tag = old or name or strftime("vm-%Y%m%d%H%M%S", localtime())
    if old is not None:
        await _job(call, "snapshot-delete", drives.devices(tag))
    await _job(call, "snapshot-save", drives.devices_and_state(tag))
    return None


@to_its_end
async def loadvm(call: Call, name: str) -> Iterable[str] | None:
    """``loadvm tag|id``"""
    if not await call.knows("snapshot-load"):
        return await pass_on(call)
    drives = _Drives(await call.ask("query-block"))
    await _job(call, "snapshot-load", drives.devices_and_state(drives.need(name)))
    return None


@to_its_end
async def delvm(call: Call, name: str) -> Iterable[str] | None:
    """``delvm tag|id``"""
    if not await call.knows("snapshot-delete"):
        return await pass_on(call)
    drives = _Drives(await call.ask("query-block"))
    await _job(call, "snapshot-delete", drives.devices(drives.need(name)))
    return None


async def _job(call: Call, command: str, arguments: Mapping[str, Any]) -> None:
    job = f"txqmp-{token_hex(6)}"
    concluded = call.upstream.wait_for_event(_concludes(job))
    try:
        await call.ask(command, {"job-id": job, **arguments})
    except CommandFailed:
        concluded.addErrback(lambda failure: None)
        concluded.cancel()
        raise
    await concluded
    found = [each for each in await call.ask("query-jobs") if each["id"] == job]
    await call.ask("job-dismiss", {"id": job})
    if found and "error" in found[0]:
        raise CommandFailed(found[0]["error"])


def _concludes(job: str) -> Callable[[Event], bool]:
    sign = {"id": job, "status": "concluded"}
    return lambda event: event.name == "JOB_STATUS_CHANGE" and dict(event.data) == sign
