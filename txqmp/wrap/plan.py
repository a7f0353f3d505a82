"""What the process that becomes QEMU tells the one that becomes the proxy."""

from __future__ import annotations

import array
import json
import socket
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Post:
    """
    One monitor, and what the proxy has of it. Descriptors are numbers in the process that has them.

    Clients connect to ``listening``, or one is connected to by ``client``, or is ``connected``.
    QEMU's end is the UNIX socket ``monitor``, or is ``joined`` to a descriptor of ours, or
    connects to the one that ``waiting`` listens at.

    :ivar name: the label of QEMU's character device.
    :ivar address: what QEMU was asked to listen at or to connect to.
    :ivar listening: sockets that listen for clients.
    :ivar paths: their names in the file system, with device and inode, to be removed at the end.
    :ivar connected: a connection to a client.
    :ivar client: where a client is to be connected to: ``unix`` and a name, or ``tcp``, a host and
        a port.
    :ivar monitor: a path.
    :ivar joined: a connection to QEMU.
    :ivar waiting: a socket that listens for QEMU.
    """

    name: str
    address: str
    listening: tuple[int, ...] = ()
    paths: tuple[tuple[str, int, int], ...] = ()
    connected: int | None = None
    client: tuple[str, ...] = ()
    monitor: str = ""
    joined: int | None = None
    waiting: int | None = None

    def descriptors(self) -> list[int]:
        """All that the proxy is handed for it."""
        singles = (self.connected, self.joined, self.waiting)
        return [*self.listening, *(number for number in singles if number is not None)]


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What a proxy has to do.

    :ivar pid: the process that becomes QEMU.
    :ivar name: the machine's.
    :ivar posts: the monitors.
    :ivar left: the names of monitors that could not be taken over, and why.
    :ivar alive: a pipe that ends when QEMU does: it and what it starts hold the other end.
    :ivar folder: the private folder, removed at the end.
    :ivar journal: the path of the journal.
    :ivar log: the path of the proxy's own log; made up, and seldom needed, if empty.
    """

    pid: int
    name: str
    posts: tuple[Post, ...]
    left: tuple[tuple[str, str], ...]
    alive: int
    folder: str
    journal: str
    log: str
    rotate_bytes: int
    keep: int
    redact: bool
    decode: bool

    def descriptors(self) -> list[int]:
        """All that the proxy is handed."""
        return [self.alive, *(number for post in self.posts for number in post.descriptors())]


_LARGE = 1024 * 1024


def hand_over(plan: Plan, proxy: socket.socket) -> None:
    """
    Give a plan, and the descriptors in it, to the proxy.

    :raises OSError: it is not there.
    """
    data = json.dumps(asdict(plan)).encode()
    rights = array.array("i", plan.descriptors())
    sent = proxy.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    proxy.sendall(data[sent:])
    proxy.close()


def receive(connection: socket.socket) -> Plan | None:
    """
    Take a plan, whose descriptors are numbers in this process now.

    :returns: None if there is nothing to do.
    """
    data, descriptors, _, _ = socket.recv_fds(connection, _LARGE, 253, socket.MSG_CMSG_CLOEXEC)
    parts = [data]
    while data:
        data = connection.recv(_LARGE)
        parts.append(data)
    connection.close()
    text = b"".join(parts)
    return _read(text, descriptors) if text else None


def _read(text: bytes, descriptors: list[int]) -> Plan:
    value: dict[str, Any] = json.loads(text)
    plan = Plan(**{**value, "posts": tuple(Post(**post) for post in value["posts"])})
    here = dict(zip(plan.descriptors(), descriptors, strict=True))

    def moved(number: int | None) -> int | None:
        return None if number is None else here[number]

    posts = [
        replace(
            post,
            listening=tuple(here[number] for number in post.listening),
            connected=moved(post.connected),
            joined=moved(post.joined),
            waiting=moved(post.waiting),
        )
        for post in plan.posts
    ]
    return replace(plan, posts=tuple(posts), alive=here[plan.alive])
