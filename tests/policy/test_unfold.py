"""What messages ask for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from txqmp.errors import ProtocolViolation
from txqmp.gateway.catalogue import Row, Way, rows
from txqmp.policy.leaves import Leaf, leaves_of, readings
from txqmp.policy.names import done_by, known_as, plain
from txqmp.policy.unfold import unfold_json, unfold_text


def json_asks(name: str, **arguments: object) -> list[str]:
    message = json.dumps({"execute": name, "arguments": arguments}).encode()
    return [ask.names[0] for ask in unfold_json(message)]


def values(text: str, *path: str) -> set[str]:
    """The values at a path of a line's arguments."""
    arguments = {"command-line": text}
    message = json.dumps({"execute": "human-monitor-command", "arguments": arguments}).encode()
    (_, ask) = unfold_json(message)
    return {value for at, value in ask.leaves.items if at == path}


def test_a_command_asks_for_itself() -> None:
    assert json_asks("device_del", id="a") == ["device-del"]


def test_a_line_is_a_command() -> None:
    asked = json_asks("human-monitor-command", **{"command-line": "info block -v"})
    assert asked == ["human-monitor-command", "info block"]


def test_actions_are_commands() -> None:
    actions = [
        {"type": "drive-backup", "data": {"device": "d"}},
        {"type": "abort"},
        {"type": "human-monitor-command", "data": {"command_line": "s"}},
    ]
    assert json_asks("transaction", actions=actions) == [
        "transaction",
        "drive-backup",
        "abort",
        "human-monitor-command",
        "stop",
    ]


@pytest.mark.parametrize(
    "message",
    [
        b'{"execute":"a","execute":"b"}',
        b'{"execute":"a","arguments":{"b":{"c":1,"c":2}}}',
        b'{"execute":"a","arguments":[]}',
        b'{"execute":"a","control":1}',
        b'{"execute":"human-monitor-command","arguments":{"command-line":"a","command_line":"b"}}',
        b'{"execute":"transaction","arguments":{"actions":[{"type":"a","Type":"b"}]}}',
        b'{"execute":"a"} {"execute":"b"}',
        b"[1]",
        b"stop",
        b'{"execute":"\\ud800"}',
        b'{"execute":"\xff"}',
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(message: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        unfold_json(message)


@pytest.mark.parametrize("depth", [8, 9, 200])
def test_commands_in_commands_end_somewhere(depth: int) -> None:
    message: object = {"type": "stop"}
    for _ in range(depth - 1):
        message = {"type": "transaction", "data": {"actions": [message]}}
    if depth <= 8:
        assert json_asks("transaction", actions=[message])[-1] == "stop"
        return
    with pytest.raises(ProtocolViolation, match=r"too deeply|more arguments than can be"):
        json_asks("transaction", actions=[message])


def test_a_transaction_of_thousands_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="1000 actions"):
        json_asks("transaction", actions=[{"type": "abort"}] * 1001)


def nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("blockdev-add", {"x": nested(["v"] * 500, 200)}),
        ("transaction", {"actions": [{"type": "x", "data": {"a": [1] * 30}}] * 900}),
    ],
)
def test_more_than_can_be_looked_at(command: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolation, match="more arguments than can be looked at"):
        json_asks(command, **arguments)


def test_a_chain_of_images_can_be_looked_at() -> None:
    image: Any = None
    for number in range(100):
        file = {"driver": "file", "filename": f"/images/{number}", "aio": "io_uring"}
        image = {"driver": "qcow2", "node-name": f"n{number}", "file": file, "backing": image}
    assert len(json_asks("blockdev-add", **image)) == 1


def test_arguments_without_end_cannot_be_told() -> None:
    assert leaves_of([1] * 1_900).readable
    assert not leaves_of([1] * 2_001).readable


def test_leaves() -> None:
    value = {"Node_Name": "n", "file": {"driver": "file", "locking": True}, "list": [1, None]}
    assert set(leaves_of(value).items) == {
        Leaf(("node-name",), "n"),
        Leaf(("file", "driver"), "file"),
        Leaf(("file", "locking"), "true"),
        Leaf(("list", "0"), "1"),
        Leaf(("list", "1"), "null"),
    }


def test_json_in_a_file_name() -> None:
    name = "json:{'driver':'raw','file.filename':'/x'}"
    assert set(leaves_of({"file": name}).items) == {
        Leaf(("file",), name),
        Leaf(("file", "driver"), "raw"),
        Leaf(("file", "file", "filename"), "/x"),
    }


@pytest.mark.parametrize("name", ["json:{", "json:{'a':1,'a':2}", " JSON:x"])
def test_json_in_a_file_name_that_cannot_be_read(name: str) -> None:
    assert not leaves_of({"file": name}).readable


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("netdev_add tap,id=a,script=/x", ("script",), "/x"),
        ("netdev_add tap,id=a,script=/x", ("type",), "tap"),
        ("netdev_add id=a,type=tap", ("type",), "tap"),
        ("chardev-add pipe,id=a,path=/x", ("backend", "type"), "pipe"),
        ("chardev-add id=a,backend=pipe", ("backend", "type"), "pipe"),
        ("object_add secret,id=a,file=/x,,y", ("file",), "/x,y"),
        ("object_add qom-type=secret,id=a", ("qom-type",), "secret"),
        ("object_add {'qom-type':'secret','id':'a'}", ("qom-type",), "secret"),
        ("device_add loader,file=/x", ("driver",), "loader"),
        ("drive_add 0 if=none,file.filename=/x", ("file", "filename"), "/x"),
        ('memsave 0 16"/x"', ("filename",), "/x"),
        ('memsave 0 16"/x"', ("line",), '0 16"/x"'),
        ("memsave 0 16 x", ("2",), "x"),
        ("qom-set -j /o p {'file':'/x'}", ("file",), "/x"),
    ],
)
def test_options_of_a_line(text: str, path: tuple[str, ...], value: str) -> None:
    assert value in values(text, *path)


def test_qemu_keeps_1023_bytes_of_a_word() -> None:
    assert values(f"logfile {'x' * 1024}", "filename") == {"x" * 1024, "x" * 1023}


def test_text_is_read_by_both_rules() -> None:
    asks = unfold_text(b'MEMSAVE 0 16"/x"')
    assert {ask.names[0] for ask in asks} == {"memsave"}
    found = {leaf for ask in asks for leaf in ask.leaves.items}
    assert Leaf(("filename",), "/x") in found
    assert [ask.names[0] for ask in unfold_text(b'"info" status')] == ["info status"] * 1
    assert unfold_text(b"  ") == []
    with pytest.raises(ProtocolViolation):
        unfold_text(b'set_link "a"b')


@pytest.mark.parametrize("word", ["/1x", "-1x", "+0)x", "*2x", "/x", ")x", "%1", "x", "/0/x"])
def test_a_word_is_no_part_of_the_number_before_it(word: str) -> None:
    """The gateway takes it for a file's name, whatever the human monitor would."""
    names = {
        leaf.value
        for ask in unfold_text(f"memsave 0 16 {word}".encode())
        for leaf in ask.leaves.items
        if leaf.path == ("filename",)
    }
    assert word in names


def test_a_flag_and_a_number_are_what_they_are() -> None:
    words = {leaf.path: leaf.value for leaf in unfold_text(b"migrate -d exec:x")[0].leaves.items}
    assert words["uri",] == "exec:x"
    asks = unfold_text(b"sum 0 -5")
    assert [leaf.value for leaf in asks[0].leaves.items if leaf.path == ("line",)] == ["0 -5"]


NATIVE = [row for row in rows() if row.way in (Way.NATIVE, Way.HUMAN)]


@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.known.name)
def test_what_a_gateway_does_it_by_is_a_name_of_it_for_a_denial(row: Row) -> None:
    name, _, sub = row.known.name.partition(" ")
    names = known_as(name, sub)
    if not sub:
        names += done_by(plain(name), ["disk:x", "nic", "storage", "vnc", "remove"])
    for other in row.becomes.replace(";", ",").split(","):
        does = plain(other)
        # To look first takes nothing that the command itself does not tell.
        assert does in names or does.startswith(("query-", "info ")) or does == "qom-get"


@pytest.mark.parametrize(
    ("line", "others"),
    [
        ("usb_add tablet", {"device-add"}),
        ('USB_ADD "Disk:x"', {"device-add", "drive-add", "blockdev-add"}),
        ("pci_add auto nic", {"device-add", "netdev-add"}),
        ("pci_add auto storage file=x", {"device-add", "drive-add", "blockdev-add"}),
        ("change vnc password x", {"display-update", "change-vnc-password"}),
        ("change cd0 x", set()),
        ("device_add x", set()),
    ],
)
def test_what_it_is_done_by_depends_on_what_stands_behind_it(line: str, others: set[str]) -> None:
    assert {name for ask in unfold_text(line.encode()) for name in ask.done_by} == others


@pytest.mark.parametrize(
    ("name", "sub", "names"),
    [
        ("info", "Block", ("info block", "query-block")),
        ("info", "block", ("info block", "query-block")),
        ("query-block", "", ("query-block", "info block")),
        ("info", "cpus", ("info cpus", "query-cpus-fast")),
        ("query-cpus-fast", "", ("query-cpus-fast", "info cpus")),
        ("sendkey", "", ("sendkey", "send-key")),
        ("send-key", "", ("send-key", "sendkey")),
        ("c", "", ("cont",)),
        ("St\0op_x ", "", ("stop-x",)),
    ],
)
def test_names(name: str, sub: str, names: tuple[str, ...]) -> None:
    assert known_as(name, sub) == names


@pytest.mark.parametrize(
    ("value", "reading"),
    [
        ("//etc//passwd", "/etc/passwd"),
        ("/a/../etc/./passwd", "/etc/passwd"),
        ("../../etc/passwd", "/etc/passwd"),
        ("file:/etc/passwd", "/etc/passwd"),
        ("blkdebug::/etc/passwd", "/etc/passwd"),
        ("blkdebug:/c:raw:/etc/passwd", "/etc/passwd"),
        ("/proc/self/root/etc/passwd", "/etc/passwd"),
        ("/proc/1/cwd/etc/passwd", "/etc/passwd"),
        ("/proc/self/task/1/root/etc/passwd", "/etc/passwd"),
        ("/proc/self/root/proc/self/root/etc/passwd", "/etc/passwd"),
        ("/proc/self/root/../etc/passwd", "/etc/passwd"),
        ("/proc/self/cwd/../../etc/passwd", "/etc/passwd"),
        ("file:/a/..//proc/self/./root/proc/1/cwd/../../etc/passwd", "/etc/passwd"),
        ("a/../../../proc/self/root/../etc/passwd", "/etc/passwd"),
        ("/proc/self/root", "/"),
        ("/proc/self/task/root", "/proc/self/task/root"),
        ("/a/proc/self/root/x", "/a/proc/self/root/x"),
        ("a/..", "."),
    ],
)
def test_readings_of_a_name(value: str, reading: str) -> None:
    assert readings(value)[0] == value
    assert reading in readings(value)


def test_a_long_text_is_no_name() -> None:
    assert readings(":/" * 10_000) == (":/" * 10_000,)
    assert readings("a:" * 17 + "/") == ()


@pytest.mark.parametrize(
    "text", ["x " + "(" * 70_000, "memsave " + "1+" * 40_000, "stop " + "a " * 30_000,
             "drive_add 0 " + "a=b," * 16_000, "nosuch " + "a,b=c:/," * 8_000]
)  # fmt: skip
def test_lines_without_end_cannot_be_told(text: str) -> None:
    message = json.dumps(
        {"execute": "human-monitor-command", "arguments": {"command-line": text}}
    ).encode()
    (_, ask) = unfold_json(message)
    assert not ask.leaves.readable
    assert len(ask.leaves.items) < 100_000


@pytest.mark.parametrize(
    ("arguments", "leaves", "readable"),
    [
        ({"path": "/bin/ls"}, {"line": "/bin/ls"}, True),
        (
            {"path": "/bin/sh", "arg": ["-c", "rm -rf /"]},
            {"line": "/bin/sh -c rm -rf /"},
            True,
        ),
        (
            {"path": "sh", "input-data": "cm0g\nLXJmIC8="},
            {"line": "sh", "input": "rm -rf /"},
            True,
        ),
        ({"path": "sh", "input-data": "cm0"}, {"line": "sh"}, False),
        ({"path": "sh", "input_data": "!"}, {"line": "sh"}, False),
        ({"path": "sh", "input-data": "/w=="}, {"line": "sh", "input": "\\xff"}, True),
    ],
)
def test_what_a_guest_is_to_run(
    arguments: dict[str, object], leaves: dict[str, str], readable: bool
) -> None:
    message = json.dumps({"execute": "guest-exec", "arguments": arguments}).encode()
    (ask,) = unfold_json(message)
    found = {leaf.path[0]: leaf.value for leaf in ask.leaves.items if len(leaf.path) == 1}
    assert {name: found[name] for name in ("line", "input") if name in found} == leaves
    assert ask.leaves.readable is readable
