"""Who is at a UNIX socket: the kernel tells, and nobody notices."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from txqmp.service import sockdiag
from txqmp.service.sockdiag import Census, census, listens


@pytest.fixture
def path(short_path: Path) -> str:
    return str(short_path / "m.sock")


@contextmanager
def listening(path: str, backlog: int = 5) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(backlog)
        yield server


@contextmanager
def connected(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        yield client


def test_who_waits_to_be_accepted_is_a_client(path: str) -> None:
    with listening(path) as server:
        assert census(path) == Census(listening=True, clients=0)
        with connected(path):
            assert census(path) == Census(listening=True, clients=1)
            served, _ = server.accept()
            with served:
                assert census(path) == Census(listening=True, clients=1)
                with connected(path):
                    assert census(path) == Census(listening=True, clients=2)


def test_who_has_left_is_none_whether_the_server_knows_or_not(path: str) -> None:
    with listening(path) as server:
        with connected(path):
            served, _ = server.accept()
        assert census(path) == Census(listening=True, clients=0)
        served.close()
        assert census(path) == Census(listening=True, clients=0)


def test_a_link_is_the_same_socket_wherever_the_first_name_is(path: str) -> None:
    with listening(path), connected(path):
        os.link(path, f"{path}.link")
        Path(path).unlink()
        assert census(f"{path}.link") == Census(listening=True, clients=1)


def test_another_socket_does_not_count(path: str) -> None:
    with listening(path), listening(f"{path}.other"), connected(f"{path}.other"):
        assert census(path) == Census(listening=True, clients=0)


def test_of_many_sockets_all_are_seen(path: str) -> None:
    # More than one answer of the kernel's holds.
    pairs = [socket.socketpair() for _ in range(400)]
    with listening(path, 100), connected(path):
        assert census(path) == Census(listening=True, clients=1)
    for pair in pairs:
        for end in pair:
            end.close()


def test_what_was_left_behind_has_no_listener(path: str) -> None:
    with listening(path):
        pass
    assert census(path) == Census(listening=False, clients=0)
    assert not listens(path)


def test_of_what_is_not_there_nothing_is_told(path: str) -> None:
    assert census(path) is None
    assert not listens(path)


def silenced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "AF_NETLINK", -1)


def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockdiag, "_BY_FAMILY", 0x1FF)


@pytest.mark.parametrize("kernel", [silenced, refused])
def test_where_the_kernel_does_not_tell_a_connection_does(
    kernel: object, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(kernel)
    kernel(monkeypatch)
    with listening(path, 0):
        assert census(path) is None
        # The first fills the queue: nobody accepts it.
        assert listens(path)
        assert listens(path)
    assert not listens(path)
