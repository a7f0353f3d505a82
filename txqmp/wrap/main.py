"""``txqmp-qemu``: an executable that stands where the emulator stood, and takes its arguments."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from txqmp.wrap.early import begin, may_need_proxy


def main() -> NoReturn:
    """
    Become the real emulator, with a proxy before its monitors.

    :raises SystemExit: with one line on standard error, if that cannot be.
    """
    called_as, *arguments = sys.argv
    if may_need_proxy(arguments):
        begin()

    from txqmp.errors import WrapError
    from txqmp.wrap.launch import launch
    from txqmp.wrap.settings import find_emulator, load

    try:
        settings = load(called_as, os.environ)
        launch(find_emulator(called_as, settings, os.environ), arguments, settings)
    except WrapError as error:
        raise SystemExit(f"{Path(called_as).name}: {error}") from None
