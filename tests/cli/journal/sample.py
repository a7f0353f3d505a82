"""A short session, as a proxy records it, for what reads journals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.journal.example import TIME, record
from txqmp.journal.record import Kind, Record, encode

PEER = {"path": "/run/vm1.sock", "uid": 0, "gid": 0, "pid": 1234, "program": "libvirtd"}


class Session:
    """
    What is said in one connection, step by step: each takes a while.

    :param monitor: its name.
    :param dialect: the protocol.
    :param start: seconds after the usual time.
    """

    def __init__(
        self, monitor: str = "vm1", dialect: str = "json", start: float = 0.0, connection: int = 1
    ) -> None:
        self.records: list[Record] = []
        self._monitor = monitor
        self._dialect = dialect
        self._connection = connection
        self._after = start

    def add(self, kind: Kind, raw: str | None, after: float = 0.001, **fields: Any) -> int:
        """Record something that came so many seconds after the last: its number."""
        self._after = round(self._after + after, 6)
        seq = len(self.records) + 1
        self.records.append(
            record(
                kind,
                time=round(TIME + self._after, 6),
                mono=round(12.5 + self._after, 6),
                monitor=self._monitor,
                connection=self._connection,
                seq=seq,
                peer=PEER if kind is Kind.OPENED else None,
                dialect=self._dialect if raw is not None else None,
                fields=fields,
                raw=None if raw is None else f"{raw}\r\n".encode(),
                run="0a1b2c3d",
            )
        )
        return seq

    def ask(self, command: str, **arguments: Any) -> int:
        """A command of JSON QMP."""
        number = len(self.records) + 1
        message = {"execute": command, "arguments": arguments, "id": number}
        return self.add(
            Kind.COMMAND, json.dumps(message), command=command, arguments=arguments, id=number
        )

    def answer(self, asked: int, value: Any, latency: float = 0.001) -> int:
        """Its reply."""
        return self.add(
            Kind.SUCCESS,
            json.dumps({"return": value, "id": asked}),
            latency,
            **{"return": value},
            id=asked,
            command=self._name(asked),
            reply_to=asked,
            latency=latency,
        )

    def fail(self, asked: int, reason: str, latency: float = 0.001) -> int:
        """Its failure."""
        error = {"class": "GenericError", "desc": reason}
        return self.add(
            Kind.FAILURE,
            json.dumps({"id": asked, "error": error}),
            latency,
            **{"class": "GenericError"},
            reason=reason,
            id=asked,
            command=self._name(asked),
            reply_to=asked,
            latency=latency,
        )

    def event(self, name: str, **data: Any) -> int:
        """An event of JSON QMP."""
        return self.add(
            Kind.EVENT, json.dumps({"event": name, "data": data}), event=name, data=data
        )

    def _name(self, asked: int) -> str:
        return str(self.records[asked - 1].fields["command"])


def machine() -> list[Record]:
    """A session of JSON QMP, with a command that is repeated, events, failures, and a loss."""
    said = Session()
    said.add(Kind.OPENED, None, upstream="unix:/run/qemu.sock")
    said.add(Kind.GREETING, '{"QMP": {}}', qemu="7.2.0", capabilities=["oob"])
    said.answer(said.ask("qmp_capabilities"), {}, 0.0005)
    for number, latency in enumerate((0.0002, 0.0012, 0.0003)):
        asked = said.ask("qom-get", path=f"/machine/device[{number}]", property="type")
        said.answer(asked, "disk", latency)
    said.fail(said.ask("qom-get", path="/nosuch", property="type"), "Device '/nosuch' not found")
    asked = said.ask("device_del", id="net1")
    said.answer(asked, {}, 0.002)
    said.event("DEVICE_DELETED", device="net1", path="/machine/peripheral/net1")
    asked = said.ask("stop")
    said.event("STOP")
    said.answer(asked, {}, 0.0451)
    said.answer(said.ask("query-status"), {"status": "paused", "note": "x" * 250}, 1.5)
    said.add(Kind.UNDECODED, "\x1b[2Jhuh?", problem="not JSON")
    said.add(Kind.GAP, None, lost=3, problem="No space left on device")
    said.ask("quit")
    said.event("SHUTDOWN", guest=False, reason="host-qmp-quit")
    said.add(
        Kind.CLOSED,
        None,
        reason="the connection was closed",
        ended_by="monitor",
        bytes_to_monitor=500,
        bytes_to_client=900,
    )
    return said.records


def old_machine() -> list[Record]:
    """A session of QMP 0.1, half a millisecond after the other one."""
    said = Session("vm2", "text", start=0.0005)
    said.add(Kind.OPENED, None, upstream="unix:/run/old.sock")
    said.add(Kind.GREETING, "+ OK QEMU 0.10.50 QMP 0.1", qemu="0.10.50", qmp="0.1")
    asked = said.add(Kind.COMMAND, "info status", command="info", arguments=["status"])
    said.add(Kind.OUTPUT, "= VM status: running", text="VM status: running", reply_to=asked)
    answered = {"command": "info", "reply_to": asked, "latency": 0.002}
    said.add(Kind.SUCCESS, "+ OK info status completed", completed="info status", **answered)
    asked = said.add(Kind.COMMAND, "foo", command="foo", arguments=[])
    answered = {"command": "foo", "reply_to": asked, "latency": 0.001}
    said.add(Kind.REJECTION, "- BAD unknown command", reason="unknown command", **answered)
    return said.records


def write(path: Path, records: list[Record], torn: bytes = b"") -> str:
    """Write a journal: its name."""
    path.write_bytes(b"".join(map(encode, records)) + torn)
    return str(path)
