"""``twistd qmp-proxy``: its command line, and the service that this describes."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.usage import UsageError

from txqmp.service.daemon import Daemon
from txqmp.service.faultoptions import FaultOptions
from txqmp.service.gateway import GatewayService
from txqmp.service.options import (
    JournalOptions,
    check_server_string,
    client_endpoint,
    monitor_name,
    positive,
    safe_server_string,
)
from txqmp.service.policyoptions import PolicyOptions
from txqmp.service.port import JournalledPort
from txqmp.service.proxy import ProxyService
from txqmp.service.shared import CLIENT_QUEUE, SharedService
from txqmp.shared.server import WINDOW

_log = Logger()

_LISTEN = "unix:qmp-proxy.sock:mode=600"
_SHARED = ("listen-text", "window", "client-queue", "slow-client", "coalesce")


class ProxyOptions(PolicyOptions, FaultOptions, JournalOptions):
    """The command line of ``twistd qmp-proxy``."""

    synopsis = "[options]"
    longdesc = (
        "Stands between the clients of a QEMU monitor and the monitor, passes on what they say "
        "as it is, in the text protocol of 2009 or in JSON, and writes it to a journal."
    )
    optParameters = [
        [
            "listen",
            "l",
            None,
            f"where clients connect (an endpoint); {_LISTEN} unless given.",
        ],
        [
            "connect",
            "c",
            None,
            "where the monitor is (an endpoint); machine:, a simulated one, unless given.",
        ],
        [
            "listen-monitor",
            None,
            None,
            "where monitors connect (an endpoint), instead of --connect.",
        ],
        [
            "connect-client",
            None,
            None,
            "where the client is (an endpoint), instead of --listen.",
        ],
        ["journal", "j", "qmp-proxy.jsonl", "the file to write to."],
        ["name", "n", None, "the monitor's name in the journal."],
        ["max-connections", None, 1000, "clients at a time.", positive],
        [
            "dialect",
            None,
            None,
            "what clients speak; text: a gateway to a monitor that speaks JSON.",
        ],
        [
            "on-upstream-loss",
            None,
            None,
            "with --dialect text or --shared: hold the clients when the monitor is gone, or close.",
        ],
        [
            "listen-text",
            None,
            None,
            "with --shared: where clients of the text protocol connect (an endpoint), too.",
        ],
        [
            "window",
            None,
            None,
            "with --shared: commands of a client that may wait for the monitor at a time.",
            positive,
        ],
        [
            "client-queue",
            None,
            None,
            "with --shared: bytes of events that wait for a client that does not read.",
            positive,
        ],
        [
            "slow-client",
            None,
            None,
            "with --shared: drop-events, or disconnect a client for which more wait.",
        ],
    ]
    optFlags = [
        ["no-decode", None, "record what is said as it comes, undecoded: for bulk."],
        ["guest-agent", None, "the monitor is a guest agent: it speaks JSON, and greets nobody."],
        ["shared", None, "one connection to the monitor, shared by all clients."],
        ["coalesce", None, "with --shared: answer same queries that wait once for all."],
        ["no-hmp", None, "for text clients of a JSON monitor: never use human-monitor-command."],
        ["event-data", None, "for text clients of a JSON monitor: append the data of events."],
    ]

    def postOptions(self) -> None:
        """
        Check what was given.

        :raises UsageError: an endpoint is none, or options do not go together.
        """
        self["faults"] = self.fault_plan()
        self["judge"] = self.read_policy()
        self._check_together()
        self["client"] = self["endpoint"] = None
        if self["connect-client"] is not None:
            self["client"] = client_endpoint("--connect-client", self["connect-client"])
        elif self["listen"] is None:
            self["listen"] = _LISTEN
        if self["listen-monitor"] is None:
            if self["connect"] is None:
                self["connect"] = "machine:"
            self["endpoint"] = client_endpoint("--connect", self["connect"])
        for option in ("listen", "listen-monitor", "listen-text"):
            if self[option] is not None:
                self[option] = safe_server_string(self[option])
                check_server_string(f"--{option}", self[option])
        if self["name"] is None:
            self["name"] = monitor_name(self["connect"] or self["listen-monitor"])

    def _check_together(self) -> None:
        for one, other in (("listen", "connect-client"), ("connect", "listen-monitor")):
            if self[one] is not None and self[other] is not None:
                raise UsageError(f"--{one} and --{other} are two ways: choose one")
        if self["dialect"] is not None:
            for option in ("connect-client", "listen-monitor", "guest-agent"):
                if self[option]:
                    raise UsageError(f"--{option} does not go with --dialect")
        if self["dialect"] not in (None, "text"):
            raise UsageError(f"--dialect {self['dialect']}: only text can be spoken for a monitor")
        if self["on-upstream-loss"] not in (None, "hold", "close"):
            raise UsageError(f"--on-upstream-loss {self['on-upstream-loss']}: not hold or close")
        for option in ("dialect", "no-decode", "shared"):
            if self["faults"] is not None and self[option]:
                raise UsageError(f"--fault does not go with --{option}")
        if self["judge"] is not None:
            if self["no-decode"]:
                raise UsageError("--no-decode: what a policy judges has to be decoded")
            if self["faults"] is not None:
                raise UsageError("--fault does not go with a policy")
        if self["no-decode"] and self["dialect"] is not None:
            raise UsageError("--no-decode: what a gateway says has to be decoded to be linked")
        self._check_shared()
        if self["on-upstream-loss"] and not (self["dialect"] or self["shared"]):
            raise UsageError("--on-upstream-loss goes with --dialect text or --shared")
        for option in ("no-hmp", "event-data"):
            if self[option] and not (self["dialect"] or self["listen-text"]):
                raise UsageError(f"--{option} goes with --dialect text or --listen-text")

    def _check_shared(self) -> None:
        if not self["shared"]:
            for option in _SHARED:
                if self[option]:
                    raise UsageError(f"--{option} goes with --shared")
            return
        for option in ("connect-client", "listen-monitor", "guest-agent"):
            if self[option]:
                raise UsageError(f"--{option} does not go with --shared")
        if self["dialect"] is not None:
            raise UsageError(
                "--dialect does not go with --shared: --listen-text is for clients that speak text"
            )
        if self["no-decode"]:
            raise UsageError("--no-decode: what clients share has to be decoded to be linked")
        if self["slow-client"] not in (None, "drop-events", "disconnect"):
            raise UsageError(f"--slow-client {self['slow-client']}: not drop-events or disconnect")


def makeService(options: ProxyOptions) -> Daemon:
    """Make the service that the command line describes."""
    daemon = Daemon("qmp-proxy")
    arguments = (options["listen"], options["endpoint"], options.journal())
    settings = {
        "name": options["name"],
        "upstream": options["connect"] or options["listen-monitor"],
        "greeting_timeout": options["greeting-timeout"],
        "max_connections": options["max-connections"],
        "quiet": options["quiet"],
    }
    service: JournalledPort
    if options["shared"]:
        service = SharedService(
            *arguments,
            **settings,
            listen_text=options["listen-text"],
            window=options["window"] or WINDOW,
            client_queue=options["client-queue"] or CLIENT_QUEUE,
            slow_client=options["slow-client"] or "drop-events",
            coalesce=bool(options["coalesce"]),
            on_loss=options["on-upstream-loss"] or "hold",
            human=not options["no-hmp"],
            event_data=bool(options["event-data"]),
            policy=options["judge"],
        )
    elif options["dialect"] == "text":
        service = GatewayService(
            *arguments,
            **settings,
            human=not options["no-hmp"],
            event_data=bool(options["event-data"]),
            on_loss=options["on-upstream-loss"] or "hold",
            policy=options["judge"],
        )
    else:
        service = ProxyService(
            *arguments,
            **settings,
            listen_monitor=options["listen-monitor"],
            client=options["client"],
            downstream=options["connect-client"] or "",
            decode=not options["no-decode"],
            faults=options["faults"],
            policy=options["judge"],
            agent=bool(options["guest-agent"]),
        )
    if options["judge"] is not None:
        options["judge"].setServiceParent(daemon)
    service.setServiceParent(daemon)
    if options["connect"] == "machine:":
        _log.info("no monitor was given with --connect: clients talk to a simulated machine")
    return daemon


Options = ProxyOptions
