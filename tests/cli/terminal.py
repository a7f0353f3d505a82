"""A terminal, and the program that runs in it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds after which a test gives up; nothing is measured by it."""

CTRL_C, CTRL_D, TAB, ENTER, UP = b"\x03", b"\x04", b"\t", b"\r", b"\x1b[A"
_SEQUENCE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


class Terminal:
    """Types at a program, and reads the screen."""

    def __init__(self, process: subprocess.Popen[bytes], fd: int) -> None:
        self._process = process
        self._fd = fd
        self.raw = b""
        self._read = 0

    @property
    def screen(self) -> bytes:
        """All that was shown, without what moves the cursor and colours."""
        return _SEQUENCE.sub(b"", self.raw)

    def type(self, *keys: bytes) -> None:
        """Press keys."""
        os.write(self._fd, b"".join(keys))

    def interrupt(self) -> None:
        """Send SIGINT, as a terminal does that is not raw."""
        self._process.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def is_raw(self) -> bool:
        """Whether keys come one by one."""
        return not termios.tcgetattr(self._fd)[3] & termios.ICANON

    def says(self, text: bytes) -> None:
        """Wait until this is shown, after what was waited for before."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.screen.find(text, self._read)) < 0:
            ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
            if not ready or not self._more():
                raise AssertionError(f"{text!r} never came: {self.screen!r}")
        self._read = found + len(text)

    def _more(self) -> bool:
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # the program has closed its end
            return False
        self.raw += data
        return bool(data)

    def ends(self) -> int:
        """Wait for the end of the program: its exit status."""
        while self._more():
            pass
        return self._process.wait(PATIENCE)


@contextmanager
def terminal(folder: Path, *argv: str, **environment: str) -> Iterator[Terminal]:
    """Run ``txqmp`` in a terminal of its own; it is killed if the test has not ended it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "txqmp", *argv],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm",
            "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody here answers where the cursor is
            "XDG_STATE_HOME": str(folder / "state"),
            **environment,
        },
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            process.kill()
            os.close(ours)
