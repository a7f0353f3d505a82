"""What a wrapper costs a QEMU's start."""

from __future__ import annotations

import sys

from benchmarks.bench import Bench, case
from benchmarks.measure import Figure, at_most

MILLI = 1e3
_QEMU = "import sys; sys.argv[0] = 'txqmp-qemu'; from txqmp.wrap.main import main; main()"


@case("wrap-start", "what a proxy adds to a QEMU's start", "qemu-system-x86_64")
def wrap_start(bench: Bench) -> list[Figure]:
    """Milliseconds from the start of the process to the greeting, less those of QEMU alone."""
    starts = bench.size(10, 1)
    ways = {
        "QEMU": ["qemu-system-x86_64"],
        "txqmp-qemu": [sys.executable, "-c", _QEMU],
        "txqmp wrap": [sys.executable, "-m", "txqmp", "wrap", "--", "qemu-system-x86_64"],
    }
    samples = bench.compare(
        {
            name: (lambda w=way: bench.run("starter", bench.folder, starts, *w))
            for name, way in ways.items()
        }
    )
    return [
        Figure(
            f"wrap-start, {name}",
            "ms",
            samples.added(name, "QEMU", "wall", MILLI),
            target=at_most(500),
            note=f"added to the {min(samples.of('QEMU', 'wall', MILLI)):.0f} ms of QEMU alone",
        )
        for name in ("txqmp-qemu", "txqmp wrap")
    ]
