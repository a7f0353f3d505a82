"""What the figures were measured on, and what is not installed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_ASK = {
    "qemu-system-x86_64": ["--version"],
    "socat": ["-V"],
    "haproxy": ["-v"],
}
"""How programs are asked for their versions; all other peers are Python packages."""


def is_installed(peer: str) -> bool:
    """Whether a program or a Python package is there."""
    return version_of(peer) is not None


def version_of(peer: str) -> str | None:
    """The version of a program or a Python package; None where it is not installed."""
    if peer in _ASK:
        if shutil.which(peer) is None:
            return None
        asked = subprocess.run([peer, *_ASK[peer]], capture_output=True, text=True, check=False)
        found = re.search(r"version (\S+)", asked.stdout)
        return found[1] if found is not None else "unknown"
    try:
        return version(peer)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def describe() -> dict[str, str]:
    """The machine and the versions, by name."""
    names = ["twisted", "orjson", "qemu.qmp", *_ASK]
    return {
        "CPU": f"{_cpu_model()}, {os.cpu_count()} of them",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        **{name: version_of(name) or "none" for name in names},
    }
