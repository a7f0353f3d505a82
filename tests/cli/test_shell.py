"""The shell: a script of commands, and a person at a terminal."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.terminal import CTRL_C, CTRL_D, ENTER, TAB, UP, Terminal, terminal
from tests.cli.test_program import program
from txqmp.cli.shell import history_path, holds_secret

GREETING = b"+ OK QEMU 0.10.50 QMP 0.1\r\n"


def script(
    folder: Path, text: bytes, *options: str, status: int = 0
) -> subprocess.CompletedProcess[bytes]:
    return program("shell", *options, "machine:", folder=folder, status=status, stdin=text)


# A script.


def test_a_script_prints_the_answers_in_order(tmp_path: Path) -> None:
    done = script(tmp_path, b"info status\r\n\n  # a comment\nstop\n info status \n")
    assert done.stdout == b"VM status: running\nVM status: paused\n"
    assert done.stderr == b""


def test_the_last_line_of_a_script_needs_no_end(tmp_path: Path) -> None:
    assert script(tmp_path, b"stop\ninfo status").stdout == b"VM status: paused\n"


def test_an_empty_script_does_nothing(tmp_path: Path) -> None:
    done = script(tmp_path, b"")
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_script_ends_at_the_first_command_that_fails(tmp_path: Path) -> None:
    done = script(tmp_path, b"info status\n\nset_link foo down\ninfo name\n", status=1)
    assert done.stdout == b"VM status: running\n"
    (line,) = done.stderr.decode().splitlines()
    assert line == ("txqmp: line 3: set_link foo down: could not find network device 'foo'")


def test_keep_going_goes_on_and_tells_all_the_same(tmp_path: Path) -> None:
    done = script(tmp_path, b"foo\nb\xc3\xa5r\ninfo status\n", "--keep-going", status=1)
    assert done.stdout == b"VM status: running\n"
    first, second = done.stderr.splitlines()
    assert first.startswith(b"txqmp: line 1: foo: ")
    assert second.startswith(b"txqmp: line 2: ")


def test_exit_ends_a_script(tmp_path: Path) -> None:
    assert script(tmp_path, b"exit\nfoo\n").stderr == b""


def test_a_script_may_end_with_the_machine(tmp_path: Path) -> None:
    assert script(tmp_path, b"stop\nquit\n").stderr == b""


def test_a_command_after_the_end_of_the_machine_fails(tmp_path: Path) -> None:
    done = script(tmp_path, b"quit\nstop\n", status=1)
    assert done.stderr.startswith(b"txqmp: line 2: ")


def test_a_script_is_carried_out_as_it_is_written(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "txqmp", "shell", "machine:"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        for answer in (b"VM status: running\n", b"VM status: paused\n"):
            shell.stdin.write(b"info status\nstop\n")
            shell.stdin.flush()
            assert shell.stdout.readline() == answer
        shell.stdin.close()
        assert shell.stdout.read() == b""
    assert shell.returncode == 0


def test_a_shell_without_a_monitor_says_so(tmp_path: Path) -> None:
    done = program("shell", "unix:nosuch.sock", folder=tmp_path, status=1)
    assert done.stderr.startswith(b"txqmp: cannot connect: ")
    assert len(done.stderr.splitlines()) == 1


# A person.


@contextmanager
def shell(folder: Path, *options: str, endpoint: str = "machine:") -> Iterator[Terminal]:
    with terminal(folder, "shell", *options, endpoint) as screen:
        screen.says(b"qmp>")
        yield screen


def test_a_person_sees_answers_errors_and_how_long_they_took(tmp_path: Path) -> None:
    with shell(tmp_path) as screen:
        assert b"connected: QEMU 0.10.50 (text)" in screen.screen
        screen.type(b"info status", ENTER)
        screen.says(b"VM status: running\n(")
        screen.says(b" ms)\n")
        screen.type(b"set_link foo down", ENTER)
        screen.says(b"error: set_link foo down: could not find network device 'foo'")
        screen.says(b"qmp>")
        screen.type(b"exit", ENTER)
        assert screen.ends() == 0


def test_tab_completes_a_command_and_what_info_takes(tmp_path: Path) -> None:
    with shell(tmp_path) as screen:
        # One round: the help that was asked for first has come by the time of this answer.
        screen.type(b"info name", ENTER)
        screen.says(b"ms)")
        screen.says(b"qmp>")
        screen.type(b"inf", TAB, b"stat", TAB, ENTER)
        screen.says(b"VM status: running")


def test_ctrl_c_cancels_the_line_and_ctrl_d_ends(tmp_path: Path) -> None:
    with shell(tmp_path) as screen:
        screen.type(b"stop", CTRL_C)
        screen.says(b"qmp>")
        screen.type(b"info status", ENTER)
        screen.says(b"VM status: running")
        screen.says(b"qmp>")
        screen.type(CTRL_D)
        assert screen.ends() == 0


def test_blank_lines_and_comments_are_not_sent(tmp_path: Path) -> None:
    with shell(tmp_path) as screen:
        screen.type(ENTER)
        screen.says(b"qmp>")
        screen.type(b"# stop", ENTER)
        screen.says(b"qmp>")
        screen.type(b"info status", ENTER)
        screen.says(b"VM status: running")
        assert b"error" not in screen.screen


class Monitor:
    """One that a test plays: it knows no ``help``, and leaves other commands to the test."""

    def __init__(self, folder: Path) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / "m.sock"))
        self._listening.listen()
        self._connection: socket.socket
        self.commands: list[bytes] = []
        self._got = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self._connection, _ = self._listening.accept()
        self.send(GREETING)
        for line in self._connection.makefile("rb"):
            if line.startswith(b"help"):
                self.send(b"- BAD unknown command\r\n")
            else:
                self.commands.append(line)
                self._got.set()

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def gets(self) -> bytes:
        """Wait for a command."""
        assert self._got.wait(60)
        self._got.clear()
        return self.commands[-1]

    def close(self) -> None:
        self._connection.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def monitor(short_path: Path) -> Iterator[Monitor]:
    played = Monitor(short_path)
    yield played
    played._connection.close()
    played._listening.close()


def test_an_event_is_shown_while_the_prompt_waits(short_path: Path, monitor: Monitor) -> None:
    with shell(short_path, endpoint="unix:m.sock") as screen:
        screen.type(b"sto")
        screen.says(b"sto")
        monitor.send(b"* EVENT reboot \x1b[2J\r\n")
        screen.says(b"* reboot \\x1b[2J\n")
        # Above the prompt, which keeps what was typed.
        screen.says(b"qmp>")
        screen.says(b"sto")
        screen.type(b"p", ENTER)
        assert monitor.gets() == b"stop\r\n"
        monitor.send(b"* EVENT stop\r\n")
        screen.says(b"* stop\n")
        monitor.send(b"+ OK stop completed\r\n")
        screen.says(b"ms)")


def test_what_a_monitor_sends_is_shown_escaped(short_path: Path, monitor: Monitor) -> None:
    with shell(short_path, endpoint="unix:m.sock") as screen:
        screen.type(b"info name", ENTER)
        monitor.gets()
        monitor.send(b"= \x1b]0;x\x07\xff\r\n- ERR \x1b[31m\r\n")
        screen.says(b"\\x1b]0;x\\x07\\xff\n")
        screen.says(b"error: info name: \\x1b[31m\n")


def test_ctrl_c_ends_the_wait_and_the_command_keeps_its_place(
    short_path: Path, monitor: Monitor
) -> None:
    with shell(short_path, endpoint="unix:m.sock") as screen:
        screen.type(b"info name", ENTER)
        monitor.gets()
        screen.interrupt()
        screen.says(b"no longer waiting")
        screen.says(b"qmp>")
        screen.type(b"info uuid", ENTER)
        assert monitor.gets() == b"info uuid\r\n"
        monitor.send(
            b"= late\r\n+ OK info name completed\r\n= mine\r\n+ OK info uuid completed\r\n"
        )
        screen.says(b"mine")
        assert b"late" not in screen.screen


def test_the_shell_ends_with_the_connection(short_path: Path, monitor: Monitor) -> None:
    with shell(short_path, endpoint="unix:m.sock") as screen:
        monitor.close()
        screen.says(b"the connection is over: ")
        assert screen.ends() == 1


def test_quit_is_a_good_end(tmp_path: Path) -> None:
    with shell(tmp_path) as screen:
        screen.type(b"quit", ENTER)
        screen.says(b"the connection is over: ")
        assert screen.ends() == 0


def test_a_signal_ends_the_shell_and_gives_the_terminal_back(tmp_path: Path) -> None:
    with shell(tmp_path) as screen:
        assert screen.is_raw()
        screen.terminate()
        assert screen.ends() == 0
        assert not screen.is_raw()


# The lines of before.


def test_the_lines_of_before_come_back_but_those_with_secrets(tmp_path: Path) -> None:
    with shell(tmp_path) as screen:
        for line in (b"info status", b"change vnc password hunter2"):
            screen.type(line, ENTER)
            screen.says(b"ms)")
            screen.says(b"qmp>")
        screen.type(CTRL_D)
        assert screen.ends() == 0
    file = tmp_path / "state" / "txqmp" / "history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"hunter2" not in file.read_bytes()
    with shell(tmp_path) as screen:
        screen.type(UP, ENTER)
        screen.says(b"VM status: running")


def test_no_history_leaves_no_file(tmp_path: Path) -> None:
    with shell(tmp_path, "--no-history") as screen:
        screen.type(b"stop", ENTER)
        screen.says(b"ms)")
        screen.says(b"qmp>")
        screen.type(CTRL_D)
        assert screen.ends() == 0
    assert not (tmp_path / "state").exists()


def test_a_history_that_cannot_be_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    with terminal(tmp_path, "shell", "machine:") as screen:
        screen.says(b"no history: ")
        screen.says(b"qmp>")
        screen.type(b"info status", ENTER)
        screen.says(b"VM status: running")


@pytest.mark.parametrize(
    ("line", "dialect", "secret"),
    [
        ("info status", "text", False),
        ("change vnc password x", "text", True),
        ("set_password vnc x", "text", True),
        ("query-block", "json", False),
        ("device_del id=net1", "json", False),
        ("set_password protocol=vnc password=x", "json", True),
        ("object-add qom-type=secret id=s data=x", "json", True),
        ("{'execute':'object-add','arguments':{'qom-type':'secret','data':'x'}}", "json", True),
        ("human-monitor-command command-line='change vnc password x'", "json", True),
        ("set_password password='x", "json", True),
    ],
)
def test_what_a_journal_would_hide_is_a_secret(line: str, dialect: str, secret: bool) -> None:
    assert holds_secret(line, dialect) is secret


@pytest.mark.parametrize(
    ("state", "path"),
    [
        ("/s", "/s/txqmp/history"),
        ("", "/home/x/.local/state/txqmp/history"),
        ("relative", "/home/x/.local/state/txqmp/history"),
    ],
)
def test_the_history_is_in_the_state_directory(
    state: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/x")
    monkeypatch.setenv("XDG_STATE_HOME", state)
    assert history_path() == Path(path)


def test_a_prompt_without_prompt_toolkit_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "prompt_toolkit.py").write_text(
        "raise ModuleNotFoundError(name='prompt_toolkit')\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    with terminal(tmp_path, "shell", "machine:", PYTHONPATH=path) as screen:
        assert screen.ends() == 1
        assert screen.screen == (
            b"txqmp: the prompt needs prompt-toolkit: pip install 'txqmp[shell]'\n"
        )
    assert script(tmp_path, b"info status\n").stdout == b"VM status: running\n"
