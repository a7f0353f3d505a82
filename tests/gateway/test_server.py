"""What clients connect to: greeting, events, and what becomes of them when the monitor is gone."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from tests.gateway.fake import FakeUpstream, human
from tests.wires import Wire
from txqmp.gateway.server import GatewayFactory
from txqmp.jsonqmp.grammar import Event, Greeting
from txqmp.proxy.common import IMonitorListener
from txqmp.proxy.links import Links
from txqmp.proxy.tapped import CONNECTION


class Gate:
    """A factory of gateway connections, and what it stands on."""

    def __init__(self, *script: Any, **settings: Any) -> None:
        self.upstream: Any = FakeUpstream(script)
        self.links = Links()
        self.factory = GatewayFactory(self.upstream, self.links, Clock(), **settings)

    def client(self) -> Wire:
        """A client that was greeted."""
        wire = Wire(self.factory)
        wire.heard()
        return wire


def test_the_factory_listens_to_the_monitor() -> None:
    gate = Gate()
    verifyObject(IMonitorListener, gate.factory)
    assert gate.factory in gate.upstream.listeners


def test_clients_are_greeted_with_the_monitor_s_version() -> None:
    gate = Gate()
    gate.factory.monitor_ready(Greeting("7.2.22", "Debian", (), {}))
    assert Wire(gate.factory).heard() == ["+ OK QEMU 7.2.22 QMP 0.1"]


def test_and_with_the_new_one_after_it_has_changed() -> None:
    gate = Gate()
    for version in ("7.2.22", "9.0.0"):
        gate.factory.monitor_ready(Greeting(version, "", (), {}))
    assert Wire(gate.factory).heard() == ["+ OK QEMU 9.0.0 QMP 0.1"]


# Events.


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("RESET", "reboot"),
        ("STOP", "stop"),
        ("RESUME", "cont"),
        ("SHUTDOWN", "shutdown"),
        ("POWERDOWN", "powerdown"),
        ("DEVICE_DELETED", "device_deleted"),
        ("NEVER_HEARD_OF", "never_heard_of"),
    ],
)
def test_events_are_named_as_in_the_text_protocol(name: str, said: str) -> None:
    gate = Gate()
    client = gate.client()
    gate.factory.monitor_event(Event(name, {"guest": True}))
    assert client.heard() == [f"* EVENT {said}"]


def test_events_go_to_all_clients() -> None:
    gate = Gate()
    clients = [gate.client() for _ in range(3)]
    gate.factory.monitor_event(Event("STOP", {}))
    assert [client.heard() for client in clients] == [["* EVENT stop"]] * 3


def test_the_data_of_events_may_be_appended() -> None:
    gate = Gate(event_data=True)
    client = gate.client()
    gate.factory.monitor_event(Event("RESET", {"guest": False, "reason": "a b"}))
    gate.factory.monitor_event(Event("STOP", {}))
    assert client.heard() == ['* EVENT reboot guest=off "reason=a b"', "* EVENT stop"]


def test_an_event_comes_before_the_completion_of_its_command() -> None:
    stopped: Deferred[Any] = Deferred()
    gate = Gate(("stop", None, stopped))
    client = gate.client()
    client.says("stop")
    gate.factory.monitor_event(Event("STOP", {}))
    stopped.callback({})
    assert client.heard() == ["* EVENT stop", "+ OK stop completed"]


# The monitor is gone.


def test_clients_are_held() -> None:
    gate = Gate(("stop", None, {}))
    client = gate.client()
    gate.factory.monitor_lost()
    assert not client.transport.disconnecting
    client.says("stop")
    assert client.heard() == ["+ OK stop completed"]


def test_or_closed() -> None:
    gate = Gate(on_loss="close")
    clients = [gate.client(), gate.client()]
    gate.factory.monitor_lost()
    assert all(client.transport.disconnecting for client in clients)
    for client in clients:
        client.hangs_up()


# Settings and numbers.


@pytest.mark.parametrize(
    ("use_human", "said"), [(True, "+ OK log completed"), (False, "- BAD unknown command")]
)
def test_the_human_monitor_may_be_ruled_out(use_human: bool, said: str) -> None:
    client = Gate(human("log none"), human=use_human).client()
    client.says("log none")
    assert client.heard() == [said]


def test_a_command_and_the_journal_s_reader_get_one_number() -> None:
    gate = Gate(("stop", None, {}), ("cont", None, {}))
    gate.links.of_client(9, 1)
    wire = gate.client()
    wire.protocol.memory[CONNECTION] = 4
    heard = [gate.links.of_client(4, place) for place in (1, 2, 3)]
    wire.says("stop", "help stop", "cont")
    assert gate.upstream.links == [heard[0], heard[2]]


def test_what_cannot_be_read_has_a_place_too() -> None:
    gate = Gate(("stop", None, {}))
    wire = gate.client()
    wire.protocol.memory[CONNECTION] = 4
    heard = [gate.links.of_client(4, place) for place in (1, 2)]
    wire.says("\x01", "", "stop")
    assert gate.upstream.links == [heard[1]]


def test_with_the_monitor_the_chosen_cpu_is_gone() -> None:
    cpus = ("query-cpus-fast", None, [{"cpu-index": 0}, {"cpu-index": 1}])
    gate = Gate(cpus, human("info registers", "CPU#1", cpu=1), human("info registers", "CPU#0"))
    client = gate.client()
    client.says("cpu 1", "info registers")
    gate.factory.monitor_lost()
    client.says("info registers")
    assert [line for line in client.heard() if line.startswith("=")] == ["= CPU#1", "= CPU#0"]
