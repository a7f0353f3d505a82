"""A policy that is read again while the service runs, and the options that describe one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import Logger, formatEvent
from twisted.python.usage import UsageError
from zope.interface.verify import verifyObject

from txqmp.errors import PolicyError
from txqmp.policy import Client, Policy
from txqmp.policy.interface import IJudge
from txqmp.service import policykeeper as policykeeper_module
from txqmp.service.policykeeper import PolicyKeeper
from txqmp.service.policyoptions import PolicyOptions

STOP = b'{"execute":"stop"}'
QUERY = b'{"execute":"query-name"}'
ALLOWING = 'default = "allow"\n'
DENYING = 'default = "deny"\n[[rule]]\naction = "allow"\ncommand = "query-*"\n'


class Reactor:
    """Takes calls from signal handlers, and makes them when told to."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []

    def callFromThread(self, call: Callable[[], object]) -> None:
        self.calls.append(call)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    events: list[Any] = []
    monkeypatch.setattr(policykeeper_module, "_log", Logger(observer=events.append))
    return events


@pytest.fixture(autouse=True)
def unchanged() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    assert signal.getsignal(signal.SIGHUP) is before


def options(*argv: str) -> PolicyOptions:
    made = PolicyOptions()
    made.parseOptions(argv)
    return made


def keeper(path: Path, reactor: Any = None) -> PolicyKeeper:
    return PolicyKeeper(lambda: Policy.load(str(path)), reactor)


def denied(judge: PolicyKeeper, message: bytes) -> bool:
    return judge.judge(Client(), "json", message).denied


def test_it_is_a_judge(tmp_path: Path) -> None:
    (tmp_path / "p").write_text(ALLOWING)
    verifyObject(IJudge, keeper(tmp_path / "p"))
    verifyObject(IJudge, Policy.of())
    with pytest.raises(PolicyError):
        keeper(tmp_path / "nosuch")


def test_the_signal_has_it_read_again(tmp_path: Path, logged: list[Any]) -> None:
    path, reactor = tmp_path / "p", Reactor()
    path.write_text(ALLOWING)
    keeping = keeper(path, reactor)
    keeping.startService()
    path.write_text(DENYING)
    os.kill(os.getpid(), signal.SIGHUP)
    assert not denied(keeping, STOP)
    (reload,) = reactor.calls
    reload()
    assert denied(keeping, STOP)
    keeping.stopService()
    assert [formatEvent(event) for event in logged] == [
        "policy read; rules: 0",
        "policy: rules met: default 1; never met: 0",
        "policy read again; rules: 1",
        "policy: rules met: default 1; never met: 1",
    ]


def test_what_cannot_be_read_is_refused(tmp_path: Path, logged: list[Any]) -> None:
    path, reactor = tmp_path / "p", Reactor()
    path.write_text(DENYING)
    keeping = keeper(path, reactor)
    keeping.startService()
    old = keeping.policy
    path.write_text(f"{ALLOWING}\n[[rules]]\n")
    keeping.reload()
    assert keeping.policy is old
    path.unlink()
    keeping.reload()
    assert denied(keeping, STOP)
    keeping.stopService()
    refused = "policy refused, the old one stays"
    assert [formatEvent(event) for event in logged[1:3]] == [
        f"{refused}: {path}:3: a policy has no 'rules' (did you mean 'rule'?)",
        f"{refused}: {path}: No such file or directory",
    ]


def test_the_handler_before_is_there_again(tmp_path: Path) -> None:
    (tmp_path / "p").write_text(ALLOWING)
    keeping = keeper(tmp_path / "p", Reactor())
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        keeping.startService()
        assert signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        keeping.stopService()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_no_options_are_no_policy() -> None:
    assert options().read_policy() is None


@pytest.mark.parametrize(
    ("argv", "stop", "query"),
    [
        (["--read-only"], True, False),
        (["--allow=query-*"], True, False),
        (["--allow=query-*", "--allow=stop"], False, False),
        (["--deny=stop"], True, False),
        (["--deny=s*", "--deny=query-*"], True, True),
        (["--allow=*", "--deny=stop"], True, False),
        (["--policy=p"], True, False),
        (["--policy=p", "--allow=stop"], False, False),
        (["--policy=p", "--deny=query_name"], True, True),
        (["--policy=p", "--policy-dry-run"], False, False),
    ],
)
def test_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], stop: bool, query: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").write_text(DENYING)
    judge = options(*argv).read_policy()
    assert judge is not None
    assert (denied(judge, STOP), denied(judge, QUERY)) == (stop, query)


def test_a_dry_run_says_what_would_be() -> None:
    judge = options("--read-only", "--policy-dry-run").read_policy()
    assert judge is not None
    verdict = judge.judge(Client(), "json", STOP)
    assert verdict.fields() == {
        "verdict": "would-deny",
        "rule": "read-only: rest",
        "reason": "it is no query",
    }


def test_bad_options_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "p"
    path.write_text("default = 1")
    with pytest.raises(UsageError, match=r"p:1: default is allow or deny, not 1$"):
        options(f"--policy={path}").read_policy()
    with pytest.raises(UsageError, match="--policy-dry-run goes with --policy"):
        options("--policy-dry-run").read_policy()
    with pytest.raises(UsageError, match="--deny wants the name of a command"):
        options("--deny= ")
