"""Whatever clients and the monitor that they share do: who comes after them is served."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from tests.hostile import acts, noise, pieces, unharmed
from tests.policy.test_hostile import READING, SLOWLY
from tests.shared.stage import GREETING, TEXT_GREETING, Notes, values
from tests.wires import Transport
from txqmp.journal.record import Kind
from txqmp.policy import Policy
from txqmp.service.gateway import GatewayService
from txqmp.service.shared import SharedService


class Peer:
    """A client or a monitor: the other end of a connection of the service."""

    def __init__(self, protocol: Any) -> None:
        self.transport = Transport()
        self.came = b""
        self.over = self.lost = False
        self._protocol = protocol
        protocol.makeConnection(self.transport)

    def says(self, data: bytes, size: int = 1 << 20) -> None:
        for piece in pieces(data, size):
            if self.transport.producerState == "producing" and not self.over:
                self._protocol.dataReceived(piece)

    def heard(self) -> bytes:
        data: bytes = self.transport.value()
        self.transport.clear()
        self.came += data
        return data

    def reads(self, wanted: bool) -> None:
        producer = self.transport.producer
        if producer is not None and not self.lost:
            (producer.resumeProducing if wanted else producer.pauseProducing)()

    def ends(self) -> None:
        if not IHalfCloseableProtocol.providedBy(self._protocol):
            self.leaves()
        elif not self.over:
            self.over = True
            self._protocol.readConnectionLost()

    def leaves(self) -> None:
        if not self.lost:
            self.over = self.lost = True
            self._protocol.connectionLost(Failure(ConnectionDone()))


class Play:
    """
    A service in memory, and those who come to it; the monitor takes commands.

    :ivar heard: what the client heard that came last.
    """

    def __init__(self, service: Any, greeting: bytes, **settings: Any) -> None:
        self.clock = MemoryReactorClock()
        self.notes: Any = Notes()
        self.service = service(
            "unix:p.sock", self, self.notes, self.clock, name="vm1", quiet=True, **settings
        )
        self._attempts: list[tuple[Any, Deferred[Any]]] = []
        self._greeting = greeting
        self.service.startService()
        self.heard = b""
        self._came = 0
        self._clients: list[Peer] = []
        self._monitors: list[Peer] = []
        self._begins(greeting)
        self._carries_out()

    def connect(self, factory: Any) -> Deferred[Any]:
        """The endpoint."""
        attempt: Deferred[Any] = Deferred()
        self._attempts.append((factory, attempt))
        return attempt

    def _begins(self, greeting: bytes) -> None:
        factory, attempt = self._attempts.pop()
        protocol = factory.buildProtocol(None)
        self._monitors.append(Peer(protocol))
        attempt.callback(protocol)
        self._monitors[-1].says(greeting)

    def _monitor(self) -> Peer:
        return self._monitors[-1]

    def client(self, who: int) -> Peer:
        servers = self.clock.unixServers
        self._came += 1
        self._clients.append(Peer(servers[who % len(servers)][1].buildProtocol(None)))
        return self._clients[-1]

    def act(self, what: str, who: int, *how: Any) -> None:
        for peer in (*self._clients, *self._monitors):
            if peer.transport.aborted:
                peer.leaves()
        present = [client for client in self._clients if not client.lost]
        if what == "says":
            client = present[who] if who < len(present) else self.client(who)
            client.says(*how)
        elif what == "answers":
            self._answers(who, *how)
        elif what == "passes":
            self.clock.advance(how[0])
        elif what.startswith("monitor"):
            monitor = self._monitor()
            monitor.ends() if what == "monitor_ends" else monitor.leaves()
        elif present:
            client = present[who % len(present)]
            if what in ("sticks", "reads"):
                client.reads(what == "reads")
            else:
                client.ends() if what == "ends" else client.leaves()

    def _answers(self, who: int, data: bytes, size: int) -> None:
        """The monitor says something; one that is gone is there again first, or refuses."""
        if not self._monitor().lost:
            if who:
                # What a gateway is told has to be what QEMU tells.
                self._carries_out(denies=True)
            self._monitor().says(data, size)
            return
        if not self._attempts:
            self.clock.advance(1)
        if self._attempts and who == 0:
            self._attempts.pop()[1].errback(ConnectError())
        elif self._attempts:
            self._begins(self._greeting if who > 1 else b"")
            self._monitor().says(data, size)

    def serves(self, said: bytes) -> None:
        """A monitor that behaves comes, and a client that says something."""
        self._monitor().leaves()
        for client in self._clients:
            client.leaves()
        for _ in range(100):
            if self._attempts:
                break
            self.clock.advance(0.1)
        self._begins(self._greeting)
        self._carries_out()
        client = self.client(0)
        for _ in range(20):
            if client.transport.producerState == "producing":
                client.says(said)
                said = b""
            self._carries_out()
            self.clock.advance(0.5)
        self.heard = client.heard()

    def asked(self) -> set[str]:
        """The commands that JSON monitors were asked for, until they left."""
        names: set[str] = set()
        for monitor in self._monitors:
            monitor.heard()
            names.update(command.get("execute", "") for command in values(monitor.came))
        return names

    def _carries_out(self, denies: bool = False) -> None:
        data = self._monitor().heard()
        if self._greeting is TEXT_GREETING:
            for line in data.splitlines():
                self._monitor().says(b"= " + line + b"\r\n+ OK\r\n")
            return
        for command in values(data):
            answer = {"id": command["id"], "return": command.get("arguments", {})}
            if denies:
                answer = {"id": command["id"], "error": {"class": "GenericError", "desc": "no"}}
            self._monitor().says(json.dumps(answer).encode() + b"\r\n")

    def ends(self) -> None:
        """The service stops, and nothing is left of it."""
        stopping = self.service.stopService()
        for peer in (*self._monitors, *self._clients):
            assert peer.transport.disconnecting or peer.transport.aborted or peer.lost
            peer.leaves()
        self.clock.advance(60)
        assert stopping.called
        assert not self.clock.getDelayedCalls()
        opened = [record for record in self.notes.records if record.kind is Kind.OPENED]
        closed = [record for record in self.notes.records if record.kind is Kind.CLOSED]
        assert len(opened) == len(closed)


BOTH = noise("json", "text", answers=False)
CHANGING = {"stop", "quit", "migrate-pause", "set_link"}
"""What is among the noise and not allowed by a policy that lets clients read."""

ASKED = (
    b"""{"execute": "qmp_capabilities"} {"execute": "query-it", "arguments": {"a": 7}, "id": [1]}"""
)


def play(service: Any, greeting: bytes, done: Any, said: bytes, **settings: Any) -> Play:
    """See that all is in order after whatever was done, and serve one who comes then."""
    with unharmed():
        one = Play(service, greeting, **settings)
        for act in done:
            one.act(*act)
        one.serves(said)
        one.ends()
    return one


@settings(max_examples=60)
@given(acts(BOTH, BOTH), st.booleans(), st.sampled_from([None, READING, SLOWLY]))
@example([("says", 0, b'{"execute":"qmp_capabilities"}{"execute":"stop"}', 99)], False, READING)
def test_a_shared_json_monitor(done: Any, coalesce: bool, policy: Policy | None) -> None:
    one = play(
        SharedService, GREETING, done, ASKED,
        listen_text="unix:t.sock", coalesce=coalesce, policy=policy,
    )  # fmt: skip
    assert one.heard.startswith(GREETING)
    answers = values(one.heard.removeprefix(GREETING))
    assert answers == [{"return": {}}, {"return": {"a": 7}, "id": [1]}]
    assert policy is not READING or one.asked().isdisjoint(CHANGING)


@settings(max_examples=60)
@given(acts(noise("text"), noise("text")), st.booleans())
def test_a_shared_text_monitor(done: Any, coalesce: bool) -> None:
    one = play(SharedService, TEXT_GREETING, done, b"info it\n", coalesce=coalesce)
    assert one.heard.splitlines()[1:] == [b"= info it", b"+ OK info completed"]


@settings(max_examples=60)
@given(acts(noise("text"), BOTH), st.sampled_from([None, READING]))
@example([("says", 0, b"stop\r\n", 99)], READING)
def test_a_gateway(done: Any, policy: Policy | None) -> None:
    one = play(GatewayService, GREETING, done, b"info name\n", policy=policy)
    assert one.heard.splitlines()[1:] == [b"+ OK info name completed"]
    assert policy is None or one.asked().isdisjoint(CHANGING)
