"""A relay's conversations, with an injector in each."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txqmp.faults.choice import Choosers
from txqmp.faults.injector import Injector
from txqmp.faults.outlet import IEnds
from txqmp.faults.rules import Rule
from txqmp.journal.record import Direction
from txqmp.proxy.descriptors import close_all
from txqmp.proxy.relay import Conversation, Name, Side


class FaultPlan:
    """
    The faults that are done to the conversations of a relay.

    :ivar rules: the earlier go before the later.
    :ivar seed: what is left to chance is the same for the same seed, in each connection for itself.
    """

    def __init__(self, rules: Sequence[Rule], seed: int = 0) -> None:
        self.rules = tuple(rules)
        self.seed = seed

    def make_side(self, name: Name, conversation: Conversation) -> Side:
        """Make an end of a conversation; it is the relay's ``make_side``."""
        return FaultySide(name, conversation, self)

    def choosers(self, connection: int) -> Choosers:
        """Begin to count for a connection of this number."""
        return Choosers(self.rules, self.seed, connection)


class FaultySide(Side):
    """
    One of the two ends of a conversation in which faults are injected.

    :ivar injector: stands between it and the other; None until both are there.
    """

    def __init__(self, name: Name, conversation: Conversation, plan: FaultPlan) -> None:
        super().__init__(name, conversation)
        self._plan = plan
        self.injector: Injector | None = None

    def join(self, other: Side) -> None:
        """Have what comes here sent to ``other``, as the rules will have it."""
        super().join(other)
        assert isinstance(other, FaultySide)
        if other.injector is not None:
            self.injector = other.injector
            return
        client, monitor = (self, other) if self.name == "client" else (other, self)
        conversation = self._conversation
        choosers = self._plan.choosers(conversation.number)
        ends = Ends(conversation, client, monitor)
        self.injector = Injector(ends, choosers, conversation.clock)

    def dataReceived(self, data: bytes) -> None:
        """Let the injector have it."""
        descriptors = self._descriptors.copy()
        self._descriptors.clear()
        if self.injector is None:
            close_all(descriptors)
        elif self.name == "client":
            self.injector.hear(Direction.TO_MONITOR, data, descriptors)
        else:
            self._conversation.wait_no_more()
            self.injector.hear(Direction.TO_CLIENT, data, descriptors)

    def send(self, data: bytes, descriptors: list[int]) -> None:
        """Send the other end something in the place of this one."""
        if descriptors:
            self._descriptors += descriptors
            self._pass_on_descriptors()
        if self.other is not None and not self.other.lost:
            self._pass_on(data)

    def readConnectionLost(self) -> None:
        """This end says no more; the other hears that when it has all that is to reach it."""
        then = super().readConnectionLost
        if self.injector is None:
            then()
        elif self.name == "client":
            self.injector.when_asked_all(then)
        else:
            self.injector.when_at_rest(then)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """This end is gone: the other gets what is to reach it, then it goes, too."""
        if self.injector is not None and self.name == "client":
            self.injector.client_is_gone()
        super().connectionLost(reason)

    def _leave(self) -> None:
        then = super()._leave
        if self.injector is None:
            then()
        elif self.name == "client":
            self.injector.when_asked_all(then)
        else:
            self.injector.when_at_rest(then)

    def close(self) -> None:
        """Lose the connection; what the injector holds is not sent any more."""
        if self.injector is not None and self.name == "client":
            self.injector.stop()
        super().close()


@implementer(IEnds)
class Ends:
    """The ends of a conversation as its injector has them."""

    def __init__(self, conversation: Conversation, client: FaultySide, monitor: FaultySide) -> None:
        self._from = {Direction.TO_MONITOR: client, Direction.TO_CLIENT: monitor}
        self._conversation = conversation
        self.fault = conversation.fault
        self.close = conversation.close

    def write(self, way: Direction, data: bytes, descriptors: list[int]) -> None:
        """Pass bytes on to one end, with descriptors."""
        self._from[way].send(data, descriptors)

    def heard(self, way: Direction, data: bytes, descriptors: int = 0) -> None:
        """Let the tap hear what was said to one end."""
        self._conversation.heard(self._from[way], data, descriptors)

    def read(self, wanted: bool) -> None:
        """Read from both ends, or do not for a while."""
        for side in self._from.values():
            if not side.lost:
                (side.wire.resumeProducing if wanted else side.wire.pauseProducing)()
