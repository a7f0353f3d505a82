"""``txqmp takeover``: record what is said to a running monitor, at its own socket."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from twisted.python.usage import UsageError

from txqmp.cli.answers import error_text, printable
from txqmp.cli.command import CommandOptions
from txqmp.cli.foreground import catch_signals, show_log
from txqmp.errors import MonitorError
from txqmp.monitor.observer import OneShotObserver
from txqmp.service.aside import Outcome
from txqmp.service.options import JournalOptions
from txqmp.service.takeover import Takeover

_FAREWELL = {
    Outcome.RESTORED: "{path} is the monitor's own again",
    Outcome.ENDED: "{path} is over: the monitor listens no more, so nothing is left to give back",
    Outcome.LEFT: "{path} has become somebody else's meanwhile, and was left alone",
}
_MENDED = {
    Outcome.RESTORED: "an earlier takeover was killed: {path} was given back to the monitor first",
    Outcome.ENDED: "an earlier takeover was killed, and its monitor has ended: cleared up",
    Outcome.LEFT: "an earlier takeover was killed, and {path} is a new socket since: cleared up",
}


class TakeoverOptions(CommandOptions, JournalOptions):
    """The command line of ``txqmp takeover``."""

    synopsis = "txqmp takeover [options] PATH"
    longdesc = (
        "PATH is the UNIX socket of a running monitor that has no client at the moment. Until "
        "SIGINT or SIGTERM comes, clients that connect to it are recorded in a journal, as "
        "twistd qmp-proxy does it; then PATH is the monitor's own socket again."
    )
    optParameters = [
        ["journal", "j", "qmp-proxy.jsonl", "the file to write to."],
        ["name", "n", None, "the monitor's name in the journal; after PATH unless given."],
    ]

    def parseArgs(self, path: str = "", *extra: str) -> None:
        """
        Take the path.

        :raises UsageError: it is missing, or not alone.
        """
        if not path:
            raise UsageError("takeover wants the path of a monitor's socket")
        if extra:
            raise UsageError(f"unexpected argument: {extra[0]}")
        self["path"] = path

    def postOptions(self) -> None:
        """
        Check the path.

        :raises UsageError: it is an endpoint.
        """
        if self["path"].startswith("unix:"):
            raise UsageError(f"takeover wants a path, such as {self['path'].removeprefix('unix:')}")

    def run(self) -> None:
        """Take the socket over until a signal comes; see ``txqmp takeover --help``."""
        react(_run, (self,))


def _run(reactor: Any, options: TakeoverOptions) -> Deferred[None]:
    return Deferred.fromCoroutine(_take_over(reactor, options))


async def _take_over(reactor: Any, options: TakeoverOptions) -> None:
    over: OneShotObserver[None] = OneShotObserver()
    # The reactor's own handlers are there when it runs.
    await deferLater(reactor, 0)
    catch_signals(reactor, over.fire)
    show_log()
    takeover = Takeover(
        options["path"],
        options.journal(),
        reactor,
        name=options["name"],
        greeting_timeout=options["greeting-timeout"],
        quiet=bool(options["quiet"]),
    )
    try:
        await _hold(takeover, over, options["journal"])
    except MonitorError as error:
        raise SystemExit(f"txqmp: {error_text(error)}") from None


async def _hold(takeover: Takeover, over: OneShotObserver[None], journal: str) -> None:
    try:
        await takeover.begin()
    finally:
        if takeover.mended is not None:
            _say(_MENDED[takeover.mended].format(path=takeover.path))
    takeover.when_over().addCallback(over.fire)
    _say(f"{takeover.path} is taken over: what is said to {takeover.name} goes to {journal}")
    await over.when()
    outcome = await takeover.end()
    _say(_FAREWELL[outcome].format(path=takeover.path))


def _say(text: str) -> None:
    # Whether anybody reads it or not, the socket is given back.
    with suppress(OSError):
        print(printable(text), flush=True)
