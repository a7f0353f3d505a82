"""A service that ends its process properly when it cannot start."""

from __future__ import annotations

import sys
from collections.abc import Callable

from twisted.application.service import MultiService
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from txqmp.errors import MonitorError, os_error_text

_log = Logger()


class Daemon(MultiService):
    """
    What ``twistd`` and ``twist`` run: one line on standard error and status 1 where a service
    cannot start, instead of a traceback, or of running on without its port.

    :param program: the name of the command, for that line.
    """

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def privilegedStartService(self) -> None:
        """Start what may need privileges (``twistd`` only)."""
        self._attempt(super().privilegedStartService)

    def startService(self) -> None:
        """Start the rest; everything, under ``twist``."""
        self._attempt(super().startService)

    def _attempt(self, start: Callable[[], None]) -> None:
        try:
            start()
        except (CannotListenError, MonitorError, OSError, OverflowError) as error:
            reason = os_error_text(error) if isinstance(error, OSError) else str(error)
            _log.critical("{program}: {reason}", program=self._program, reason=reason)
            # twistd has turned sys.stderr into a log by now.
            print(f"{self._program}: {reason}", file=sys.__stderr__, flush=True)
            raise SystemExit(1) from None
