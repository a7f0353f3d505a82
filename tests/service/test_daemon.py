"""A service that cannot start ends its process: one line, status 1."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from twisted.application.service import Service
from twisted.internet.error import CannotListenError
from twisted.logger import Logger, LogLevel

from txqmp.errors import JournalError
from txqmp.service import daemon as daemon_module
from txqmp.service.daemon import Daemon


class Bad(Service):
    """Cannot start, at once or where privileges are needed."""

    def __init__(self, error: BaseException, privileged: bool) -> None:
        self._error = error
        self._privileged = privileged

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        if self._privileged:
            raise self._error

    def startService(self) -> None:
        super().startService()
        if not self._privileged:
            raise self._error


@pytest.fixture(autouse=True)
def logged(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is logged; before logging begins, Twisted would show it on standard error as well."""
    events: list[Any] = []
    monkeypatch.setattr(daemon_module, "_log", Logger(observer=events.append))
    return events


def start(error: BaseException, privileged: bool = False) -> None:
    daemon = Daemon("qmp-test")
    Bad(error, privileged).setServiceParent(daemon)
    daemon.privilegedStartService()
    daemon.startService()


IN_USE = OSError(errno.EADDRINUSE, "Address already in use")
NO_FOLDER = OSError(errno.ENOENT, "No such file or directory", "/nosuch/p.sock")
NO_LOCK = OSError(errno.EACCES, "Permission denied", "123", None, "/run/p.sock.lock")

EXPECTED = [
    (
        CannotListenError("10.0.0.1", 80, IN_USE),
        "Couldn't listen on 10.0.0.1:80: [Errno 98] Address already in use.",
    ),
    (JournalError("/j.jsonl: it is in use"), "/j.jsonl: it is in use"),
    (NO_FOLDER, "/nosuch/p.sock: No such file or directory"),
    (NO_LOCK, "/run/p.sock.lock: Permission denied"),
    (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
    (OSError("what is this?"), "what is this?"),
]


@pytest.mark.parametrize("privileged", [False, True])
@pytest.mark.parametrize(("error", "line"), EXPECTED)
def test_one_line_and_status_1(
    error: Exception, line: str, privileged: bool, capfd: Any, logged: list[Any]
) -> None:
    with pytest.raises(SystemExit) as ended:
        start(error, privileged)
    assert ended.value.code == 1
    assert capfd.readouterr() == ("", f"qmp-test: {line}\n")
    (event,) = logged
    assert event["log_level"] is LogLevel.critical
    assert event["log_format"].format(**event) == f"qmp-test: {line}"


def test_where_standard_error_has_become_a_log_the_line_still_comes(
    monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    with pytest.raises(SystemExit):
        start(JournalError("no"))
    assert capfd.readouterr().err == "qmp-test: no\n"


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt()])
def test_what_nobody_foresaw_is_raised_as_it_is(error: BaseException, capfd: Any) -> None:
    with pytest.raises(type(error)) as raised:
        start(error)
    assert raised.value is error
    assert capfd.readouterr().err == ""


def test_what_can_start_starts(capfd: Any) -> None:
    daemon = Daemon("qmp-test")
    service = Service()
    service.setServiceParent(daemon)
    daemon.privilegedStartService()
    daemon.startService()
    assert service.running
    assert capfd.readouterr() == ("", "")
