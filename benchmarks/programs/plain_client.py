"""
Clients that cost next to nothing, to put load on a server or a proxy.

``plain_client MODE SOCKET PID …``; PID is the server's, whose CPU time is measured.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from pathlib import Path

from benchmarks.programs.meter import Meter, allow_many_files, resident, tell

COMMAND = b"stop\r\n"


def connect(path: str) -> socket.socket:
    """Connect, and read the greeting."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    read_lines(client, 1)
    return client


def read_lines(client: socket.socket, count: int) -> None:
    """Read so many line ends."""
    while count > 0:
        data = client.recv(65536)
        if not data:
            raise EOFError("the server closed the connection")
        count -= data.count(b"\n")


def ping(path: str, pid: int, count: int) -> dict[str, float]:
    """One command at a time."""
    client = connect(path)
    for _ in range(count // 10):
        client.sendall(COMMAND)
        read_lines(client, 1)
    meter = Meter(pid)
    for _ in range(count):
        client.sendall(COMMAND)
        read_lines(client, 1)
    return meter.stop(count)


def pipeline(path: str, pid: int, count: int, window: int) -> dict[str, float]:
    """Keep a window of commands on the way."""
    client = connect(path)
    meter = Meter(pid)
    client.sendall(COMMAND * window)
    sent, received = window, 0
    while received < count:
        data = client.recv(65536)
        if not data:
            raise EOFError("the server closed the connection")
        answered = data.count(b"\n")
        received += answered
        more = min(answered, count - sent)
        if more > 0:
            client.sendall(COMMAND * more)
            sent += more
    return meter.stop(count)


def bulk(path: str, pid: int, size: int, journal: str = "") -> dict[str, float]:
    """
    Ask for many bytes.

    :param journal: the run is over when the last line of this file says ``closed``.
    """
    before = Path(journal).stat().st_size if journal else 0
    client = connect(path)
    meter = Meter(pid)
    client.sendall(b"flood %d\r\n" % size)
    left = size + len(b"+ OK flood completed\r\n")
    buffer = bytearray(1024 * 1024)
    while left > 0:
        got = client.recv_into(buffer)
        if not got:
            raise EOFError("the server closed the connection")
        left -= got
    if not journal:
        return meter.stop(size)
    client.close()
    while not _ends_closed(journal, before):
        time.sleep(0.002)
    taken = meter.stop(size)
    return {**taken, "recorded": _count_lines(journal, before)}


def _ends_closed(journal: str, before: int) -> bool:
    with Path(journal).open("rb") as file:
        size = file.seek(0, 2)
        if size <= before:
            return False
        file.seek(max(before, size - 1000))
        end = file.read()
    return end.endswith(b"\n") and b'"kind":"closed"' in end.splitlines()[-1]


def _count_lines(journal: str, before: int) -> int:
    """How many data lines of the flood the journal holds."""
    count = 0
    with Path(journal).open("rb") as file:
        file.seek(before)
        for line in file:
            count += b"xxxxxxxx" in line
    return count


def many(path: str, pid: int, count: int, connections: int) -> dict[str, float]:
    """Many connections, each with one command on the way."""
    allow_many_files()
    before = resident(pid)
    clients = [connect(path) for _ in range(connections)]
    for client in clients:
        client.sendall(COMMAND)
    for client in clients:
        read_lines(client, 1)
    grown = resident(pid) - before
    poll = select.epoll()
    by_number = {}
    for client in clients:
        poll.register(client, select.EPOLLIN)
        by_number[client.fileno()] = client
    meter = Meter(pid)
    for client in clients:
        client.sendall(COMMAND)
    received = 0
    while received < count:
        for number, _ in poll.poll():
            client = by_number[number]
            if not client.recv(4096):
                raise EOFError("the server closed a connection")
            received += 1
            client.sendall(COMMAND)
    return {**meter.stop(received), "memory": grown / connections}


MODES = {"ping": ping, "pipeline": pipeline, "bulk": bulk, "many": many}


def main() -> None:
    """Do what the command line says."""
    mode, path, pid, *more = sys.argv[1:]
    arguments = [int(word) if word.isdigit() else word for word in more]
    tell(MODES[mode](path, int(pid), *arguments))  # type: ignore[operator]


if __name__ == "__main__":
    main()
