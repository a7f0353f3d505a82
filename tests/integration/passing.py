"""
A client and a monitor that pass each other descriptors, in lines split and glued at random.

Both ends read byte by byte, as QEMU does, and note where each descriptor came.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import socket
import sys
from array import array
from collections.abc import Iterator
from threading import Thread

LINES = 700
GREETING = b"+ OK QEMU 0.10.50 QMP 0.1\r\n"

Piece = tuple[bytes, list[int]]
"""Bytes that are written at once, and the numbers of the descriptors that go with them."""


def pieces(chance: random.Random, prefix: str, passed: int) -> Iterator[Piece]:
    """Lines, now several in a write, now one in several; ``passed`` descriptors among them."""
    numbers = list(range(passed))
    for line in range(LINES):
        padding = "x" * chance.choice((0, 5, 50, 500))
        rest = f"{prefix}line{line}{padding}\r\n".encode()
        for _ in range(chance.choice((0, 0, 1, 3))):
            rest += f"{prefix}glued{line}\r\n".encode()
        while rest:
            cut = chance.choice((1, 7, len(rest), len(rest), len(rest)))
            share = chance.choice((0, 1, 1, 1, 2, 3))
            yield rest[:cut], numbers[:share]
            rest, numbers = rest[cut:], numbers[share:]
    yield f"{prefix}last\r\n".encode(), numbers[:200]
    assert not numbers[200:]


def send(wire: socket.socket, said: list[Piece]) -> None:
    for data, numbers in said:
        files = [os.memfd_create(str(number)) for number in numbers]
        for number, file in zip(numbers, files, strict=True):
            os.write(file, str(number).encode())
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", files))] if files else []
        assert wire.sendmsg([data], control) == len(data)
        for file in files:
            os.close(file)


def heard(wire: socket.socket, size: int) -> dict[int, list[int]]:
    """Where descriptors came, and which they are by what their files hold."""
    found: dict[int, list[int]] = {}
    for place in range(size):
        data, control, flags, _ = wire.recvmsg(1, socket.CMSG_SPACE(4 * 253))
        assert data, "it ended too soon"
        assert not flags & socket.MSG_CTRUNC
        for _, _, ancillary in control:
            for file in array("i", ancillary):
                found.setdefault(place, []).append(int(os.pread(file, 20, 0)))
                os.close(file)
    return found


def places(said: list[Piece]) -> dict[int, list[int]]:
    found, place = {}, 0
    for data, numbers in said:
        if numbers:
            found[place] = numbers
        place += len(data)
    return found


def main(client_path: str, monitor_path: str, seed: str, passed: str) -> None:
    """Pass descriptors both ways; print how many came at their places, and how many lines went."""
    # A thread that fails leaves the others waiting.
    faulthandler.dump_traceback_later(50, exit=True)
    chance = random.Random(int(seed))
    asked = list(pieces(chance, "command ", int(passed)))
    answered = [(GREETING, []), *pieces(chance, "= ", int(passed))]
    with socket.socket(socket.AF_UNIX) as port, socket.socket(socket.AF_UNIX) as client:
        port.bind(monitor_path)
        port.listen()
        client.connect(client_path)
        monitor, _ = port.accept()
        with monitor:
            senders = [
                Thread(target=send, args=(client, asked)),
                Thread(target=send, args=(monitor, answered)),
            ]
            results: dict[str, dict[int, list[int]]] = {}

            def hear(name: str, wire: socket.socket, said: list[Piece]) -> None:
                results[name] = heard(wire, sum(len(data) for data, _ in said))

            hearers = [
                Thread(target=hear, args=("monitor", monitor, asked)),
                Thread(target=hear, args=("client", client, answered)),
            ]
            for thread in [*senders, *hearers]:
                thread.start()
            for thread in [*senders, *hearers]:
                thread.join()
    right = {"monitor": places(asked), "client": places(answered)}
    lines: dict[str, int] = {}
    line, text = 0, b"".join(data for data, _ in asked)
    for place, numbers in places(asked).items():
        line = text.count(b"\n", 0, place)
        lines[str(line)] = lines.get(str(line), 0) + len(numbers)
    print(json.dumps({
        "in_place": results == right,
        "descriptors": sum(len(n) for found in results.values() for n in found.values()),
        "of_lines": lines,
    }))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
