"""A JSON server in memory, with the test in the place of its client."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from tests.wires import Wire
from txqmp.jsonqmp.server import JSONServer, JSONServerFactory
from txqmp.jsonqmp.table import JSONCommandTable

NEGOTIATE = '{"execute": "qmp_capabilities"}'
NEGOTIATE_OOB = '{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}'
DONE = '{"return": {}}'


def error(words: str, kind: str = "GenericError") -> str:
    """An answer to a message without an id."""
    return f'{{"error": {{"class": "{kind}", "desc": "{words}"}}}}'


class AskingWire(Wire):
    """A server; the greeting has been heard, and the negotiation is over unless told otherwise."""

    def __init__(
        self,
        table: JSONCommandTable | None = None,
        negotiate: str | None = NEGOTIATE,
        **settings: Any,
    ) -> None:
        self.clock = Clock()
        self.factory = JSONServerFactory(table or JSONCommandTable(), self.clock, **settings)
        self.join(negotiate)

    def join(self, negotiate: str | None = NEGOTIATE) -> None:
        """Connect."""
        super().__init__(self.factory)
        self.server: JSONServer = self.protocol
        self.greeting = self.heard()
        if negotiate is not None:
            assert self.asks(negotiate) == [DONE]

    def asks(self, *messages: str | bytes) -> list[str]:
        """Send messages without line ends, and return what is answered at once."""
        self.sends(*(m if isinstance(m, bytes) else m.encode() for m in messages))
        return self.heard()
