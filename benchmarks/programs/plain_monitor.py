"""
A monitor that costs next to nothing: it answers every line alike, without reading it.

``plain_monitor SOCKET``: one client at a time. ``flood N`` is answered with N bytes of data
lines of 64 bytes.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

GREETING = b"+ OK QEMU 0.10.50 QMP 0.1\r\n"
REPLY = b"+ OK stop completed\r\n"
LINE = b"= " + b"x" * 60 + b"\r\n"
CHUNK = LINE * 1024


def serve(client: socket.socket) -> None:
    """Answer one client."""
    client.sendall(GREETING)
    while data := client.recv(65536):
        if data.startswith(b"flood "):
            left = int(data.split()[1])
            while left > 0:
                client.sendall(CHUNK[:left])
                left -= len(CHUNK)
            client.sendall(b"+ OK flood completed\r\n")
        else:
            client.sendall(REPLY * data.count(b"\n"))


def main() -> None:
    """Answer one client after the other, for ever."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(64)
    while True:
        client, _ = listener.accept()
        with client, suppress(OSError):  # it may leave in the middle of an answer
            serve(client)


if __name__ == "__main__":
    main()
