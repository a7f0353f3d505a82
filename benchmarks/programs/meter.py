"""What a program measures of itself and of others, and how it tells."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path


class Meter:
    """
    Measures from its creation until :meth:`stop`.

    :param pid: a process whose CPU time is measured; without it, this one's.
    """

    def __init__(self, pid: int | None = None) -> None:
        self._pid = pid
        self._cpu = cpu_time(pid)
        self._wall = time.perf_counter()

    def stop(self, count: int = 1) -> dict[str, float]:
        """
        Tell what was used.

        :returns: seconds of each of ``count`` operations: ``wall`` and ``cpu``.
        """
        wall = time.perf_counter() - self._wall
        return {"wall": wall / count, "cpu": (cpu_time(self._pid) - self._cpu) / count}


def cpu_time(pid: int | None) -> float:
    """Seconds of CPU that a process has used, with all its threads; None: this one."""
    if pid is None:
        return time.process_time()
    # What clock_getcpuclockid(3) makes of a process id.
    return time.clock_gettime((~pid << 3) | 2)


def resident(pid: int) -> int:
    """Bytes of memory that a process has now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def allow_many_files() -> None:
    """Allow this process as many open files as it may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def tell(result: dict[str, float]) -> None:
    """Say what was measured."""
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
