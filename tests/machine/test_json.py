"""The JSON monitor of the simulated machine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.protocol import Factory, Protocol

from tests.machine.conftest import World
from tests.wires import Wire
from txqmp.machine.jsonmonitor import json_monitor_factory

MIB = 1 << 20
WRONG = "Invalid parameter type for"
COMMANDS = """
    qmp_capabilities query-commands query-qmp-schema query-status query-name query-uuid
    query-version query-cpus-fast query-block query-blockstats query-balloon balloon query-chardev
    query-kvm query-vnc query-mice query-migrate migrate migrate_cancel stop cont system_reset
    system_powerdown quit set_link eject device_del send-key query-yank yank
    human-monitor-command qom-list
    """.split()


class JSONTalk:
    """A connection to the JSON monitor of a machine; the negotiation is over."""

    def __init__(self, world: World) -> None:
        self.wire = Wire(json_monitor_factory(world.machine, world.clock))
        self.greeting = json.loads(self.wire.heard()[0])
        self.says("qmp_capabilities")

    def says(self, command: str, **arguments: Any) -> list[Any]:
        """Ask, and return all messages that come."""
        named = {key.replace("_", "-"): value for key, value in arguments.items()}
        message = {"execute": command, "arguments": named}
        self.wire.sends(json.dumps(message).encode())
        return [json.loads(line) for line in self.wire.heard()]

    def ask(self, command: str, **arguments: Any) -> Any:
        """What one command returns."""
        (answer,) = self.says(command, **arguments)
        return answer["return"]

    def fails(self, command: str, **arguments: Any) -> tuple[str, str]:
        """The class and the words of a command's error."""
        (answer,) = self.says(command, **arguments)
        return answer["error"]["class"], answer["error"]["desc"]


@pytest.fixture
def talk(world: World) -> JSONTalk:
    """A connection to the machine's JSON monitor."""
    return JSONTalk(world)


def test_the_greeting_is_of_a_qemu_of_today(talk: JSONTalk) -> None:
    version = {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""}
    assert talk.greeting == {"QMP": {"version": version, "capabilities": ["oob"]}}
    assert talk.ask("query-version") == version


def test_its_commands(talk: JSONTalk) -> None:
    assert {entry["name"] for entry in talk.ask("query-commands")} == set(COMMANDS)


def test_its_schema_has_commands_and_events(talk: JSONTalk) -> None:
    entries = talk.ask("query-qmp-schema")
    commands = {e["name"] for e in entries if e["meta-type"] == "command"}
    events = {e["name"] for e in entries if e["meta-type"] == "event"}
    assert commands == set(COMMANDS)
    assert events == {"STOP", "RESUME", "RESET", "POWERDOWN", "SHUTDOWN"}
    oob = {e["name"] for e in entries if e.get("allow-oob")}
    assert oob == {"yank", "query-yank"}


@pytest.mark.parametrize(
    ("command", "event", "data"),
    [
        ("stop", "STOP", None),
        ("system_powerdown", "POWERDOWN", None),
        ("system_reset", "RESET", {"guest": False, "reason": "host-qmp-system-reset"}),
        ("quit", "SHUTDOWN", {"guest": False, "reason": "host-qmp-quit"}),
    ],
)
def test_an_event_comes_before_the_answer(
    talk: JSONTalk, command: str, event: str, data: object
) -> None:
    told, answer = talk.says(command)
    assert (told["event"], told.get("data")) == (event, data)
    assert answer == {"return": {}}


def test_stop_and_cont(talk: JSONTalk) -> None:
    assert talk.ask("query-status")["status"] == "running"
    talk.says("stop")
    assert talk.ask("query-status") == {"status": "paused", "singlestep": False, "running": False}
    told, _ = talk.says("cont")
    assert told["event"] == "RESUME"
    assert talk.ask("query-status")["running"] is True


def test_quit_closes_the_connection(talk: JSONTalk) -> None:
    talk.says("quit")
    assert talk.wire.transport.disconnecting
    talk.wire.hangs_up()


def test_name_and_uuid() -> None:
    talk = JSONTalk(World(name="vm1"))
    assert talk.ask("query-name") == {"name": "vm1"}
    assert talk.ask("query-uuid") == {"UUID": "00000000-0000-0000-0000-000000000000"}


def test_a_machine_without_a_name(talk: JSONTalk) -> None:
    assert talk.ask("query-name") == {}


def test_cpus(talk: JSONTalk) -> None:
    assert [cpu["cpu-index"] for cpu in talk.ask("query-cpus-fast")] == [0, 1]


def test_block(talk: JSONTalk) -> None:
    disk, cd, floppy = talk.ask("query-block")
    assert (disk["device"], disk["removable"]) == ("ide0-hd0", False)
    inserted = disk["inserted"]
    assert (inserted["file"], inserted["drv"], inserted["ro"]) == ("disk0.qcow2", "qcow2", False)
    assert (cd["device"], cd["removable"], cd["locked"]) == ("ide1-cd0", True, False)
    assert "inserted" not in cd
    assert "inserted" not in floppy


def test_blockstats(world: World, talk: JSONTalk) -> None:
    world.clock.advance(2)
    disk, *_ = talk.ask("query-blockstats")
    assert disk["device"] == "ide0-hd0"
    assert (disk["stats"]["rd_operations"], disk["stats"]["wr_operations"]) == (20, 8)


def test_balloon_counts_bytes(world: World, talk: JSONTalk) -> None:
    assert talk.ask("query-balloon") == {"actual": 512 * MIB}
    assert talk.ask("balloon", value=100 * MIB) == {}
    assert world.machine.balloon == 100
    assert talk.fails("balloon", value=0) == ("GenericError", "Parameter 'target' expects a size")


def test_what_is_not_there(talk: JSONTalk) -> None:
    assert talk.ask("query-kvm") == {"enabled": False, "present": False}
    assert talk.ask("query-vnc") == {"enabled": False}
    assert [c["label"] for c in talk.ask("query-chardev")] == ["serial0", "parallel0"]


def test_vnc_once_it_is_there(talk: JSONTalk) -> None:
    talk.ask("human-monitor-command", command_line="change vnc localhost:1,password")
    vnc = talk.ask("query-vnc")
    assert (vnc["enabled"], vnc["host"], vnc["service"], vnc["auth"]) == (
        True,
        "localhost",
        "5901",
        "vnc",
    )


def test_mice(world: World, talk: JSONTalk) -> None:
    world.machine.mice.plug("tablet")
    world.machine.mice.select(1)
    mice = [(mouse["name"], mouse["current"]) for mouse in talk.ask("query-mice")]
    assert mice == [("QEMU PS/2 Mouse", False), ("tablet", True)]


def test_migration(world: World, talk: JSONTalk) -> None:
    assert talk.ask("query-migrate") == {}
    assert talk.ask("migrate", uri="tcp:host:4444") == {}
    assert talk.ask("query-migrate") == {"status": "active"}
    world.clock.advance(100)
    assert [json.loads(line)["event"] for line in talk.wire.heard()] == ["STOP"]
    assert talk.ask("query-migrate") == {"status": "completed"}


def test_migration_cancelled(talk: JSONTalk) -> None:
    talk.ask("migrate", uri="tcp:host:4444")
    assert talk.ask("migrate_cancel") == {}
    assert talk.ask("query-migrate") == {"status": "cancelled"}


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("nosuch:x", "Parameter 'uri' expects a valid migration protocol"),
        ("exec:cat", "the simulated machine runs no programs"),
    ],
)
def test_migration_refused(talk: JSONTalk, uri: str, words: str) -> None:
    assert talk.fails("migrate", uri=uri) == ("GenericError", words)


def test_set_link(world: World, talk: JSONTalk) -> None:
    assert talk.ask("set_link", name="user.0", up=False) == {}
    assert not world.machine.network.find("user.0").up
    assert talk.ask("set_link", name="user.0", up=True) == {}
    assert world.machine.network.find("user.0").up
    assert talk.fails("set_link", name="x", up=True) == ("DeviceNotFound", "Device 'x' not found")


def test_eject(world: World, talk: JSONTalk) -> None:
    drive = world.machine.drives.find("ide1-cd0")
    drive.insert("cd.iso", "raw")
    drive.locked = True
    _, words = talk.fails("eject", device="ide1-cd0")
    assert "is locked" in words
    assert talk.ask("eject", id="ide1-cd0", force=True) == {}
    assert drive.file is None


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"device": "x"}, "DeviceNotFound", "Device 'x' not found"),
        ({"device": "ide0-hd0"}, "GenericError", "Device 'ide0-hd0' is not removable"),
        ({}, "GenericError", "Need exactly one of 'device' and 'id'"),
        ({"device": "a", "id": "b"}, "GenericError", "Need exactly one of 'device' and 'id'"),
    ],
)
def test_eject_refused(talk: JSONTalk, arguments: Any, kind: str, words: str) -> None:
    assert talk.fails("eject", **arguments) == (kind, words)


def test_device_del(talk: JSONTalk) -> None:
    assert talk.fails("device_del", id="x") == ("DeviceNotFound", "Device 'x' not found")


def test_send_key(world: World, talk: JSONTalk) -> None:
    keys = [
        {"type": "qcode", "data": "ctrl"},
        {"type": "qcode", "data": "less"},
        {"type": "number", "data": 30},
    ]
    assert talk.ask("send-key", keys=keys, hold_time=2000) == {}
    world.clock.advance(1.9)
    assert world.machine.keyboard.down == ("ctrl", "<", "0x1e")
    world.clock.advance(0.2)
    assert world.machine.keyboard.down == ()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ({}, "Parameter 'keys[0].type' is missing"),
        ({"type": "x"}, "Parameter 'type' does not accept value 'x'"),
        ({"type": "qcode"}, "Parameter 'keys[0].data' is missing"),
        ({"type": "qcode", "data": "<"}, "Parameter 'data' does not accept value '<'"),
        ({"type": "qcode", "data": 1}, f"{WRONG} 'keys[0].data', expected: string"),
        ({"type": "number", "data": True}, f"{WRONG} 'keys[0].data', expected: integer"),
        ({"type": "number", "data": 0}, "unknown key: '0x0'"),
        ({"type": "qcode", "data": "a", "x": 1}, "Parameter 'keys[0].x' is unexpected"),
    ],
)  # fmt: skip
def test_send_key_refused(talk: JSONTalk, key: Any, words: str) -> None:
    assert talk.fails("send-key", keys=[key]) == ("GenericError", words)


def test_yank(talk: JSONTalk) -> None:
    instances = talk.ask("query-yank")
    assert instances == [{"type": "chardev", "id": "compat_monitor0"}]
    assert talk.ask("yank", instances=instances) == {}


@pytest.mark.parametrize(
    ("instance", "kind", "words"),
    [
        ({"type": "chardev", "id": "x"}, "DeviceNotFound", "Instance not found"),
        ({"type": "migration"}, "DeviceNotFound", "Instance not found"),
        ({"type": "block-node"}, "GenericError", "Parameter 'instances[0].node-name' is missing"),
        ({"type": "x"}, "GenericError", "Parameter 'type' does not accept value 'x'"),
    ],
)
def test_yank_refused(talk: JSONTalk, instance: Any, kind: str, words: str) -> None:
    assert talk.fails("yank", instances=[instance]) == (kind, words)


def test_yank_overtakes(world: World) -> None:
    talk = JSONTalk(world)
    talk.wire.hangs_up()
    wire = Wire(json_monitor_factory(world.machine, world.clock))
    wire.heard()
    wire.sends(b'{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}')
    wire.sends(b'{"exec-oob": "yank", "arguments": {"instances": []}, "id": 1}')
    assert wire.heard() == ['{"return": {}}', '{"return": {}, "id": 1}']


@pytest.mark.parametrize(
    ("line", "output"),
    [
        ("info version", "0.10.50\r\n"),
        ("INFO status", "VM status: running\r\n"),
        ("info network", None),
        ("info name", ""),
        ("", ""),
        ("nosuch 1", "unknown command: 'nosuch 1'\r\n"),
        ("eject nosuch", "Error: device not found\r\n"),
        ('eject "', "Error: unterminated string or unsupported escape code\r\n"),
        ("eject é", "Error: only ASCII is permitted\r\n"),
    ],
)
def test_human_monitor_command(talk: JSONTalk, line: str, output: str | None) -> None:
    said = talk.ask("human-monitor-command", command_line=line)
    if output is None:
        assert said.count("\r\n") > 1
        assert said.startswith("VLAN 0 devices:\r\n  user.0: ")
    else:
        assert said == output


def test_human_monitor_command_for_a_cpu(talk: JSONTalk) -> None:
    said = talk.ask("human-monitor-command", command_line="info cpus", cpu_index=1)
    assert "* CPU #1" in said
    assert "* CPU #0" in talk.ask("human-monitor-command", command_line="info cpus")
    _, words = talk.fails("human-monitor-command", command_line="", cpu_index=2)
    assert words == "Parameter 'cpu-index' expects a CPU number"


def test_human_monitor_command_may_quit(talk: JSONTalk) -> None:
    event, answer = talk.says("human-monitor-command", command_line="quit")
    assert (event["event"], answer) == ("SHUTDOWN", {"return": ""})
    assert talk.wire.transport.disconnecting
    talk.wire.hangs_up()


def test_qom_list(talk: JSONTalk) -> None:
    assert {"name": "type", "type": "string"} in talk.ask("qom-list", path="/")
    assert talk.ask("qom-list", path="/machine/peripheral/") == [{"name": "type", "type": "string"}]
    assert talk.fails("qom-list", path="/x") == ("DeviceNotFound", "Device '/x' not found")


def test_both_monitors_of_one_machine_hear_of_it(world: World, talk: JSONTalk) -> None:
    text = world.connect()
    text.say("stop")
    (told,) = [json.loads(line) for line in talk.wire.heard()]
    assert told["event"] == "STOP"
    talk.says("cont")
    assert text.heard() == ["* EVENT cont"]


class Hears(Protocol):
    """Waits for the first bytes."""

    def __init__(self) -> None:
        self.first: Deferred[bytes] = Deferred()
        self.lost: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.first.callback(data)

    def connectionLost(self, reason: object = None) -> None:
        self.lost.callback(None)


async def test_the_endpoint_has_it_too() -> None:
    from twisted.internet import reactor

    endpoint = clientFromString(reactor, "machine:name=vm1:dialect=json")
    client: Any = await endpoint.connect(Factory.forProtocol(Hears))
    assert (await client.first).startswith(b'{"QMP": ')
    client.transport.loseConnection()
    await client.lost
