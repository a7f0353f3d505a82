"""Descriptors that clients pass: each goes once, with its command, and is closed here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.shared.stage import Client, Stage, plain
from txqmp.journal import Kind


class File:
    """A file that is nowhere but in memory; its descriptor is handed over."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("handed")
        self.inode = os.fstat(self.descriptor).st_ino

    def is_open(self) -> bool:
        return any(
            link.exists() and link.stat().st_ino == self.inode
            for link in Path("/proc/self/fd").iterdir()
        )


@pytest.fixture
def files() -> Iterator[list[File]]:
    made = [File() for _ in range(4)]
    yield made
    assert not [file for file in made if file.is_open()], "left open"


def getfd(name: str, id: Any = 0) -> bytes:
    return json.dumps({"execute": "getfd", "arguments": {"fdname": name}, "id": id}).encode()


def hands_all(client: Client, files: list[File], start: int = 0) -> None:
    for number, file in enumerate(files[start:]):
        client.passes(file.descriptor, getfd(f"n{number}", number))


def test_it_travels_with_its_command_under_a_name_of_the_client_s_own(files: list[File]) -> None:
    stage = Stage.ready()
    one, other = stage.client(), stage.client()
    other.asks("stop")
    one.passes(files[0].descriptor, getfd("net0"))
    said = plain(stage.monitor.transport.value().decode())
    assert stage.monitor.transport.passed == [
        (b'{"execute":"stop","id":1}', files[0].inode)
    ]  # fmt: skip
    assert said.endswith('{"execute":"getfd","arguments":{"fdname":"txqmp.2.net0"},"id":2}')
    assert files[0].is_open()
    stage.monitor.answers()
    assert not files[0].is_open()
    assert one.heard() == [{"return": {}, "id": 0}]
    told = [
        (record.connection, record.fields.get("descriptors"))
        for record in stage.records(Kind.COMMAND)
        if record.fields["command"] == "getfd"
    ]
    assert sorted(told) == [(1, 1), (2, 1)]
    hands_all(one, files, 1)
    while stage.monitor.answers():
        pass


def test_no_two_are_with_the_monitor_at_a_time(files: list[File]) -> None:
    stage = Stage.ready()
    one, other = stage.client(), stage.client()
    hands_all(one, files[:2])
    hands_all(other, files[2:])
    order = []
    while commands := stage.monitor.answers():
        assert commands == ["getfd"]
        order.append(stage.monitor.transport.passed.pop(0)[1])
    assert order == [files[n].inode for n in range(4)]
    assert [reply["id"] for reply in one.heard() + other.heard()] == [0, 1, 0, 1]


def test_names_are_translated_and_what_is_left_is_closed_when_the_client_leaves(
    files: list[File],
) -> None:
    stage = Stage.ready()
    client = stage.client()
    hands_all(client, files)
    client.asks({"execute": "migrate", "arguments": {"uri": "fd:n1"}})
    client.asks({"execute": "closefd", "arguments": {"fdname": "n0"}})
    named = []
    for _ in range(6):
        for command in stage.monitor.asked():
            named.append(*map(plain, command["arguments"].values()))
            stage.monitor.returns({}, command["id"])
    assert named == [
        "txqmp.2.n0", "txqmp.2.n1", "txqmp.2.n2", "txqmp.2.n3", "fd:txqmp.2.n1", "txqmp.2.n0",
    ]  # fmt: skip
    client.leaves()
    left = []
    while commands := stage.monitor.asked():
        for command in commands:
            left.append((command["execute"], plain(command["arguments"]["fdname"])))
            stage.monitor.returns({}, command["id"])
    assert left == [("closefd", f"txqmp.2.n{number}") for number in (1, 2, 3)]


def test_those_that_no_command_takes_are_replaced_and_closed(files: list[File]) -> None:
    stage = Stage.ready()
    client = stage.client()
    client.passes(files[0].descriptor, b'{"execute": "stop"}')
    client.passes(files[1].descriptor, b'{"execute": "stop"}')
    assert not files[0].is_open()
    client.asks("query-name", "add-fd")
    assert [inode for _, inode in stage.monitor.transport.passed] == [files[1].inode]
    assert stage.monitor.answers() == ["stop", "stop", "query-name", "add-fd"]
    assert not files[1].is_open()
    for file in files[2:]:
        client.passes(file.descriptor, b" ")
    client.leaves()


def test_one_in_the_middle_of_its_command(files: list[File]) -> None:
    stage = Stage.ready()
    client = stage.client()
    said = getfd("a")
    client.sends(getfd("b")[:-1])
    client.passes(files[0].descriptor, b"}" + said[:5])
    client.passes(files[1].descriptor, said[5:])
    for _ in range(2):
        (command,) = stage.monitor.asked()
        (passed,) = stage.monitor.transport.passed
        stage.monitor.transport.passed.clear()
        name = plain(command["arguments"]["fdname"])
        file = {"txqmp.2.b": files[0], "txqmp.2.a": files[1]}[name]
        assert passed[1] == file.inode
        stage.monitor.returns({}, command["id"])
    for file in files[2:]:
        client.passes(file.descriptor, b" ")
    client.leaves()


def test_nothing_stays_open_of_what_is_not_sent(files: list[File]) -> None:
    stage = Stage.ready(window=2)
    mute, early, client = stage.arrives(), stage.arrives(), stage.client()
    mute.passes(files[0].descriptor, b'{"execute": "get')
    early.passes(files[1].descriptor, getfd("a"))
    assert not files[1].is_open()
    client.asks("slow", "slow")
    client.passes(files[2].descriptor, getfd("a"))
    client.passes(files[3].descriptor, b'{"execute": "add-fd", "arguments": {"opaque": "\\ud800"}}')
    for leaving in (mute, early, client):
        leaving.leaves()


def test_nor_when_the_monitor_is_gone(files: list[File]) -> None:
    stage = Stage.ready()
    client = stage.client()
    hands_all(client, files[:2])
    stage.monitor.is_gone()
    hands_all(client, files[2:])
    assert len(client.heard()) == 5
    # And what it had had is forgotten: nothing is to be closed there.
    client.leaves()
    stage.again()
    assert stage.monitor.asked() == []


def test_nothing_is_passed_to_one_that_is_gone(files: list[File]) -> None:
    stage = Stage.ready()
    client = stage.client()
    hands_all(client, files[:3])
    stage.monitor.is_gone()
    # To a socket that is closed Twisted can pass none, and raises.
    assert [inode for _, inode in stage.monitor.transport.passed] == [files[0].inode]
    stage.again()
    client.heard()
    client.passes(files[3].descriptor, getfd("n3", 3))
    assert stage.monitor.answers() == ["getfd"]
    assert client.heard() == [{"return": {}, "id": 3}]


def test_those_of_commands_that_are_read_later(files: list[File]) -> None:
    stage = Stage.ready()
    client = stage.client()
    client.does_not_read()
    hands_all(client, files)
    assert stage.monitor.asked() == []
    client.reads()
    while stage.monitor.answers():
        pass
    assert [inode for _, inode in stage.monitor.transport.passed] == [f.inode for f in files]
