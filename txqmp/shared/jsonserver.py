"""Clients of JSON QMP that share a monitor: each is greeted, and negotiates, for itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from txqmp.errors import CommandFailed, ProtocolViolation
from txqmp.jsonqmp import grammar
from txqmp.jsonqmp.grammar import ABSENT, Absent, Command, Event, Greeting, JSONObject, JSONValue
from txqmp.jsonqmp.request import as_command, read
from txqmp.jsonqmp.server import UNANSWERED, JSONServer, JSONServerFactory, is_oob
from txqmp.jsonqmp.table import JSONCommandTable
from txqmp.jsonqmp.values import Junk, Piece
from txqmp.monitor.closing import abort
from txqmp.proxy.common import GONE, NoAnswer
from txqmp.proxy.decode import MAX_MESSAGE
from txqmp.proxy.descriptors import MAX_WAITING, close_all
from txqmp.proxy.links import Links
from txqmp.shared.asked import Asked
from txqmp.shared.connection import Answer
from txqmp.shared.monitor import SharedMonitor
from txqmp.shared.names import TAKERS, Names
from txqmp.shared.server import SharedFactory, SharedServer
from txqmp.shared.splice import one_line, with_id

_log = Logger()


class _Item(NamedTuple):
    """
    What a client has said that wants an answer.

    :ivar message: what it is.
    :ivar link: its number in the journal.
    :ivar descriptors: what came with it, if it takes any.
    """

    message: Junk | ProtocolViolation | JSONValue
    link: int
    descriptors: Sequence[int] = ()

    @property
    def id(self) -> JSONValue | Absent:
        """What its answer bears."""
        return self.message.get("id", ABSENT) if isinstance(self.message, dict) else ABSENT


class SharedJSONServer(SharedServer, JSONServer):
    """One connection of a client that speaks JSON."""

    factory: SharedJSONFactory
    dialect = "json"

    def __init__(self, factory: SharedJSONFactory) -> None:
        super().__init__(factory)
        self._names = Names(0)
        self._place = 0
        self._received = 0
        self._read = 0
        # With the place in the stream of the byte that they came with.
        self._passed: deque[tuple[int, list[int]]] = deque()
        self._descriptors: list[int] = []
        self._unsent: set[int] = set()

    def connectionMade(self) -> None:
        """Greet the client."""
        super().connectionMade()
        self._names = Names(self.member.number)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone."""
        super().connectionLost(reason)
        for _, descriptors in self._passed:
            close_all(descriptors)
        close_all(self._descriptors)
        close_all(self._unsent)

    def _left_behind(self) -> list[str]:
        return self._names.take_all()

    def monitor_lost(self) -> None:
        """The monitor is gone, and the descriptors that it had."""
        super().monitor_lost()
        self._names.take_all()

    def _greet(self) -> None:
        self._say(self.factory.greeting)

    # What arrives.

    def take_descriptors(self, descriptors: list[int]) -> None:
        """The client has passed descriptors, with the byte that comes next."""
        self._passed.append((self._received, descriptors))
        if sum(len(passed) for _, passed in self._passed) > MAX_WAITING:
            _log.warn(
                "connection {number}: too many file descriptors wait", number=self.member.number
            )
            abort(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """The client said something."""
        self._received += len(data)
        super().dataReceived(data)

    def _take(self, piece: Piece) -> None:
        self._read += len(piece.raw)
        while self._passed and self._passed[0][0] < self._read:
            # As in QEMU: what nobody has taken is replaced.
            close_all(self._descriptors)
            self._descriptors = self._passed.popleft()[1]
        if isinstance(piece, Junk) and piece.problem in UNANSWERED:
            return
        # As many as a decoder finds that reads the same: each has a number in the journal.
        self._place += 1
        link = self.factory.links.of_client(self.member.number, self._place)
        if isinstance(piece, Junk):
            self._enqueue(_Item(piece, link))
            return
        for message in read(piece.raw, self.factory.max_depth):
            if self.oob and is_oob(message):
                self._overtake(_Item(message, link))
            else:
                self._enqueue(_Item(message, link, self._taken_by(message)))

    def _taken_by(self, message: JSONValue | ProtocolViolation) -> Sequence[int]:
        if not (isinstance(message, dict) and message.get("execute") in TAKERS):
            return ()
        descriptors, self._descriptors = self._descriptors, []
        self._unsent.update(descriptors)
        return descriptors

    def _refused(self, item: _Item) -> None:
        self._unsent.difference_update(item.descriptors)
        close_all(item.descriptors)

    # What is answered here.

    async def _answer(self, item: _Item) -> None:  # type: ignore[override]
        command = self._to_forward(item)
        if command is None:
            self._refused(item)
            await super()._answer(item.message)
            return
        # Out of band.
        answered: Deferred[Any] = Deferred(lambda _: None)

        def deliver(outcome: Any) -> None:
            if not answered.called:
                answered.callback(outcome)

        try:
            delay = self._judge(command, item.link)
        except CommandFailed as denial:
            self._refuse(item, denial, deliver)
        else:
            monitor = self.factory.monitor
            life = monitor.lives
            if delay is not None:
                await delay
            if monitor.lives == life:
                self._submit(command, item, item.link, deliver)
            else:
                self._refuse(item, NoAnswer(GONE), deliver)
        outcome = await answered
        self._hand_out(self._write_outcome(item, outcome))

    # What the monitor answers.

    def _to_forward(self, item: _Item) -> Command | None:
        if not self.negotiated or not isinstance(item.message, dict):
            return None
        try:
            command = as_command(item.message, self.oob)
        except ProtocolViolation:
            return None
        return None if command.name == "qmp_capabilities" else command

    def _number(self, item: _Item) -> int:
        return item.link

    def _asked(
        self, command: Command, item: _Item, link: int, deliver: Callable[[Any], object]
    ) -> Asked:
        arguments = self._names.translate(command.name, command.arguments)
        data = grammar.write_command(command.name, arguments, oob=command.oob)
        self._unsent.difference_update(item.descriptors)
        return Asked(
            self.member,
            command.name,
            data,
            deliver,
            urgent=command.oob,
            link=link,
            query=command.name.startswith("query-"),
            descriptors=item.descriptors,
        )

    def _write_outcome(self, item: _Item, outcome: Any) -> bytes:
        if isinstance(outcome, Answer):
            return with_id(outcome, item.id) + b"\r\n"
        error_class = getattr(outcome, "error_class", "GenericError")
        return grammar.write_failure(error_class, outcome.reason, item.id) + b"\r\n"


class SharedJSONFactory(SharedFactory, JSONServerFactory):
    """
    Makes servers of JSON QMP that share a monitor.

    :ivar greeting: the monitor's, as it came.
    :param settings: see :class:`~txqmp.shared.server.SharedFactory` and
        :class:`~txqmp.jsonqmp.server.JSONServerFactory`.
    """

    def __init__(
        self, monitor: SharedMonitor, links: Links, reactor: Any = None, **settings: Any
    ) -> None:
        # What is longer than a decoder reads would not be numbered as it does.
        super().__init__(
            monitor, links, JSONCommandTable(), reactor, max_command_length=MAX_MESSAGE, **settings
        )
        self.greeting = b""

    def _build(self) -> SharedJSONServer:
        return SharedJSONServer(self)

    def _greeted(self, greeting: Greeting) -> None:
        self.greeting = one_line(self.monitor.client.raw_greeting)
        self.capabilities = greeting.capabilities

    def _announce(self, name: str, greeting: Greeting | None = None) -> None:
        data: JSONObject = {} if greeting is None else {"version": greeting.fields["version"]}
        self._tell_all(grammar.write_event(name, data, self.reactor.seconds()) + b"\r\n")

    def monitor_event(self, event: Event) -> None:
        """Tell all clients that have negotiated, in its own words."""
        self._tell_all(one_line(self.monitor.raw) + b"\r\n")
