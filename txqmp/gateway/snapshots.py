"""Snapshots of a whole machine, by the jobs that QEMU has for them since 6.0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from secrets import token_hex
from time import localtime, strftime
from typing import Any

from txqmp.errors import CommandFailed, EventTimeout
from txqmp.gateway.call import Call, to_its_end
from txqmp.gateway.hmp import pass_on
from txqmp.gateway.render import drive_name, saved_states, snapshot_drives
from txqmp.jsonqmp.grammar import Event

_PREFIX = "txqmp-"
_OVER = {"status": "concluded"}
_PATIENCE = 30.0
"""Seconds after which a job that has not told of its end is asked for."""


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
        self._states = [(state["id"], state["name"]) for state in saved_states(self._first)]
        self._elsewhere = {state["name"] for drive in able[1:] for state in saved_states(drive)}

    def tag(self, name: str) -> str | None:
        """
        The tag of the snapshot of this tag or number, or None.

        :raises CommandFailed: QEMU would take it for the number of another one.
        """
        tag = next((tag for number, tag in self._states if name in (number, tag)), None)
        if any(number == (tag or name) != other for number, other in self._states):
            raise CommandFailed(f"'{tag or name}' is the number of another snapshot, too")
        return tag

    def need(self, name: str) -> str:
        tag = self.tag(name)
        if tag is None:
            device = drive_name(self._first)
            raise CommandFailed(f"Could not find snapshot '{name}' on device '{device}'")
        return tag

    def has(self, tag: str) -> bool:
        return tag in self._elsewhere or any(tag == other for _, other in self._states)

    def devices(self, tag: str) -> dict[str, Any]:
        return {"tag": tag, "devices": self._nodes}

    def devices_and_state(self, tag: str) -> dict[str, Any]:
        return {**self.devices(tag), "vmstate": self._first["inserted"]["node-name"]}


async def savevm(call: Call, name: str | None) -> Iterable[str] | None:
    """``savevm [tag|id]``: one of this name is replaced"""
    if not await call.knows("snapshot-save"):
        return await pass_on(call)
    await _alone(call, _save, name)
    return None


async def loadvm(call: Call, name: str) -> Iterable[str] | None:
    """``loadvm tag|id``"""
    if not await call.knows("snapshot-load"):
        return await pass_on(call)
    await _alone(call, _load, name)
    return None


async def delvm(call: Call, name: str) -> Iterable[str] | None:
    """``delvm tag|id``"""
    if not await call.knows("snapshot-delete"):
        return await pass_on(call)
    await _alone(call, _delete, name)
    return None


@to_its_end
async def _alone(call: Call, act: Callable[..., Any], name: str | None) -> None:
    """What one client looks at before it acts, another must not change."""
    async with call.upstream.snapshots:
        await act(call, _Drives(await call.ask("query-block")), name)


async def _save(call: Call, drives: _Drives, name: str | None) -> None:
    old = None if name is None else drives.tag(name)
    tag = old or name or strftime("vm-%Y%m%d%H%M%S", localtime())
    if drives.has(tag):
        # The old one goes first: let the new one not fail for what can be known before.
        reasons = (await call.ask("query-migrate")).get("blocked-reasons")
        if reasons:
            raise CommandFailed(reasons[0])
        await _job(call, "snapshot-delete", drives.devices(tag))
    await _job(call, "snapshot-save", drives.devices_and_state(tag))


async def _load(call: Call, drives: _Drives, name: str) -> None:
    await _job(call, "snapshot-load", drives.devices_and_state(drives.need(name)))


async def _delete(call: Call, drives: _Drives, name: str) -> None:
    await _job(call, "snapshot-delete", drives.devices(drives.need(name)))


async def _job(call: Call, command: str, arguments: Mapping[str, Any]) -> None:
    job = f"{_PREFIX}{token_hex(6)}"
    concluded = call.upstream.wait_for_event(_concludes(job), _PATIENCE)
    try:
        await call.ask(command, {"job-id": job, **arguments})
    except CommandFailed:
        concluded.addErrback(lambda failure: None)
        concluded.cancel()
        raise
    ended = False
    while not ended:
        try:
            await concluded
            ended = True
        except EventTimeout:
            # It takes its time, or the monitor hangs, which the question will show.
            concluded = call.upstream.wait_for_event(_concludes(job), _PATIENCE)
        jobs = {each["id"]: each for each in await call.ask("query-jobs")}
        ended = ended or jobs.get(job, _OVER)["status"] == "concluded"
    concluded.addErrback(lambda failure: None)
    concluded.cancel()
    for name, each in jobs.items():
        # One of ours that nobody was left to dismiss goes, too.
        if name.startswith(_PREFIX) and each["status"] == "concluded":
            await call.ask("job-dismiss", {"id": name})
    if "error" in jobs.get(job, _OVER):
        raise CommandFailed(jobs[job]["error"])


def _concludes(job: str) -> Callable[[Event], bool]:
    sign = {"id": job, "status": "concluded"}
    return lambda event: event.name == "JOB_STATUS_CHANGE" and dict(event.data) == sign
