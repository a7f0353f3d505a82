"""
A monitor that floods its client with events, and clients of a proxy before it: three that read, one
of them in text, and one that is stuck. Run with a folder and how many events; each line that it
is told lets it go on.
"""

from __future__ import annotations

import faulthandler
import json
import socket
import sys
from pathlib import Path
from threading import Thread

GREETING = (
    b'{"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 9}, "package": ""}, '
    b'"capabilities": []}}\r\n'
)
EVENT = (
    b'{"timestamp": {"seconds": 1, "microseconds": %d}, "event": "FLOOD", "data": {"n": %d}}\r\n'
)
LAST = b'{"timestamp": {"seconds": 1, "microseconds": 0}, "event": "LAST"}\r\n'


def say(text: str) -> None:
    print(text, flush=True)


class Reader(Thread):
    """Counts what comes, up to the last."""

    def __init__(self, wire: socket.socket) -> None:
        super().__init__(daemon=True)
        self.count = 0
        self._wire = wire
        self.start()

    def run(self) -> None:
        rest = b""
        while chunk := self._wire.recv(1 << 20):
            chunk = rest + chunk
            self.count += chunk.upper().count(b"FLOOD")
            if b"LAST" in chunk.upper():
                return
            # Half a word is counted when its other half is there.
            rest = chunk[-4:] if chunk[-4:].upper() in (b"FLOO", b"LAST"[:4]) else b""


def connect(path: Path) -> socket.socket:
    wire = socket.socket(socket.AF_UNIX)
    wire.connect(str(path))
    lines = wire.makefile("rb", buffering=0)
    greeting = lines.readline()
    if greeting.startswith(b"{"):
        wire.sendall(b'{"execute": "qmp_capabilities"}')
        assert json.loads(lines.readline()) == {"return": {}}
    return wire


def main(folder: Path, events: int) -> None:
    faulthandler.dump_traceback_later(110, exit=True)
    port = socket.socket(socket.AF_UNIX)
    port.bind(str(folder / "qemu.sock"))
    port.listen()
    say("listening")
    monitor, _ = port.accept()
    monitor.sendall(GREETING)
    monitor.recv(1000)
    monitor.sendall(b'{"return": {}, "id": 0}\r\n')
    sys.stdin.readline()
    stuck = connect(folder / "proxy.sock")
    wires = [connect(folder / name) for name in ("proxy.sock", "proxy.sock", "text.sock")]
    readers = [Reader(wire) for wire in wires]
    say("ready")
    sys.stdin.readline()
    for number in range(events):
        monitor.sendall(EVENT % (number, number))
    monitor.sendall(LAST)
    for reader in readers:
        reader.join()
    say("done")
    sys.stdin.readline()
    stuck.settimeout(1)
    late = 0
    try:
        while chunk := stuck.recv(1 << 20):
            late += chunk.count(b"FLOOD")
    except TimeoutError:
        pass
    say(json.dumps({"read": [reader.count for reader in readers], "stuck": late}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
