"""What holds for every test: it leaves nothing behind, and its real peers are there."""

from __future__ import annotations

import gc
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from hypothesis import settings
from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher

from tests.judge import judged

settings.register_profile("txqmp", deadline=None)
settings.load_profile("txqmp")

_tests = count()

INSTALL = {
    "qemu-system-x86_64": "apt-get install qemu-system-x86",
    "qemu-img": "apt-get install qemu-utils",
    "qemu-storage-daemon": "apt-get install qemu-system-common",
    "socat": "apt-get install socat",
    "libvirtd": "apt-get install libvirt-daemon",
    "virsh": "apt-get install libvirt-clients",
    "tshark": "apt-get install tshark",
    "qemu.qmp": "pip install qemu.qmp",
    "qmp": "pip install qmp",
}
"""What the ``peer`` marker knows, and how to get it."""

FREEZING = 100
"""After so many tests what there is is not looked at again when garbage is collected."""

SETTLING = 20
"""Turns of the reactor in which what a test has closed must be gone."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-peers",
        action="store_true",
        help="fail, rather than skip, the tests whose real peer is missing",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("peer"):
        for peer in marker.args:
            need = f"needs {peer}: {INSTALL[peer]}"
            if _is_here(peer):
                continue
            if item.config.getoption("--require-peers"):
                pytest.fail(need, pytrace=False)
            pytest.skip(need)


def _is_here(peer: str) -> bool:
    if INSTALL[peer].startswith("apt-get "):
        return shutil.which(peer) is not None
    try:
        return importlib.util.find_spec(peer) is not None
    except ModuleNotFoundError:  # not even its parent package
        return False


class LoggedFailures:
    """The failures that were logged, unhandled errors of Deferreds among them."""

    def __init__(self) -> None:
        self._logged: list[BaseException] = []

    def __call__(self, event: dict[str, Any]) -> None:
        if "log_failure" in event:
            self._logged.append(event["log_failure"].value)

    def take(self, kind: type[BaseException] = BaseException) -> list[BaseException]:
        """Give back the exceptions of a kind; the test expected them."""
        gc.collect()
        taken = [e for e in self._logged if isinstance(e, kind)]
        self._logged = [e for e in self._logged if not isinstance(e, kind)]
        return taken


@pytest.fixture
def logged_failures() -> Iterator[LoggedFailures]:
    """For tests that make something fail: what was logged, to be taken."""
    failures = LoggedFailures()
    globalLogPublisher.addObserver(failures)
    yield failures
    globalLogPublisher.removeObserver(failures)


def _in_use(reactor: Any) -> set[Any]:
    return {*reactor.getDelayedCalls(), *reactor.getReaders(), *reactor.getWriters()}


@pytest.fixture(scope="session")
def running_reactor() -> Any:
    """The reactor, after it has installed what it itself needs."""
    from twisted.internet import reactor

    pytest_twisted.blockon(deferLater(reactor, 0))  # type: ignore[arg-type]
    return reactor


@pytest.fixture(autouse=True)
def nothing_left(logged_failures: LoggedFailures, running_reactor: Any) -> Iterator[None]:
    """Fail the test that leaves a delayed call, a connection, a port or an unhandled error."""
    reactor = running_reactor
    if next(_tests) % FREEZING == 0:
        # Each test ends with a collection, which pytest's reports would make slower and slower.
        gc.collect()
        gc.freeze()
    before = _in_use(reactor)
    yield
    left = _in_use(reactor) - before
    for _ in range(SETTLING):
        if not left:
            break
        pytest_twisted.blockon(deferLater(reactor, 0))
        left = _in_use(reactor) - before
    for call in left.intersection(reactor.getDelayedCalls()):
        call.cancel()
    failures = logged_failures.take()
    assert not left, f"left behind: {left}"
    assert not failures, f"logged, and not expected: {failures}"


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A temporary directory whose name leaves room for a socket's (107 bytes in all)."""
    with tempfile.TemporaryDirectory(prefix="q") as directory:
        yield Path(directory)


@pytest.fixture(autouse=True)
def every_record_is_valid() -> Iterator[None]:
    """Fail the test in which a tap records what the schema does not allow, or its bytes belie."""
    with judged() as problems:
        yield
    assert not problems
