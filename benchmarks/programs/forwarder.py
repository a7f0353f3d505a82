"""``forwarder relay|portforward|recorder LISTEN CONNECT [JOURNAL]``: what stands between."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint
from zope.interface import implementer

from benchmarks import stock
from txqmp.journal.record import Direction
from txqmp.proxy.hearing import ITap
from txqmp.proxy.relay import RelayFactory


@implementer(ITap)
class NoTap:
    """Hears, and does nothing."""

    def opened(self) -> None:
        """A client is there."""

    def to_monitor(self, data: bytes) -> None:
        """The client said this."""

    def to_client(self, data: bytes) -> None:
        """The monitor said this."""

    def fault(
        self,
        way: Direction,
        fields: dict[str, Any],
        of_last: bool = False,
        withheld: bytes = b"",
        delivered: int = 0,
    ) -> None:
        """Something was done on purpose."""

    def closed(self, reason: str, ended_by: str, ending: str = "") -> None:
        """It is over."""


def main() -> None:
    """Do what the command line says."""
    kind, listen, path, *journal = sys.argv[1:]
    factory: Any
    if kind == "relay":
        endpoint = UNIXClientEndpoint(reactor, path)
        factory = RelayFactory(endpoint, lambda *_: NoTap(), reactor, quiet=True)
    elif kind == "portforward":
        factory = stock.forward(path)
    else:
        factory = stock.record(path, Path(journal[0]).open("a"))  # noqa: SIM115
    reactor.listenUNIX(listen, factory)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
