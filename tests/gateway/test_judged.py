"""A policy that judges the clients of a gateway, by what they say."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from tests.conftest import LoggedFailures
from tests.gateway.fake import FakeUpstream
from tests.policy.test_rules import policy, rule
from tests.wires import Transport
from txqmp.gateway.server import GatewayFactory
from txqmp.policy import Policy
from txqmp.policy.interface import IJudge
from txqmp.proxy.links import Links
from txqmp.proxy.tapped import TappedServerFactory

NO_STOP = Policy.of(deny=["stop"])
DENIED = "- ERR denied by policy: stop is not allowed (rule --deny stop)"
SLOWLY = policy(rule("delay", 'command = "stop"\nseconds = 5'))


class Tap:
    """Hears verdicts."""

    def __init__(self) -> None:
        self.verdicts: list[dict[str, Any]] = []

    def verdict(self, fields: dict[str, Any]) -> None:
        self.verdicts.append(fields)

    def opened(self) -> None: ...

    def to_monitor(self, data: bytes) -> None: ...

    def to_client(self, data: bytes) -> None: ...

    def closed(self, *_: Any) -> None: ...


class Gate:
    """A gateway, and one client of it, the first with its number in the journal."""

    def __init__(self, judge: IJudge | None, *script: Any) -> None:
        self.clock = Clock()
        self.upstream = FakeUpstream(script)
        self.tap = Tap()
        gateway = GatewayFactory(self.upstream, Links(), self.clock, policy=judge)
        factory = TappedServerFactory(gateway, lambda *_: self.tap, iter([7]), lambda *_: None)
        self.transport = Transport()
        self.server: Any = factory.buildProtocol(None)  # type: ignore[arg-type]
        self.server.makeConnection(self.transport)
        self.transport.clear()

    def asks(self, *lines: str) -> list[str]:
        for line in lines:
            self.server.dataReceived(line.encode() + b"\r\n")
        return self.heard()

    def heard(self) -> list[str]:
        data = self.transport.value()
        self.transport.clear()
        return data.decode().splitlines()


def test_what_is_denied_becomes_nothing() -> None:
    gate = Gate(NO_STOP, ("cont", None, {}))
    assert gate.asks("stop", "S", '"stop"', "cont") == [DENIED] * 3 + ["+ OK cont completed"]
    assert gate.upstream.asked == [("cont", {})]


def test_the_verdict_has_the_number_that_the_command_has() -> None:
    gate = Gate(policy(rule("log", 'command = "cont"')), ("cont", None, {}), ("cont", None, {}))
    gate.asks("\x01", "cont", "cont")
    assert [fields["link"] for fields in gate.tap.verdicts] == gate.upstream.links
    assert len(set(gate.upstream.links)) == 2
    assert gate.tap.verdicts[0] == {
        "verdict": "log",
        "rule": "rule 1",
        "command": "cont",
        "link": gate.upstream.links[0],
    }


def test_what_the_gateway_knows_itself_is_judged_too() -> None:
    gate = Gate(Policy.of(allow=["info"]))
    assert gate.asks("help")[-1].startswith("- ERR denied by policy: help is allowed by no rule")
    assert gate.asks("info")[-1] == "+ OK info completed"


def test_a_line_that_is_none_is_not_judged() -> None:
    gate = Gate(policy("", "deny"))
    assert gate.asks("\x01", '"', "") == [
        "- BAD control character in the command",
        "- BAD unterminated string or unsupported escape code",
    ]
    assert gate.tap.verdicts == []


def test_a_delay_comes_before_anything_is_asked() -> None:
    gate = Gate(SLOWLY, ("stop", None, {}), ("cont", None, {}))
    assert gate.asks("stop", "cont") == []
    gate.clock.advance(4.9)
    assert gate.upstream.asked == []
    gate.clock.advance(0.1)
    assert gate.heard() == ["+ OK stop completed", "+ OK cont completed"]
    assert [fields["seconds"] for fields in gate.tap.verdicts] == [5]


def test_a_client_that_leaves_while_it_waits() -> None:
    gate = Gate(SLOWLY)
    gate.asks("stop")
    gate.server.connectionLost()
    assert gate.clock.getDelayedCalls() == []
    assert gate.upstream.asked == []


def test_what_is_answered_without_asking_waits_as_well() -> None:
    gate = Gate(policy(rule("delay", 'command = "help"\nseconds = 5')))
    assert gate.asks("help stop") == []
    gate.clock.advance(5)
    assert gate.heard()[-1] == "+ OK help completed"


def test_a_judge_that_fails_denies(logged_failures: LoggedFailures) -> None:
    class Broken:
        def judge(self, *_: Any) -> Any:
            raise ZeroDivisionError

    gate = Gate(Broken())  # type: ignore[arg-type]
    assert gate.asks("stop") == ["- ERR internal error: the command could not be judged"]
    assert gate.upstream.asked == []
    assert len(logged_failures.take(ZeroDivisionError)) == 1
