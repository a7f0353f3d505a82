"""
The example dialogues of section 4 of the specification, verbatim, over real sockets.

A client has them with a scripted monitor; a server has them with a client that sends the lines
of ``C:`` byte for byte, and what it says is compared byte for byte.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.wires import Raw, Sockets, pending, result
from txqmp.errors import CommandFailed, CommandRejected, CommandTimeout
from txqmp.testing import ScriptedMonitor
from txqmp.text.client import Reply, State, TextClient, TextClientFactory
from txqmp.text.grammar import Event
from txqmp.text.server import Request, TextServerFactory
from txqmp.text.table import CommandTable

CONT = """\
S: + OK QEMU 0.10.50 QMP 0.1
C: cont
S: + OK cont completed
"""

INFO_NETWORK = """\
S: + OK QEMU 0.10.50 QMP 0.1
C: info network
S: = VLAN 0 devices:
S: = user.0:
S: = ne2k_pci.0: model=ne2k_pci,macaddr=52:54:00:12:34:56
S: + OK info network completed
"""

EVENT = """\
S: + OK QEMU 0.10.50 QMP 0.1
C: info balloon
S: * EVENT reboot
"""

PROTOCOL_ERROR = """\
S: + OK QEMU 0.10.50 QMP 0.1
C: foo
S: - BAD unknown command
"""

COMMAND_ERROR = """\
S: + OK QEMU 0.10.50 QMP 0.1
C: set_link foo down
S: - ERR could not find network device 'foo'
"""


class TestClient:
    async def meet(self, sockets: Sockets, monitor: ScriptedMonitor, clock: Clock) -> TextClient:
        await sockets.listen(monitor)
        client: TextClient = await sockets.connect(TextClientFactory(clock))
        await client.when_greeted()
        return client

    async def test_4_1_simple_cont_execution(self, sockets: Sockets) -> None:
        monitor = ScriptedMonitor(CONT)
        client = await self.meet(sockets, monitor, Clock())
        assert await client.execute("cont") == Reply("cont", (), "cont")
        monitor.check()

    async def test_4_2_multiline_response(self, sockets: Sockets) -> None:
        monitor = ScriptedMonitor(INFO_NETWORK)
        client = await self.meet(sockets, monitor, Clock())
        reply = await client.execute("info", "network")
        assert reply.lines == (
            "VLAN 0 devices:",
            "user.0:",
            "ne2k_pci.0: model=ne2k_pci,macaddr=52:54:00:12:34:56",
        )
        assert reply.completed == "info network"
        monitor.check()

    async def test_4_3_the_event_comes_and_the_completion_is_owed(self, sockets: Sockets) -> None:
        monitor = ScriptedMonitor(EVENT)
        clock = Clock()
        client = await self.meet(sockets, monitor, clock)
        event = client.wait_for_event("reboot")
        reply = client.execute("info", "balloon", timeout=5.0)
        assert await event == Event("reboot")
        monitor.check()
        assert pending(reply)
        assert client.state is State.BUSY
        clock.advance(5)
        assert isinstance(result(reply), CommandTimeout)

    @pytest.mark.parametrize("impatience", ["time-out", "cancel"])
    async def test_rule_05_4_3_a_late_reply_falls_to_its_own_command(
        self, sockets: Sockets, impatience: str
    ) -> None:
        late = """\
            C: info status
            S: = balloon: actual=128
            S: + OK info balloon completed
            S: = VM status: running
            S: + OK info status completed
        """
        monitor = ScriptedMonitor(EVENT + late)
        clock = Clock()
        client = await self.meet(sockets, monitor, clock)
        event = client.wait_for_event("reboot")
        balloon = client.execute("info", "balloon", timeout=5.0)
        await event
        clock.advance(5) if impatience == "time-out" else balloon.cancel()
        assert isinstance(result(balloon), Exception)
        status = await client.execute("info", "status")
        assert (status.command, status.lines) == ("info status", ("VM status: running",))
        monitor.check()
        assert client.state is State.IDLE
        assert not clock.getDelayedCalls()

    async def test_4_4_protocol_error(self, sockets: Sockets) -> None:
        monitor = ScriptedMonitor(PROTOCOL_ERROR)
        client = await self.meet(sockets, monitor, Clock())
        with pytest.raises(CommandRejected, match=r"^foo: unknown command$"):
            await client.execute("foo")
        monitor.check()

    async def test_4_5_command_error(self, sockets: Sockets) -> None:
        monitor = ScriptedMonitor(COMMAND_ERROR)
        client = await self.meet(sockets, monitor, Clock())
        with pytest.raises(CommandFailed) as caught:
            await client.execute("set_link", "foo", "down")
        assert caught.value.reason == "could not find network device 'foo'"
        monitor.check()


class Machine:
    """As much of a machine as the dialogues want."""

    def __init__(self) -> None:
        self.running = False
        self.balloon: Deferred[str] = Deferred()
        table = CommandTable()
        table.command("c|cont")(self.cont)
        table.command("info network")(self.info_network)
        table.command("info balloon")(self.info_balloon)
        table.command("set_link", args="ss")(self.set_link)
        self.factory = TextServerFactory(table, Clock(), qemu="0.10.50")

    def cont(self, request: Request) -> None:
        self.running = True

    def info_network(self, request: Request) -> list[str]:
        return [
            "VLAN 0 devices:",
            "user.0:",
            "ne2k_pci.0: model=ne2k_pci,macaddr=52:54:00:12:34:56",
        ]

    def info_balloon(self, request: Request) -> Deferred[str]:
        self.factory.broadcast("reboot")
        return self.balloon

    def set_link(self, request: Request, name: str, state: str) -> None:
        raise CommandFailed(f"could not find network device '{name}'")


async def converse(raw: Raw, dialogue: str) -> bytes:
    """Say the lines of the client, each when all before it was heard; return what is heard."""
    said = b""
    for line in dialogue.splitlines():
        speaker, _, words = line.partition(": ")
        if speaker == "S":
            said += words.encode("ascii") + b"\r\n"
            await raw.lines(said.count(b"\n"))
        else:
            assert raw.heard == said
            raw.transport.write(words.encode("ascii") + b"\r\n")  # type: ignore[union-attr]
    return said


class TestServer:
    @pytest.mark.parametrize("dialogue", [CONT, INFO_NETWORK, PROTOCOL_ERROR, COMMAND_ERROR])
    async def test_4_1_4_2_4_4_and_4_5(self, sockets: Sockets, dialogue: str) -> None:
        machine = Machine()
        await sockets.listen(machine.factory)
        raw = await sockets.raw()
        expected = await converse(raw, dialogue)
        raw.transport.loseWriteConnection()  # type: ignore[union-attr]
        await raw.when_lost()
        assert raw.heard == expected
        assert machine.running == (dialogue is CONT)

    async def test_4_3_the_event_comes_before_the_completion(self, sockets: Sockets) -> None:
        machine = Machine()
        await sockets.listen(machine.factory)
        raw = await sockets.raw()
        expected = await converse(raw, EVENT)
        await sockets.turn(10)
        assert raw.heard == expected
        machine.balloon.callback("balloon: actual=128")
        raw.transport.loseWriteConnection()  # type: ignore[union-attr]
        await raw.when_lost()
        rest = b"= balloon: actual=128\r\n+ OK info balloon completed\r\n"
        assert raw.heard == expected + rest
