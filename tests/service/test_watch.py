"""Sockets that appear in a folder and vanish from it are attended to, and let go."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import Service
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from tests.integration.programs import short_folder
from txqmp.service.watch import SocketWatch


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as path:
        yield path


class Attended(Service):
    def __init__(self, path: Path) -> None:
        self.path = path


class Watched:
    """A watch, its time, and what it attends to."""

    def __init__(self, pattern: str, attend: Any = Attended) -> None:
        self.clock = Clock()
        self.watch = SocketWatch(pattern, attend, self.clock, 2.0)
        self.watch.startService()

    def names(self) -> list[str]:
        return sorted(service.path.name for service in self.watch if service.running)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def test_what_is_there_is_attended_to_at_once(folder: Path) -> None:
    make_socket(folder / "a.sock")
    assert Watched(str(folder)).names() == ["a.sock"]


def test_that_nothing_is_there_is_told_at_the_first_look(folder: Path) -> None:
    with capturedLogs() as logs:
        watched = Watched(str(folder / "none"))
        watched.clock.advance(2)
    assert [formatEvent(event) for event in logs] == [f"there is no socket at {folder}/none yet"]


def test_what_appears_is_attended_to_at_the_next_look_and_let_go_when_it_vanishes(
    folder: Path,
) -> None:
    watched = Watched(str(folder))
    make_socket(folder / "a.sock")
    make_socket(folder / "b.sock")
    assert watched.names() == []
    watched.clock.advance(2)
    assert watched.names() == ["a.sock", "b.sock"]
    (folder / "a.sock").unlink()
    watched.clock.advance(2)
    assert watched.names() == ["b.sock"]


def test_only_sockets_that_fit_the_glob_count(folder: Path) -> None:
    make_socket(folder / "a.qmp")
    make_socket(folder / "a.vnc")
    (folder / "b.qmp").touch()
    assert Watched(str(folder / "*.qmp")).names() == ["a.qmp"]


def test_a_folder_need_not_be_there_yet(folder: Path) -> None:
    watched = Watched(str(folder / "new"))
    (folder / "new").mkdir()
    make_socket(folder / "new" / "a.sock")
    watched.clock.advance(2)
    assert watched.names() == ["a.sock"]


def test_one_that_cannot_be_attended_to_holds_up_no_other(
    folder: Path, logged_failures: Any
) -> None:
    def attend(path: Path) -> Attended:
        if path.name == "a.sock":
            raise ValueError("no")
        return Attended(path)

    make_socket(folder / "a.sock")
    make_socket(folder / "b.sock")
    watched = Watched(str(folder), attend)
    watched.clock.pump([2, 2])
    assert watched.names() == ["b.sock"]
    assert [str(error) for error in logged_failures.take(ValueError)] == ["no"]


def test_a_folder_that_cannot_be_read_is_reported_once_and_looked_at_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    watched = Watched(str(folder))
    make_socket(folder / "a.sock")
    with monkeypatch.context() as patch, capturedLogs() as logs:
        patch.setattr(Path, "iterdir", refuse)
        watched.clock.pump([2, 2, 2])
    assert [e["problem"] for e in logs if "problem" in e] == [
        f"[Errno 13] Permission denied: '{folder}'"
    ]
    watched.clock.advance(2)
    assert watched.names() == ["a.sock"]


async def test_stopped_it_looks_no_more(folder: Path) -> None:
    make_socket(folder / "a.sock")
    watched = Watched(str(folder))
    services = list(watched.watch)
    await watched.watch.stopService()
    assert not any(service.running for service in services)
    assert not watched.clock.getDelayedCalls()
