"""The examples do what they say: each runs as a program of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
PATIENCE = 60.0
"""Seconds after which a program that says nothing is killed; nothing is measured by it."""


class Program:
    """An example that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def says(self, *lines: str) -> None:
        """Its next lines are these."""
        assert self.process.stdout is not None
        for line in lines:
            assert self.process.stdout.readline() == line + "\n"

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def ends_well(self) -> None:
        """It has nothing more to say, and no complaint."""
        assert self.process.communicate() == ("", "")
        assert self.process.returncode == 0


@contextmanager
def running(folder: Path, example: str, *arguments: str) -> Iterator[Program]:
    """Run an example in a folder; it is killed if the test has not ended it."""
    root = str(EXAMPLES.parent)
    with subprocess.Popen(
        [sys.executable, str(EXAMPLES / example), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"},
    ) as process:
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            yield Program(process)
        finally:
            watchdog.cancel()
            process.kill()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Program]:
    with running(tmp_path, "server.py", "unix:monitor.sock:mode=600") as program:
        program.says("listening at unix:monitor.sock:mode=600")
        yield program


def test_the_client_shows_answers_errors_and_events_of_the_machine(tmp_path: Path) -> None:
    lines = ("info network", "set_link foo down", "stop")
    with running(tmp_path, "client.py", "machine:", *lines) as client:
        client.says(
            "connected to QEMU 0.10.50",
            "info network:",
            "    VLAN 0 devices:",
            "      user.0: ",
            "      ne2k_pci.0: model=ne2k_pci,macaddr=52:54:00:12:34:56",
            "error: set_link foo down: could not find network device 'foo'",
            "event: stop",
            "stop:",
        )


def test_the_client_says_why_the_connection_ended(tmp_path: Path) -> None:
    with running(tmp_path, "client.py", "machine:", "quit") as client:
        client.says(
            "connected to QEMU 0.10.50",
            "event: shutdown",
            "quit:",
            "disconnected: Connection was closed cleanly.",
        )


def test_the_client_closes_when_it_is_interrupted(tmp_path: Path) -> None:
    with running(tmp_path, "client.py", "machine:", "info uuid") as client:
        client.says("connected to QEMU 0.10.50", "info uuid:")
        client.says("    00000000-0000-0000-0000-000000000000")
        client.interrupt()
        client.says("disconnected: Connection was closed cleanly.")
        client.ends_well()


def test_the_server_answers_the_client(tmp_path: Path, server: Program) -> None:
    lines = ("set_link user.0 down", "info network", "set_link foo down")
    with running(tmp_path, "client.py", "unix:monitor.sock", *lines) as client:
        client.says(
            "connected to QEMU 0.10.50",
            "set_link user.0 down:",
            "info network:",
            "    VLAN 0 devices:",
            "      user.0: link=down",
            "      ne2k_pci.0: link=up",
            "error: set_link foo down: could not find network device 'foo'",
        )


def test_the_server_tells_every_client_of_a_reset(tmp_path: Path, server: Program) -> None:
    with running(tmp_path, "client.py", "unix:monitor.sock") as watcher:
        watcher.says("connected to QEMU 0.10.50")
        with running(tmp_path, "client.py", "unix:monitor.sock", "system_reset") as client:
            client.says("connected to QEMU 0.10.50", "event: reboot", "system_reset:")
        watcher.says("event: reboot")


def test_the_socket_of_the_server_is_for_its_owner_alone(tmp_path: Path, server: Program) -> None:
    assert (tmp_path / "monitor.sock").stat().st_mode & 0o777 == 0o600


def test_the_server_ends_when_it_is_interrupted(tmp_path: Path, server: Program) -> None:
    server.interrupt()
    server.ends_well()
    assert not (tmp_path / "monitor.sock").exists()


@pytest.mark.parametrize(("name", "count"), [("test_pause.py", 3), ("test_recorded.py", 1)])
def test_the_tests_with_doubles_pass(tmp_path: Path, name: str, count: int) -> None:
    pytest_run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*pytest_run, str(EXAMPLES / name)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout
    assert f"{count} passed" in done.stdout
