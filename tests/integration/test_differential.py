"""The JSON server in front of the simulated machine, and a real QEMU, are asked the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.integration.corpus import NEGOTIATE, corpus
from tests.integration.programs import ROOT, Programs
from tests.wires import Wire
from txqmp.machine.jsonmonitor import json_monitor_factory
from txqmp.machine.state import Machine

END = b'\xff{"execute": "no-such-end", "id": "the end"}'
"""Resets the lexer, whatever it is in the middle of, and marks the end of the answers."""

DOCUMENT = ROOT / "docs" / "differences.rst"


class Difference(NamedTuple):
    """
    What QEMU and the server answer differently.

    :ivar given: what is asked, once negotiation is over.
    :ivar reason: why the server does not do as QEMU does.
    """

    given: str
    qemu: str
    server: str
    reason: str


DIFFERENCES = [
    Difference(
        '{"execute": "query-name", "id": 1e999}',
        '{"return": {}, "id": inf}',
        '{"error": {"class": "GenericError", "desc": "JSON parse error, number out of range"}}',
        "``inf`` is not JSON: clients that read JSON could not read the answer.",
    ),
    Difference(
        '{"execute": "qmp_capabilities", "arguments": {"enable": ["x"]}}',
        '{"error": {"class": "GenericError", "desc": "Parameter \'null\' does not accept value \'x\'"}}',  # noqa: E501
        '{"error": {"class": "GenericError", "desc": "Parameter \'enable[0]\' does not accept value \'x\'"}}',  # noqa: E501
        "QEMU lost the name of the parameter.",
    ),
    Difference(
        '{"execute": "query-name", "id": 1.0}',
        '{"return": {}, "id": 1}',
        '{"return": {}, "id": 1.0}',
        "The same number; Python writes floats so that they stay floats.",
    ),
    Difference(
        '{"execute": "query-name", "id": "\\u00E9"}',
        '{"return": {}, "id": "\\u00E9"}',
        '{"return": {}, "id": "\\u00e9"}',
        "The same string; hexadecimal digits are in lower case.",
    ),
    Difference(
        '{"execute": "query-name", "id": {"b": 1, "a": 2}}',
        '{"return": {}, "id": {"a": 2, "b": 1}}',
        '{"return": {}, "id": {"b": 1, "a": 2}}',
        "The same object: QEMU gives its members in the order of their hashes, the server as "
        "they came.",
    ),
]

LISTED = {
    repr(DIFFERENCES[0].given.encode())[2:-1],
    repr(DIFFERENCES[1].given.encode())[2:-1],
    "early: " + repr(DIFFERENCES[1].given.encode() + b'{"execute": "query-name"}'),
}
"""The inputs of the corpus in which a listed difference shows, by name."""


class Asking(Protocol):
    """One connection to QEMU."""

    def __init__(self, chunks: tuple[bytes, ...]) -> None:
        self.chunks = chunks
        self.parts: list[bytes] = []
        self.tail = b""
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        for chunk in self.chunks:
            self.transport.write(chunk)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.parts.append(data)
        self.tail = (self.tail + data)[-200:]
        if b'"the end"' in self.tail and self.tail.endswith(b"\n"):
            self.transport.loseConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.done.callback(b"".join(self.parts))


async def ask_qemu(path: Path, *chunks: bytes) -> list[bytes]:
    """The lines that QEMU answers after its greeting."""
    from twisted.internet import reactor

    asking = Asking((*chunks, END))
    factory = Factory.forProtocol(lambda: asking)  # type: ignore[arg-type]
    await UNIXClientEndpoint(reactor, str(path)).connect(factory)
    return (await asking.done).splitlines()[1:]


def ask_server(machine: Machine, *chunks: bytes) -> list[bytes]:
    """The lines that the server answers after its greeting."""
    wire = Wire(json_monitor_factory(machine, Clock()))
    wire.sends(*(chunk for chunk in chunks if chunk), END)
    answers = wire.transport.value()
    wire.hangs_up()
    return answers.splitlines()[1:]


class Answer(NamedTuple):
    """What of a line must be the same."""

    kind: str
    what: str
    id: Any


def essence(line: bytes) -> Answer:
    """What kind of answer a line is, the class and words of an error, and whose it is."""
    try:
        message = json.loads(line)
    except RecursionError:
        return Answer("deep", line.decode(), None)
    except ValueError:
        return Answer("unreadable", line.decode(), None)
    echo = message.get("id", "no id at all")
    if "event" in message:
        return Answer("event", message["event"], echo)
    if "return" in message:
        return Answer("return", "", echo)
    error = message["error"]
    return Answer("error", f"{error['class']}: {error['desc']}", echo)


@pytest.mark.peer("qemu-system-x86_64")
async def test_both_give_the_same_answers_in_the_same_order(
    programs: Programs, folder: Path
) -> None:
    await programs.qemu()
    machine = Machine(clock=Clock())
    disagreements = []
    inputs = corpus()
    assert len(inputs) >= 400
    for given in inputs:
        qemu = [essence(line) for line in await ask_qemu(folder / "qemu.sock", *given.chunks)]
        server = [essence(line) for line in ask_server(machine, *given.chunks)]
        assert qemu[-1].id == "the end", given
        if (qemu != server) is not (given.name in LISTED):
            disagreements.append((given, qemu, server))
    assert not disagreements


@pytest.mark.peer("qemu-system-x86_64")
async def test_what_is_listed_as_different_is_so(programs: Programs, folder: Path) -> None:
    await programs.qemu()
    for difference in DIFFERENCES:
        asked = (NEGOTIATE, difference.given.encode())
        qemu = await ask_qemu(folder / "qemu.sock", *asked)
        server = ask_server(Machine(clock=Clock()), *asked)
        assert qemu[1].decode() == difference.qemu
        assert server[1].decode() == difference.server


def literal(text: str) -> str:
    return f"``{text}``"


def as_table() -> str:
    """The differences as the documentation shows them."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 25 25 25 25", ""]
    rows = [("input", "QEMU 7.2", "txqmp", "reason")]
    rows += [(literal(d.given), literal(d.qemu), literal(d.server), d.reason) for d in DIFFERENCES]
    for row in rows:
        lines += [f"   {'  ' if index else '* '}- {cell}" for index, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def test_the_documentation_lists_the_same_differences() -> None:
    text = DOCUMENT.read_text()
    assert as_table() in text, f"docs/differences.rst should hold:\n\n{as_table()}"
    assert text.count("   * - ") == len(DIFFERENCES) + 1
