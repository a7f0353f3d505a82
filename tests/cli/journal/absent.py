"""The program where a package is not installed, though it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
_CODE = """
import sys

class Finder:
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Finder())
from txqmp.cli.main import main
main(sys.argv[2:])
"""


def without(package: str, *argv: str) -> str:
    """
    Run ``txqmp`` without a package.

    :returns: what it says on standard error; it must fail.
    """
    done = subprocess.run(
        [sys.executable, "-c", _CODE, package, *argv],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr
