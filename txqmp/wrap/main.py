"""``txqmp-qemu``: an executable that stands where the emulator stood, and takes its arguments."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from txqmp.wrap.early import NotStarted, may_need_proxy, start_proxy


def main() -> NoReturn:
    """
    Become the real emulator, with a proxy before its monitors.

    :raises SystemExit: with one line on standard error, if that cannot be.
    """
    called_as, *arguments = sys.argv
    try:
        proxy = start_proxy() if may_need_proxy(arguments) else None
    except NotStarted as error:
        raise SystemExit(f"{Path(called_as).name}: no proxy can be started: {error}") from None

    from txqmp.errors import WrapError
    from txqmp.wrap.launch import launch
    from txqmp.wrap.settings import find_emulator, load

    try:
        settings = load(called_as, os.environ)
        launch(find_emulator(called_as, settings, os.environ), arguments, settings, proxy)
    except WrapError as error:
        raise SystemExit(f"{Path(called_as).name}: {error}") from None
