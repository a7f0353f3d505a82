"""``txqmp replay`` as a user runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.test_program import ROOT, program
from tests.replay.example import JSON, TEXT, TEXT_GREETING, recorded, written
from txqmp.journal import Kind, Torn, read

PATIENCE = 60.0
"""Seconds after which a program that says nothing is killed; nothing is measured by it."""


@pytest.fixture
def folder(short_path: Path) -> Path:
    """A folder with two journals."""
    (short_path / "json.jsonl").write_bytes(written(recorded(JSON)))
    (short_path / "text.jsonl").write_bytes(written(recorded(TEXT, "text")))
    return short_path


@contextmanager
def replaying(folder: Path, *argv: str, says: str) -> Iterator[subprocess.Popen[bytes]]:
    """A replay that listens; it is killed if the test has not ended it."""
    with subprocess.Popen(
        [sys.executable, "-m", "txqmp", "replay", *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            assert process.stderr is not None
            # Behind faults there is a proxy, whose log comes before.
            lines = (line.decode() for line in process.stderr)
            assert next(line for line in lines if " ready: " not in line) == says + "\n"
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def talk(folder: Path, *lines: str) -> list[str]:
    """Say some lines at ``m.sock``, and hear all until the end."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(folder / "m.sock"))
        client.sendall("".join(f"{line}\r\n" for line in lines).encode())
        client.shutdown(socket.SHUT_WR)
        return client.makefile("rb").read().decode().splitlines()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 0)])
def test_it_answers_until_it_is_interrupted(folder: Path, number: int, status: int) -> None:
    says = "replaying text.jsonl at unix:m.sock: 1 conversation in QMP 0.1"
    with replaying(folder, "text.jsonl", "--listen", "unix:m.sock", "-s0", says=says) as process:
        assert (folder / "m.sock").stat().st_mode & 0o777 == 0o600
        for _ in range(2):
            assert talk(folder, "info status", "cont") == [
                TEXT_GREETING,
                "= VM status: running",
                "+ OK info status completed",
                "- ERR replay: expected stop, not cont",
            ]
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, out) == (status, b"")
    assert err.count(b"not in the record: cont") == 2
    assert not (folder / "m.sock").exists()


def test_a_client_that_is_there_is_let_go(folder: Path) -> None:
    says = "replaying json.jsonl at unix:m.sock: 1 conversation in JSON QMP"
    with (
        replaying(folder, "--listen=unix:m.sock", "json.jsonl", says=says) as process,
        socket.socket(socket.AF_UNIX) as client,
    ):
        client.settimeout(PATIENCE)
        client.connect(str(folder / "m.sock"))
        assert client.recv(65536).startswith(b'{"QMP"')
        process.send_signal(signal.SIGTERM)
        assert client.recv(1) == b""
        assert process.wait() == 0


def test_it_says_which_port_it_got(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "txqmp", "replay", "--listen", "tcp:0", "text.jsonl"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline().decode()
        _, host, port = said.partition(" at ")[2].split(": ")[0].split(":")
        with socket.create_connection((host, int(port)), PATIENCE) as client:
            assert client.recv(100) == f"{TEXT_GREETING}\r\n".encode()
        process.terminate()


def test_what_is_not_in_the_record_is_asked_elsewhere(folder: Path) -> None:
    says = "replaying text.jsonl at unix:m.sock: 1 conversation in QMP 0.1"
    options = ("--mode=loose", "--else-connect=machine:name=vm7", "--listen=unix:m.sock")
    with replaying(folder, *options, "text.jsonl", says=says):
        assert talk(folder, "info name", "foo") == [
            TEXT_GREETING,
            "= vm7",
            "+ OK info name completed",
            "- BAD unknown command",
        ]


@pytest.mark.parametrize("name", ["json.jsonl", "text.jsonl"])
def test_as_a_client_before_the_same_monitor(folder: Path, name: str) -> None:
    done = program("replay", "--as-client", name, f"--connect=replay:{name}:speed=0", folder=folder)
    count = 6 if name == "json.jsonl" else 5
    assert done.stdout == f"{count} commands sent, no differences\n".encode()
    assert done.stderr == b""


def test_as_a_client_before_another_monitor(folder: Path) -> None:
    other = (folder / "text.jsonl").read_bytes().replace(b"VM status: running", b"VM status: runs")
    (folder / "other.jsonl").write_bytes(other.replace(b"unknown command", b"what?"))
    done = program(
        "replay", "--as-client", "text.jsonl", "--connect", "replay:other.jsonl:speed=0",
        folder=folder, status=1,
    )  # fmt: skip
    assert done.stdout.decode().splitlines() == [
        "info status",
        '  recorded  data[0]: "VM status: running"',
        '  now       data[0]: "VM status: runs"',
        "",
        "foo",
        '  recorded  BAD: "unknown command"',
        '  now       BAD: "what?"',
        "",
        "5 commands sent, 2 differences",
    ]
    assert done.stderr == b""


def test_what_may_differ_may_be_named(folder: Path) -> None:
    path = folder / "other.jsonl"
    path.write_bytes((folder / "json.jsonl").read_bytes().replace(b"running", b"runs"))
    options = ("--as-client", "--connect=replay:other.jsonl:speed=0")
    done = program("replay", *options, "json.jsonl", folder=folder, status=1)
    assert done.stdout.endswith(b"6 commands sent, 1 difference\n")
    done = program("replay", *options, "--ignore=x,st?tus", "json.jsonl", folder=folder)
    assert done.stdout == b"6 commands sent, no differences\n"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "replay wants a journal"),
        (["a", "b"], "unexpected argument: b"),
        (["json.jsonl"], "say with --listen where: an endpoint, such as unix:vm1.sock"),
        (["json.jsonl", "--as-client"], "say with --connect where"),
        (["json.jsonl", "--nosuch"], "option --nosuch not recognized"),
        (["json.jsonl", "--listen=/m.sock"], "for a UNIX socket: unix:/m.sock"),
        (["json.jsonl", "--as-client", "--connect=/m"], "for a UNIX socket: unix:/m"),
        (["json.jsonl", "--listen=unix:m", "--mode=lax"], "--mode lax: not strict or loose"),
        (["json.jsonl", "--listen=unix:m", "--speed=-1"], "-1 is no speed"),
        (["json.jsonl", "--listen=unix:m", "--speed=x"], "'x' is no number"),
        (
            ["json.jsonl", "--listen=unix:nosuch/m"],
            "cannot listen: nosuch/m.lock: No such file or directory",
        ),
        (
            ["json.jsonl", "--listen=unix:m", "--connect=machine:"],
            "--connect goes with --as-client",
        ),
        (["json.jsonl", "--listen=unix:m", "--ignore=a"], "--ignore goes with --as-client"),
        (
            ["json.jsonl", "--as-client", "--connect=machine:", "--mode=loose"],
            "--mode goes not with --as-client",
        ),
        (
            ["json.jsonl", "--listen=unix:m", "--else-connect=machine:"],
            "--else-connect goes with --mode loose",
        ),
        (
            ["json.jsonl", "--listen=unix:m", "--mode=loose", "--else-connect=x:"],
            "--else-connect x:",
        ),
        (["json.jsonl", "--listen=unix:m", "--record=x"], "--record goes with --fault"),
        (
            ["json.jsonl", "--as-client", "--fault=drop:event=STOP"],
            "--fault goes not with --as-client",
        ),
        (["nosuch.jsonl", "--listen=unix:m"], "nosuch.jsonl: No such file or directory"),
        (["json.jsonl", "--listen=unix:m", "--monitor=vm2"], "no monitor vm2 (it has: vm1)"),
        (["json.jsonl", "--listen=unix:m", "--connection=2"], "no connection 2 (it has: 1)"),
        (["json.jsonl", "--listen=unix:no/m"], "cannot listen: "),
        (["json.jsonl", "--as-client", "--connect=unix:no"], "cannot connect: "),
        (["text.jsonl", "--as-client", "--connect=replay:json.jsonl"], "speaks JSON QMP"),
    ],
)
def test_errors_are_one_line(folder: Path, argv: list[str], says: str) -> None:
    done = program("replay", *argv, folder=folder, status=1)
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("txqmp: ")
    assert says in line


def test_a_fault_is_done_to_what_is_replayed_and_recorded(folder: Path) -> None:
    says = "replaying text.jsonl at unix:m.sock: 1 conversation in QMP 0.1, 1 rule for faults"
    rule = "fail:command=stop:desc=no such luck"
    options = ("--listen=unix:m.sock", "-s0", "--mode=loose", f"--fault={rule}")
    with replaying(folder, "text.jsonl", *options, says=says) as process:
        assert "- ERR no such luck" in talk(folder, "stop")
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
    entries = read(folder / "replay-faults.jsonl")
    kinds = [entry.kind for entry in entries if not isinstance(entry, Torn)]
    assert Kind.FAULT in kinds
