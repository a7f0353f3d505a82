"""``fd:N``: sockets that the process was started with."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.error import AlreadyListened, ConnectError
from twisted.internet.protocol import Factory

from tests.wires import Raw, result

factory = Factory.forProtocol(Raw)
factory.noisy = False


@pytest.fixture
def listening() -> Iterator[int]:
    """The number of a socket that listens."""
    with socket.socket(socket.AF_INET) as port:
        port.bind(("127.0.0.1", 0))
        port.listen()
        number = os.dup(port.fileno())
    yield number
    with suppress(OSError):  # it may have been used
        os.close(number)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, int]]:
    """Our end of a connection, and the number of the other."""
    ours, theirs = socket.socketpair()
    yield ours, theirs.detach()
    ours.close()


async def test_a_server_listens_there(running_reactor: Any, listening: int) -> None:
    endpoint = serverFromString(running_reactor, f"fd:{listening}")
    port: Any = await endpoint.listen(factory)
    # The number is free for others.
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(listening)
    client = await clientFromString(
        running_reactor, f"tcp:127.0.0.1:{port.getHost().port}"
    ).connect(factory)
    await port.stopListening()
    client.transport.abortConnection()
    await client.when_lost()
    assert type(result(endpoint.listen(factory))) is AlreadyListened


async def test_a_client_is_connected_once(
    running_reactor: Any, pair: tuple[socket.socket, int]
) -> None:
    ours, number = pair
    endpoint = clientFromString(running_reactor, f"fd:{number}")
    client: Any = await endpoint.connect(factory)
    ours.send(b"hello\n")
    assert await client.lines(1) == b"hello\n"
    ours.close()
    await client.when_lost()
    again = result(endpoint.connect(factory))
    assert type(again) is ConnectError
    assert str(again).endswith(f"the connection of fd:{number} is over.")


async def test_who_is_connected_does_not_listen(
    running_reactor: Any, pair: tuple[socket.socket, int]
) -> None:
    with pytest.raises(ValueError, match="is a socket that does not listen"):
        serverFromString(running_reactor, f"fd:{pair[1]}")
    os.close(pair[1])


async def test_who_listens_is_not_connected(running_reactor: Any, listening: int) -> None:
    with pytest.raises(ValueError, match="is a socket that listens"):
        clientFromString(running_reactor, f"fd:{listening}")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("fd:", "the number of a descriptor"),
        ("fd:x", "the number of a descriptor"),
        ("fd:-1", "the number of a descriptor"),
        ("fd:3:4", "the number of a descriptor"),
        ("fd:3:a=b", "the number of a descriptor"),
        ("fd:999", "Bad file descriptor"),
    ],
)
async def test_what_is_no_such_thing(running_reactor: Any, words: str, problem: str) -> None:
    for parse in (serverFromString, clientFromString):
        with pytest.raises(ValueError, match=problem):
            parse(running_reactor, words)


async def test_a_file_is_none(running_reactor: Any, tmp_path: Path) -> None:
    with (
        (tmp_path / "file").open("wb") as file,
        pytest.raises(ValueError, match="Socket operation on non-socket"),
    ):
        serverFromString(running_reactor, f"fd:{file.fileno()}")


async def test_a_socket_of_datagrams_is_none(running_reactor: Any) -> None:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams,
        pytest.raises(ValueError, match="not a stream socket"),
    ):
        clientFromString(running_reactor, f"fd:{datagrams.fileno()}")
