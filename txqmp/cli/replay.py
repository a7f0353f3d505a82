"""``txqmp replay``: a journal's monitor for clients, or a journal's client for a monitor."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater, react
from twisted.python.usage import UsageError

from txqmp.cli.answers import error_text, printable, write_out
from txqmp.cli.command import MixedOptions
from txqmp.cli.foreground import catch_signals, show_log
from txqmp.errors import MonitorError
from txqmp.faults.plan import FaultPlan
from txqmp.journal.writer import Journal
from txqmp.monitor.observer import OneShotObserver
from txqmp.replay.compare import IGNORED, Comparison
from txqmp.replay.endpoint import ReplayEndpoint
from txqmp.replay.factory import replay_factory
from txqmp.replay.matching import MODES
from txqmp.replay.recording import Recording
from txqmp.replay.resend import resend
from txqmp.service.faultoptions import FaultOptions
from txqmp.service.options import (
    check_server_string,
    client_endpoint,
    natural,
    safe_server_string,
    seconds,
)
from txqmp.service.proxy import ProxyService

_SERVER_ONLY = ("listen", "mode", "else-connect", "faults", "record")
_CLIENT_ONLY = ("connect", "timeout", "ignore")


def speed(value: str) -> float:
    """
    Read how many times as fast something is.

    :raises ValueError: it is no number, or less than 0.
    """
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"{value!r} is no number") from None
    if not 0 <= number < float("inf"):
        raise ValueError(f"{value} is no speed: 1 is as recorded, 0 at once")
    return number


class ReplayOptions(FaultOptions, MixedOptions):
    """The command line of ``txqmp replay``."""

    synopsis = "txqmp replay [options] JOURNAL"
    longdesc = (
        "With --listen, answers clients as the monitor of a journal did, in its dialect, until "
        "interrupted. With --as-client and --connect, sends the commands of a journal to a "
        "monitor again, and shows what is answered differently: the exit status is 1 if "
        "anything is. Example: txqmp replay --listen unix:vm1.sock --mode loose qmp-proxy.jsonl"
    )
    optParameters = [
        ["listen", "l", None, "where clients connect (an endpoint)."],
        [
            "mode",
            "m",
            None,
            "strict (as usual): the same commands in the same order; loose: in any order.",
        ],
        [
            "speed",
            "s",
            None,
            "how many times as fast as recorded; 0: at once. Unless given 1, --as-client: 0.",
            speed,
        ],
        ["else-connect", None, None, "a monitor that is asked what is not in the record."],
        [
            "record",
            None,
            None,
            "with --fault: the journal of what was done to whom; replay-faults.jsonl unless given.",
        ],
        ["monitor", None, None, "replay only conversations with the monitor of this name."],
        ["connection", None, None, "replay only conversations of this number.", natural],
        ["connect", "c", None, "with --as-client: where the monitor is (an endpoint)."],
        [
            "timeout",
            "t",
            None,
            "with --as-client: seconds to connect, and for each answer and event; 30 unless given.",
            seconds,
        ],
    ]
    optFlags = [["as-client", None, "send the commands, and compare the answers."]]

    def __init__(self) -> None:
        super().__init__()
        self["ignore"] = []

    def opt_ignore(self, names: str) -> None:
        """with --as-client: members of answers that may differ, such as size,*-id."""
        self["ignore"] += [name for name in names.split(",") if name]

    def parseArgs(self, journal: str = "", *extra: str) -> None:
        """
        Take the journal.

        :raises UsageError: there is none, or more.
        """
        if not journal:
            raise UsageError("replay wants a journal")
        if extra:
            raise UsageError(f"unexpected argument: {extra[0]}")
        self["journal"] = journal

    def postOptions(self) -> None:
        """
        Check what was given.

        :raises UsageError: an endpoint is none, or options do not go together.
        """
        self["faults"] = self.fault_plan()
        self._check_together()
        if self["as-client"]:
            self["client"] = client_endpoint("--connect", self["connect"])
            return
        self["server"] = safe_server_string(self["listen"])
        check_server_string("--listen", self["server"])
        self["elsewhere"] = None
        if self["else-connect"] is not None:
            self["elsewhere"] = client_endpoint("--else-connect", self["else-connect"])

    def _check_together(self) -> None:
        wanted: str = "listen"
        others: tuple[str, ...] = _CLIENT_ONLY
        if self["as-client"]:
            wanted, others = "connect", _SERVER_ONLY
        for option in others:
            if self[option]:
                way = "goes not with" if self["as-client"] else "goes with"
                raise UsageError(f"--{option.removesuffix('s')} {way} --as-client")
        if self[wanted] is None:
            raise UsageError(f"say with --{wanted} where: an endpoint, such as unix:vm1.sock")
        if self["mode"] not in (None, *MODES):
            raise UsageError(f"--mode {self['mode']}: not strict or loose")
        if self["record"] is not None and self["faults"] is None:
            raise UsageError("--record goes with --fault (qmp-proxy records all the same)")
        if self["else-connect"] is not None and self["mode"] != "loose":
            raise UsageError("--else-connect goes with --mode loose")

    def run(self) -> None:
        """
        Replay; see ``txqmp replay --help``.

        :raises JournalError: the journal cannot be replayed.
        """
        recording = Recording(
            self["journal"], monitor=self["monitor"], connection=self["connection"]
        )
        react(_resend if self["as-client"] else _serve, (self, recording))


def _serve(reactor: Any, options: ReplayOptions, recording: Recording) -> Deferred[None]:
    return Deferred.fromCoroutine(_answer(reactor, options, recording))


async def _answer(reactor: Any, options: ReplayOptions, recording: Recording) -> None:
    over: OneShotObserver[None] = OneShotObserver()
    # The reactor's own handlers are there when it runs.
    await deferLater(reactor, 0)
    catch_signals(reactor, over.fire)
    show_log()
    factory = replay_factory(
        recording,
        reactor,
        mode=options["mode"] or "strict",
        speed=1.0 if options["speed"] is None else options["speed"],
        elsewhere=options["elsewhere"],
    )
    if options["faults"] is not None:
        await _answer_with_faults(reactor, options, recording, factory, over)
        return
    endpoint = serverFromString(reactor, options["server"])
    try:
        port = await endpoint.listen(factory)
    except Exception as error:
        raise SystemExit(f"txqmp: cannot listen: {error_text(error)}") from None
    place = port.getHost()
    at = f"tcp:{place.host}:{place.port}" if hasattr(place, "port") else options["listen"]
    _say(f"replaying {options['journal']} at {at}: {_told(recording)}")
    await over.when()
    await maybeDeferred(port.stopListening)
    await factory.close_all()


async def _answer_with_faults(
    reactor: Any,
    options: ReplayOptions,
    recording: Recording,
    factory: Any,
    over: OneShotObserver[None],
) -> None:
    """Answer behind a proxy, whose relay does the faults."""
    faults: FaultPlan = options["faults"]
    service = ProxyService(
        options["server"],
        ReplayEndpoint(reactor, factory),
        Journal(options["record"] or "replay-faults.jsonl"),
        reactor,
        name="replay",
        upstream=f"replay:{options['journal']}",
        quiet=True,
        faults=faults,
    )
    try:
        service.startService()
    except Exception as error:
        raise SystemExit(f"txqmp: cannot listen: {error_text(error)}") from None
    rules = f"{len(faults.rules)} rule{'s' * (len(faults.rules) != 1)} for faults"
    _say(f"replaying {options['journal']} at {options['listen']}: {_told(recording)}, {rules}")
    await over.when()
    await service.stopService()
    await factory.close_all()


def _told(recording: Recording) -> str:
    count = len(recording.conversations)
    dialect = "QMP 0.1" if recording.dialect == "text" else "JSON QMP"
    return f"{count} conversation{'s' * (count != 1)} in {dialect}"


def _resend(reactor: Any, options: ReplayOptions, recording: Recording) -> Deferred[None]:
    return Deferred.fromCoroutine(_ask(reactor, options, recording))


async def _ask(reactor: Any, options: ReplayOptions, recording: Recording) -> None:
    comparison = Comparison((*IGNORED, *options["ignore"]))
    script = recording.script(recording.conversations[0])
    try:
        await resend(
            script,
            options["client"],
            reactor,
            comparison,
            lambda difference: write_out([*map(printable, difference.lines()), ""]),
            speed=options["speed"] or 0.0,
            timeout=options["timeout"] or 30.0,
        )
    except MonitorError as error:
        raise SystemExit(f"txqmp: {error_text(error)}") from None
    write_out([comparison.summary()])
    if comparison.count:
        raise SystemExit(1)


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)
