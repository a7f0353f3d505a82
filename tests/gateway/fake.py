"""A gateway in memory: the test is its client, and a script is its monitor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock

from tests.text.ends import ServerWire
from txqmp.errors import CommandFailed
from txqmp.gateway.call import Call
from txqmp.gateway.table import GatewayTable
from txqmp.jsonqmp.grammar import Event
from txqmp.text.server import Request

Exchange = tuple[str, Mapping[str, Any] | None, Any]
"""A JSON command, its arguments, and what the monitor says to it; see :class:`FakeUpstream`."""


class FakeUpstream:
    """
    A monitor that answers by a script.

    :ivar asked: what it was asked, in order.
    :ivar links: the numbers of the text commands it was asked for.
    :param script: what may be asked. An answer that is an exception is raised, one that is a
        Deferred is waited for, one that is a function is called first.
    :param known: the JSON commands that the monitor has.
    """

    def __init__(self, script: Iterable[Exchange] = (), known: Iterable[str] = ()) -> None:
        self.script = list(script)
        self.asked: list[tuple[str, Mapping[str, Any] | None]] = []
        self.links: list[int | None] = []
        self.waiting: list[tuple[Callable[[Event], bool], Deferred[Event]]] = []
        self._left = list(self.script)
        self._known = frozenset(known)
        self.snapshots = DeferredLock()
        self.listeners: list[Any] = []
        self.ready = True
        self.monitor = self
        self.lives = 1

    async def ask(
        self, command: str, arguments: Mapping[str, Any] | None = None, link: int | None = None
    ) -> Any:
        self.asked.append((command, arguments))
        self.links.append(link)
        for place, (name, wanted, answer) in enumerate(self._left):
            if (name, wanted or {}) == (command, arguments or {}):
                del self._left[place]
                if callable(answer):
                    answer = answer()
                if isinstance(answer, Deferred):
                    answer = await answer
                if isinstance(answer, Exception):
                    raise answer
                return answer
        raise CommandFailed(f"not in the script: {command} {arguments}")

    async def knows(self, command: str, link: int | None = None) -> bool:
        return command in self._known

    def wait_for_event(
        self, wanted: Callable[[Event], bool], timeout: float | None = None
    ) -> Deferred[Event]:
        waiting: Deferred[Event] = Deferred()
        self.waiting.append((wanted, waiting))
        return waiting

    def happens(self, name: str, **data: Any) -> None:
        """Something happens in the monitor."""
        event = Event(name, data)
        for wanted, waiting in self.waiting:
            if not waiting.called and wanted(event):
                waiting.callback(event)


class Gateway(ServerWire):
    """
    One client's connection to a gateway: ``asks`` sends lines and returns what comes back.

    :param human: whether the human monitor may be used.
    """

    def __init__(
        self, *script: Exchange, human: bool = True, known: Iterable[str] = (), **settings: Any
    ) -> None:
        self.upstream = FakeUpstream(script, known)
        self._human = human
        super().__init__(GatewayTable(self._call, human), **settings)

    def _call(self, request: Request) -> Call:
        upstream: Any = self.upstream
        return Call(upstream, request, request.number, self._human)

    def has_kept_to_the_script(self) -> bool:
        wanted = [(name, arguments or {}) for name, arguments, _ in self.upstream.script]
        assert [(name, arguments or {}) for name, arguments in self.upstream.asked] == wanted
        return True


def dialogue(
    line: str, *script: Exchange, human: bool = True, known: Iterable[str] = ()
) -> list[str]:
    """
    Say a line to a gateway, which must ask the monitor for all of the script in its order.

    :returns: the lines that come back.
    """
    gateway = Gateway(*script, human=human, known=known)
    said = gateway.asks(line)
    assert gateway.has_kept_to_the_script()
    return said


def human(line: str, printed: str = "", cpu: int | None = None) -> Exchange:
    """A line for the human monitor, and what it prints."""
    arguments: dict[str, Any] = {"command-line": line}
    if cpu is not None:
        arguments["cpu-index"] = cpu
    return "human-monitor-command", arguments, printed


def no(reason: str, error_class: str = "GenericError") -> CommandFailed:
    """The monitor says no."""
    return CommandFailed(reason, error_class=error_class)


def not_found(name: str) -> CommandFailed:
    return no(f"Device '{name}' not found", "DeviceNotFound")
