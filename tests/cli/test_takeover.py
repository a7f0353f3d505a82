"""``txqmp takeover`` as a user runs it, before a socket that somebody listens at."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import PATIENCE, ROOT

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
GREETING = b'{"QMP": {"version": {}, "capabilities": []}}\r\n'


@pytest.fixture
def monitor(short_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.settimeout(PATIENCE)
        listening.bind(str(short_path / "m.sock"))
        listening.listen()
        yield listening


class Running:
    """A takeover of ``m.sock``."""

    def __init__(self, process: subprocess.Popen[bytes], path: Path) -> None:
        self.process = process
        self.path = path

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode()

    def ends(self) -> tuple[int, str, str]:
        """Wait for the end: the exit status, and what else it says."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out.decode(), err.decode()


@contextmanager
def running(folder: Path, *options: str, **settings: Any) -> Iterator[Running]:
    with subprocess.Popen(
        [sys.executable, "-m", "txqmp", "takeover", *options, "m.sock"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **settings,
    ) as process:
        try:
            yield Running(process, folder / "m.sock")
        finally:
            process.kill()
