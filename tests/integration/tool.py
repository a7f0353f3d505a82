"""A client of JSON QMP as tools that start a QEMU have it: blocking, on a socket."""

from __future__ import annotations

import json
import socket
from pathlib import Path


class Tool:
    """
    A client as tools write them: a blocking socket.

    :ivar heard: all that it has heard.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(60)
        self._wire = connection
        self._lines = connection.makefile("rb")
        self.heard = b""

    def hear(self) -> dict[str, object]:
        """The next message."""
        line = self._lines.readline()
        self.heard += line
        return json.loads(line)  # type: ignore[no-any-return]

    def ask(self, command: str) -> dict[str, object]:
        """Send a command, and take its answer."""
        self._wire.sendall(json.dumps({"execute": command}).encode())
        while True:
            answer = self.hear()
            if "event" not in answer:
                return answer

    def talk(self) -> None:
        """A whole conversation."""
        assert "QMP" in self.hear()
        self.talk_on()

    def talk_on(self) -> None:
        """Talk, after the greeting."""
        assert self.ask("qmp_capabilities") == {"return": {}}
        assert "return" in self.ask("query-status")
        assert self.ask("quit") == {"return": {}}

    def say(self, *commands: str) -> None:
        """Send commands, and do not wait for answers."""
        self._wire.sendall(b"".join(json.dumps({"execute": c}).encode() for c in commands))

    def ended(self) -> bool:
        """Whether the connection is at its end, instead of a line."""
        return self._lines.readline() == b""

    def hear_out(self) -> bytes:
        """All there was, when the end has come."""
        self.heard += self._lines.read()
        return self.heard

    def close(self) -> None:
        self._lines.close()
        self._wire.close()


def listening_at(path: Path) -> socket.socket:
    port = socket.socket(socket.AF_UNIX)
    port.settimeout(60)
    port.bind(str(path))
    port.listen()
    return port


def connected_to(path: Path) -> Tool:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    return Tool(connection)


def accepted(port: socket.socket) -> Tool:
    connection, _ = port.accept()
    return Tool(connection)
