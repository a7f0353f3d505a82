"""A JSON client in memory, with the test in the place of its monitor."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.interfaces import IUNIXTransport
from twisted.internet.task import Clock
from zope.interface import directlyProvides

from tests.wires import Wire
from txqmp.jsonqmp.client import JSONClient, JSONClientFactory
from txqmp.jsonqmp.values import Value, ValueSplitter


def greeting(*capabilities: str) -> dict[str, Any]:
    """A greeting of QEMU 7.2."""
    version = {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}
    return {"QMP": {"version": version, "capabilities": list(capabilities)}}


class JSONWire(Wire):
    """
    A client; the test is its monitor.

    :param unix: the transport takes descriptors; they are heard as ``{"descriptor": …}``.
    """

    def __init__(
        self, *capabilities: str, negotiated: bool = True, unix: bool = False, **settings: Any
    ) -> None:
        self.clock = Clock()
        super().__init__(JSONClientFactory(self.clock, **settings))
        self.client: JSONClient = self.protocol
        if unix:
            transport: Any = self.transport
            directlyProvides(transport, IUNIXTransport)
            transport.sendFileDescriptor = self._descriptor
        if negotiated:
            self.tells(greeting(*capabilities), {"return": {}, "id": 0})
            self.commands()

    def _descriptor(self, descriptor: int) -> None:
        self.transport.write(b'{"descriptor":%d}' % descriptor)

    def tells(self, *messages: Any) -> None:
        """Send messages, each on a line."""
        self.says(*(json.dumps(message) for message in messages))

    def commands(self) -> list[Any]:
        """The messages that left since the last call."""
        splitter = ValueSplitter()
        pieces = splitter.feed(self.transport.value()) + splitter.finish()
        self.transport.clear()
        assert all(isinstance(piece, Value) for piece in pieces)
        return [json.loads(piece.raw) for piece in pieces]

    def asked(self) -> list[tuple[str, int]]:
        """The names and ids of the commands that left since the last call."""
        return [(m.get("execute") or m["exec-oob"], m["id"]) for m in self.commands()]

    @property
    def calm(self) -> bool:
        """Whether no timer is left."""
        return not self.clock.getDelayedCalls()
