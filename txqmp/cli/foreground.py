"""What commands share that run until they are told to end: signals, and the log."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    globalLogBeginner,
    textFileLogObserver,
)
from zope.interface import implementer

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def catch_signals(reactor: Any, end: Callable[[None], object]) -> None:
    """
    Call back when the process is to end.

    The reactor's own handlers, which would end it, are there when it runs: not before.
    """
    for number in _SIGNALS:
        # nohup, and shells for what they start in the background, have some of them ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: reactor.callFromThread(end, None))


def show_log() -> None:
    """Log to standard error; of Twisted's own events, those that matter."""
    show = textFileLogObserver(sys.stderr)

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        ours = event.get("log_namespace", "").startswith("txqmp.")
        if ours or event["log_level"] >= LogLevel.warn:
            show(event)

    globalLogBeginner.beginLoggingTo([observe], redirectStandardIO=False)
