"""The ``txqmp`` program as a user runs it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import txqmp
from tests.cli.terminal import terminal

ROOT = Path(__file__).parents[2]


def program(
    *argv: str, folder: Path, status: int = 0, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "txqmp", *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done
    return done


JSON_GREETING = (
    b'{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, '
    b'"capabilities": []}}\r\n'
)
NEGOTIATED = b'{"return": {}, "id": 0}\r\n'


@contextmanager
def played(folder: Path, greeting: bytes, *answers: bytes) -> Iterator[list[bytes]]:
    """A monitor at ``m.sock`` that has one answer to each command; the commands, as they come."""
    commands: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "m.sock"))
        listening.listen()

        def play() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(greeting)
                for answer in answers:
                    commands.append(connection.recv(65536))
                    connection.sendall(answer)
                while connection.recv(65536):
                    pass

        thread = threading.Thread(target=play, daemon=True)
        thread.start()
        yield commands
        thread.join(60)


def test_version(tmp_path: Path) -> None:
    assert program("--version", folder=tmp_path).stdout == f"txqmp {txqmp.__version__}\n".encode()


@pytest.mark.parametrize(
    ("argv", "usage"),
    [
        ([], "Usage: txqmp <command> [options]"),
        (["run"], "Usage: txqmp run [options] ENDPOINT COMMAND [ARGUMENT …]"),
        (["journal", "diff"], "Usage: txqmp journal diff [options] FILE FILE"),
        (["journal", "plot"], "Usage: txqmp journal plot [options] FILE … -o PICTURE"),
        (["journal", "show"], "Usage: txqmp journal show [options] FILE …"),
        (["journal", "stats"], "Usage: txqmp journal stats [options] FILE …"),
        (["policy"], "Usage: txqmp policy <command> [options] FILE …"),
        (["policy", "check"], "Usage: txqmp policy check FILE"),
        (["policy", "learn"], "Usage: txqmp policy learn [options] JOURNAL …"),
        (["policy", "test"], "Usage: txqmp policy test [options] FILE JOURNAL …"),
        (["replay"], "Usage: txqmp replay [options] JOURNAL"),
        (["takeover"], "Usage: txqmp takeover [options] PATH"),
    ],
)
def test_help_begins_with_the_usage(tmp_path: Path, argv: list[str], usage: str) -> None:
    assert program(*argv, "--help", folder=tmp_path).stdout.decode().splitlines()[0] == usage


def test_each_command_tells_the_version(tmp_path: Path) -> None:
    said = program("journal", "show", "--version", folder=tmp_path).stdout
    assert said == f"txqmp {txqmp.__version__}\n".encode()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "say what to do: demo, journal, policy, replay, run, shell, takeover"),
        (["nosuch"], "nosuch"),
        (["run"], "run wants an endpoint and a command (txqmp run --help tells more)"),
        (["run", "machine:", "info status", "x"], "'info status' is no word: give the whole line"),
        (["run", "tcp:localhost", "stop"], "ENDPOINT tcp:localhost: it lacks 'port'"),
        (["run", "/run/vm.sock", "stop"], "for a UNIX socket: unix:/run/vm.sock"),
        (["shell"], "shell wants an endpoint"),
        (["shell", "machine:", "stop"], "unexpected argument: stop"),
        (["run", "--timeout=-1", "machine:", "stop"], "-1 is no length of time"),
        (["journal"], "say what to do with the journal"),
        (["journal", "nosuch"], "Unknown command: nosuch (txqmp journal --help tells more)"),
        (["journal", "show"], "wants a file (txqmp journal show --help tells more)"),
        (["journal", "show", "-f", "-"], "leave --follow out"),
        (["policy"], "say what to do with a policy: check, learn, test"),
        (["policy", "check"], "policy check wants a file"),
        (["policy", "check", "nosuch.toml"], "nosuch.toml: No such file or directory"),
        (["policy", "learn"], "policy learn wants a file"),
        (["policy", "learn", "nosuch.jsonl"], "nosuch.jsonl: No such file or directory"),
        (["policy", "test", "a.toml"], "policy test wants a policy and a journal"),
        (["demo", "extra"], "unexpected argument: extra"),
        (["takeover"], "takeover wants the path of a monitor's socket"),
        (["takeover", "a.sock", "extra"], "unexpected argument: extra"),
        (["takeover", "unix:a.sock"], "takeover wants a path, such as a.sock"),
        (["takeover", "--keep=0", "a.sock"], "0 is less than 1"),
        (["takeover", "nosuch.sock"], "nosuch.sock: No such file or directory"),
    ],
)
def test_usage_errors_are_one_line(tmp_path: Path, argv: list[str], says: str) -> None:
    done = program(*argv, folder=tmp_path, status=1)
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("txqmp: ")
    assert says in line


def test_run_prints_the_data(tmp_path: Path) -> None:
    done = program("run", "machine:", "info", "network", folder=tmp_path)
    assert done.stdout == (
        b"VLAN 0 devices:\n  user.0: \n  ne2k_pci.0: model=ne2k_pci,macaddr=52:54:00:12:34:56\n"
    )
    assert done.stderr == b""


def test_run_takes_a_whole_line_too(tmp_path: Path) -> None:
    done = program("run", "machine:paused=yes", "info status", folder=tmp_path)
    assert done.stdout == b"VM status: paused\n"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("set_link foo down", "could not find network device 'foo'"),
        ("foo", "unknown command"),
        ("a\nb", "cannot be sent"),
    ],
)
def test_run_fails_with_the_reason(tmp_path: Path, command: str, says: str) -> None:
    done = program("run", "machine:", command, folder=tmp_path, status=1)
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert says in line


def test_run_without_a_monitor_says_so(tmp_path: Path) -> None:
    done = program("run", "unix:nosuch.sock", "stop", folder=tmp_path, status=1)
    assert done.stderr.startswith(b"txqmp: cannot connect: ")
    assert len(done.stderr.splitlines()) == 1


def test_run_shows_data_escaped_on_a_terminal(short_path: Path) -> None:
    answer = b"= \x1b[2J\xe5\r\n- ERR \x1b[0m\r\n"
    with (
        played(short_path, b"+ OK QEMU 0.10.50 QMP 0.1\r\n", answer),
        terminal(short_path, "run", "unix:m.sock", "info name") as screen,
    ):
        screen.says(b"\\x1b[2J\\xe5\n")
        screen.says(b"txqmp: info name: \\x1b[0m\n")
        assert screen.ends() == 1


def test_run_speaks_json(short_path: Path) -> None:
    with played(
        short_path, JSON_GREETING, NEGOTIATED, b'{"return": {"a": [1]}, "id": 1}\r\n'
    ) as got:
        done = program("run", "unix:m.sock", "x", "a.b=1", "c=d e", folder=short_path)
    assert (done.stdout, done.stderr) == (b'{"a":[1]}\n', b"")
    assert json.loads(got[1]) == {
        "execute": "x",
        "arguments": {"a": {"b": 1}, "c": "d e"},
        "id": 1,
    }


@pytest.mark.parametrize("command", ["x a=1", "{'execute':'x','arguments':{'a':1},'id':7}"])
def test_run_takes_a_whole_json_command_too(short_path: Path, command: str) -> None:
    with played(short_path, JSON_GREETING, NEGOTIATED, b'{"return": {}, "id": 1}\r\n') as got:
        assert program("run", "unix:m.sock", command, folder=short_path).stdout == b"{}\n"
    assert json.loads(got[1]) == {"execute": "x", "arguments": {"a": 1}, "id": 1}


def test_run_lays_json_out_on_a_terminal(short_path: Path) -> None:
    answer = b'{"return": {"a": ["\xc3\xa5\\u001b\x7f"]}, "id": 1}\r\n'
    with (
        played(short_path, JSON_GREETING, NEGOTIATED, answer),
        terminal(short_path, "run", "unix:m.sock", "x") as screen,
    ):
        assert screen.ends() == 0
        assert screen.screen == b'{\n  "a": [\n    "\\u00e5\\u001b\\u007f"\n  ]\n}\n'


def test_run_shows_a_text_as_lines_on_a_terminal(short_path: Path) -> None:
    answer = b'{"return": "one\\r\\n two\\u001b\\r\\n", "id": 1}\r\n'
    with (
        played(short_path, JSON_GREETING, NEGOTIATED, answer),
        terminal(short_path, "run", "unix:m.sock", "x") as screen,
    ):
        assert screen.ends() == 0
        assert screen.screen == b"one\n two\\x1b\n"


def test_run_fails_with_the_reason_of_a_json_monitor(short_path: Path) -> None:
    answer = b'{"error": {"class": "GenericError", "desc": "no\\nsuch"}, "id": 1}\r\n'
    with played(short_path, JSON_GREETING, NEGOTIATED, answer):
        done = program("run", "unix:m.sock", "x", folder=short_path, status=1)
    assert (done.stdout, done.stderr) == (b"", b"txqmp: x: no\\nsuch\n")


def test_run_sends_nothing_that_is_no_json_command(short_path: Path) -> None:
    with played(short_path, JSON_GREETING, NEGOTIATED) as got:
        done = program("run", "unix:m.sock", "x", "y", folder=short_path, status=1)
    assert done.stderr == b"txqmp: 'y' is no argument: write key=value\n"
    assert len(got) == 1


def test_run_for_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "-m", "txqmp", "run", "machine:", "help"],
        cwd=tmp_path,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, b"")


def test_demo_shows_and_leaves_its_journal(tmp_path: Path) -> None:
    done = program("demo", folder=tmp_path)
    out = done.stdout.decode()
    for said in (
        "QEMU 0.10.50 QMP 0.1",
        "ne2k_pci.0: model=ne2k_pci,macaddr=52:54:00:12:34:56",
        "could not find network device 'foo'",
        "unknown command",
        "txqmp journal show txqmp-demo.jsonl",
        "twistd -n qmp-proxy --connect unix:qemu.sock",
    ):
        assert said in out
    lines = (tmp_path / "txqmp-demo.jsonl").read_bytes().splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds[:2] == ["opened", "greeting"]
    assert kinds[-1] == "closed"
    assert {"command", "output", "success", "failure", "rejection", "event"} <= set(kinds)
    assert [p.name for p in tmp_path.iterdir()] == ["txqmp-demo.jsonl"]

    again = program("demo", folder=tmp_path).stdout.decode()
    assert again.count("QMP 0.1") == out.count("QMP 0.1")


def test_demo_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    done = program("demo", "--journal=nosuch/x.jsonl", folder=tmp_path, status=1)
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("txqmp: ")
    assert "nosuch/x.jsonl" in line


def test_journal_show_reads_a_file_and_standard_input_alike(tmp_path: Path) -> None:
    program("demo", folder=tmp_path)
    shown = program("journal", "show", "txqmp-demo.jsonl", folder=tmp_path)
    lines = (tmp_path / "txqmp-demo.jsonl").read_bytes()
    assert len(shown.stdout.splitlines()) == len(lines.splitlines())
    assert program("journal", "show", "-", folder=tmp_path, stdin=lines).stdout == shown.stdout
    assert b"\x1b[" not in shown.stdout
    coloured = program("journal", "show", "--color", "txqmp-demo.jsonl", folder=tmp_path)
    assert b"\x1b[" in coloured.stdout


def test_journal_show_of_no_file_says_so(tmp_path: Path) -> None:
    done = program("journal", "show", "nosuch.jsonl", folder=tmp_path, status=1)
    (line,) = done.stderr.decode().splitlines()
    assert "nosuch.jsonl" in line
