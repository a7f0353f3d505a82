"""A client of QMP 0.1 with a blocking socket: as plain as a script."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import NamedTuple

from tests.integration.programs import PATIENCE


class Answer(NamedTuple):
    """What came for one command."""

    events: list[str]
    data: list[str]
    completion: str

    @property
    def kind(self) -> str:
        """``OK``, ``DATA`` (OK, with data), ``ERR`` or ``BAD``."""
        word = self.completion.split(" ")[1]
        return "DATA" if word == "OK" and self.data else word


class Talk:
    """A connection."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    def line(self) -> str:
        """The next line; empty at the end."""
        return self._lines.readline().decode("ascii").removesuffix("\r\n")

    def send(self, line: str) -> None:
        """Send a command, and wait for nothing."""
        self._socket.sendall(line.encode("ascii") + b"\r\n")

    def answer(self) -> Answer:
        """Read up to the next completion."""
        events: list[str] = []
        data: list[str] = []
        while True:
            line = self.line()
            if line.startswith("* "):
                events.append(line)
            elif line.startswith("="):
                data.append(line[2:])
            else:
                return Answer(events, data, line)

    def say(self, line: str) -> Answer:
        """Send a command, and wait for its completion."""
        self.send(line)
        return self.answer()

    def close(self) -> None:
        """Go."""
        self._lines.close()
        self._socket.close()
