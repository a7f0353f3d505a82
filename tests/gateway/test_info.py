"""The sub-commands of ``info``: what is asked for them, and the lines that leave."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import LogLevel, capturedLogs

from tests.gateway.fake import Exchange, Gateway, dialogue, human, no, not_found
from txqmp.proxy.common import NoAnswer

STATS = {"rd_bytes": 1, "wr_bytes": 2, "rd_operations": 3, "wr_operations": 4, "flush": 5}
VERSION = {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""}

NATIVE: list[tuple[str, Exchange, list[str]]] = [
    ("version", ("query-version", None, VERSION), ["7.2.22"]),
    ("status", ("query-status", None, {"running": False}), ["VM status: paused"]),
    ("chardev", ("query-chardev", None, [{"label": "s", "filename": "pty"}]), ["s: filename=pty"]),
    ("blockstats", ("query-blockstats", None, [{"device": "hd", "stats": STATS}]),
     ["hd: rd_bytes=1 wr_bytes=2 rd_operations=3 wr_operations=4"]),
    ("balloon", ("query-balloon", None, {"actual": 64 << 20}), ["balloon: actual=64"]),
    ("kvm", ("query-kvm", None, {"present": True, "enabled": True}), ["kvm support: enabled"]),
    ("name", ("query-name", None, {"name": "vm1"}), ["vm1"]),
    ("name", ("query-name", None, {}), []),
    ("uuid", ("query-uuid", None, {"UUID": "0-1"}), ["0-1"]),
    ("vnc", ("query-vnc", None, {"enabled": False}), ["Server: disabled"]),
    ("mice", ("query-mice", None, []), ["No mouse devices connected"]),
    ("migrate", ("query-migrate", None, {}), []),
    ("pci", ("query-pci", None, [{"bus": 0, "devices": []}]), []),
    ("snapshots", ("query-block", None, []),
     ["No available block device supports snapshots"]),
]  # fmt: skip


@pytest.mark.parametrize("use_human", [True, False])
@pytest.mark.parametrize(("name", "exchange", "lines"), NATIVE)
def test_one_command_and_its_answer(
    name: str, exchange: Exchange, lines: list[str], use_human: bool
) -> None:
    shown = [f"= {line}" for line in lines]
    assert dialogue(f"info {name}", exchange, human=use_human) == [
        *shown,
        f"+ OK info {name} completed",
    ]


@pytest.mark.parametrize(("name", "exchange", "lines"), NATIVE)
def test_what_the_monitor_says_no_to(name: str, exchange: Exchange, lines: list[str]) -> None:
    refused = (exchange[0], None, no("not today"))
    assert dialogue(f"info {name}", refused) == ["- ERR not today"]


def test_arguments_are_too_many() -> None:
    assert dialogue("info name x") == ["- ERR info name: extraneous characters at the end of line"]


def test_its_name_ignores_case() -> None:
    assert dialogue("INFO Name", ("query-name", None, {})) == ["+ OK info name completed"]


def test_a_name_that_is_not_ascii_is_escaped() -> None:
    value = {"name": "Büro\n- ERR 你"}
    assert dialogue("info name", ("query-name", None, value)) == [
        r"= B\xfcro\x0a- ERR \u4f60",
        "+ OK info name completed",
    ]


def test_no_balloon_in_the_words_of_2009() -> None:
    inactive = no("No balloon device has been activated", "DeviceNotActive")
    assert dialogue("info balloon", ("query-balloon", None, inactive)) == [
        "- ERR Ballooning not activated in VM"
    ]


# Drives: their devices tell what kind they are.


def drive(device: str, qdev: str = "") -> dict[str, Any]:
    return {"device": device, "removable": True, "locked": False} | ({"qdev": qdev} if qdev else {})


def kind(qdev: str, answer: Any) -> Exchange:
    return "qom-get", {"path": qdev, "property": "type"}, answer


@pytest.mark.parametrize(
    ("exchanges", "shown"),
    [
        ([("query-block", None, [drive("a", "/m/a")]), kind("/m/a", "ide-cd")], "cdrom"),
        ([("query-block", None, [drive("a", "/m/a")]), kind("/m/a", "floppy")], "floppy"),
        ([("query-block", None, [drive("a", "/m/a")]), kind("/m/a", "ide-hd")], "hd"),
        ([("query-block", None, [drive("floppy0")])], "floppy"),
        ([("query-block", None, [drive("sd0")])], "hd"),
        ([("query-block", None, [drive("cd0", "/m")]), kind("/m", not_found("/m"))], "cdrom"),
    ],
)
def test_block(exchanges: list[Exchange], shown: str) -> None:
    name = exchanges[0][2][0]["device"]
    assert dialogue("info block", *exchanges, human=False) == [
        f"= {name}: type={shown} removable=1 locked=0 [not inserted]",
        "+ OK info block completed",
    ]


def test_a_monitor_that_does_not_tell_the_kind_of_a_drive() -> None:
    gone = NoAnswer("monitor is gone: whether it carried qom-get out is unknown")
    assert dialogue("info block", ("query-block", None, [drive("a", "/m")]), kind("/m", gone)) == [
        "- ERR monitor is gone: whether it carried qom-get out is unknown"
    ]


# What only the human monitor knows.

CPUS: Exchange = ("query-cpus-fast", None, [{"cpu-index": 0}, {"cpu-index": 1}])
FIRST = human("info registers", "RIP=0000000000000010\r\nHLT=0\r\n", cpu=0)
SECOND = human("info registers", "RIP=0000000000000020\r\nHLT=1\r\n", cpu=1)


def test_cpus() -> None:
    assert dialogue("info cpus", CPUS, FIRST, SECOND) == [
        "= * CPU #0: pc=0x0000000000000010",
        "=   CPU #1: pc=0x0000000000000020 (halted)",
        "+ OK info cpus completed",
    ]


def test_the_chosen_cpu_has_the_star() -> None:
    gateway = Gateway(CPUS, CPUS, FIRST, SECOND)
    assert gateway.asks("cpu 1", "info cpus")[1:3] == [
        "=   CPU #0: pc=0x0000000000000010",
        "= * CPU #1: pc=0x0000000000000020 (halted)",
    ]


def test_network() -> None:
    printed = "hub 0\r\n \\ hub0port0: user.0: index=0,type=user,net=10.0.2.0\r\n"
    assert dialogue("info network", human("info network", printed)) == [
        "= VLAN 0 devices:",
        "=   user.0: net=10.0.2.0",
        "+ OK info network completed",
    ]


@pytest.mark.parametrize("name", ["cpus", "network", "registers", "qtree", "slirp", "foo"])
def test_without_the_human_monitor_they_are_unknown(name: str) -> None:
    assert dialogue(f"info {name}", human=False) == ["- BAD unknown command"]


@pytest.mark.parametrize(
    ("line", "exchange"),
    [
        ("info status", ("query-status", None, {})),
        ("info status", ("query-status", None, 7)),
        ("info version", ("query-version", None, {"qemu": "7.2"})),
        ("info blockstats", ("query-blockstats", None, [3])),
        ("info registers", ("human-monitor-command", {"command-line": "info registers"}, {})),
        ("sum 0 16", ("human-monitor-command", {"command-line": "sum 0 16"}, 5)),
    ],
)
def test_an_answer_that_qemu_never_gives(line: str, exchange: Exchange) -> None:
    with capturedLogs() as logs:
        (answer,) = dialogue(line, exchange)
    name = line if line.startswith("info") else line.split()[0]
    assert answer == f"- ERR {name}: the monitor's answer is none of QEMU's"
    (entry,) = logs
    assert (entry["log_level"], entry["command"]) == (LogLevel.warn, name)
