"""The first that runs of the ``txqmp`` program: what takes longest is begun before all else."""

from __future__ import annotations

import sys

from txqmp.wrap.early import begin, may_need_proxy


def main() -> None:
    """
    Run the program; see :func:`txqmp.cli.main.main`.

    :raises SystemExit: always, or when the reactor has run.
    """
    if sys.argv[1:2] == ["wrap"] and may_need_proxy(sys.argv):
        begin()

    from txqmp.cli.main import main as run

    run()
