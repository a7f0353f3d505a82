"""Start an emulator as a tool does, and see how long it takes until its monitor greets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

MACHINE = ("-machine", "none", "-nodefaults", "-display", "none")


def start(folder: Path, command: list[str]) -> float:
    """
    Start it once, and end it.

    :returns: seconds until the greeting.
    """
    path = folder / "start.sock"
    path.unlink(missing_ok=True)
    began = time.perf_counter()
    emulator = subprocess.Popen(
        [*command, *MACHINE, "-qmp", f"unix:{path},server=on,wait=off"],
        env={**os.environ, "TXQMP_QEMU": "qemu-system-x86_64"},
        cwd=folder,
    )
    while True:
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(path)):
                time.sleep(0.001)
                continue
            client.recv(65536)
            taken = time.perf_counter() - began
            client.sendall(b'{"execute":"qmp_capabilities"}{"execute":"quit"}')
            emulator.wait()
            return taken


if __name__ == "__main__":
    # A start is as fast as the machine allows: the proxy and QEMU get ready side by side.
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    folder, count, *command = sys.argv[1:]
    times = [start(Path(folder), command) for _ in range(int(count))]
    sys.stdout.write(json.dumps({"wall": median(times)}))
