"""
What the kernel knows of a listening UNIX socket, found out without a connection to it.

A monitor serves one client at a time, and a QEMU that waits for its first starts when it
comes: to ask by connecting would not go unnoticed.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# From linux/netlink.h, sock_diag.h and unix_diag.h.
_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST_DUMP = 0x301
_ERROR, _DONE = 2, 3
_ESTABLISHED, _LISTEN = 1, 10
_SHOW_FILE, _SHOW_QUEUE = 0x02, 0x10
_FILE, _QUEUE, _SHUTDOWN = 1, 4, 6
_BOTH_WAYS = b"\3"

_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBHIIIII")
_SOCKET = struct.Struct("=BBBBIII")
_ATTRIBUTE = struct.Struct("=HH")
_PAIR = struct.Struct("=II")

_PATIENCE = 5.0
"""Seconds in which the kernel must answer; it does at once."""


class Census(NamedTuple):
    """
    Who is at a socket.

    :ivar listening: whether anybody listens.
    :ivar clients: how many are connected, or wait to be accepted.
    """

    listening: bool
    clients: int


def census(path: str) -> Census | None:
    """
    Count who is at the socket that a path is a name of.

    :returns: None where the kernel does not tell. Nobody listens, as far as it tells, where
        the listener is in another network namespace, or the file system is of a kind (btrfs)
        that numbers its devices in two ways.
    """
    try:
        status = Path(path).stat()
        device = os.major(status.st_dev) << 20 | os.minor(status.st_dev)
        wanted = (status.st_ino & 0xFFFFFFFF, device)
        found = [known for known in _sockets() if known.file == wanted]
    except OSError:
        return None
    queues = [known.queue for known in found if known.state == _LISTEN]
    served = [known for known in found if known.state == _ESTABLISHED and not known.left]
    return Census(bool(queues), sum(queues) + len(served))


def listens(path: str) -> bool:
    """Whether somebody listens at a path. Only where the kernel knows of nobody, connect."""
    found = census(path)
    if found is not None and found.listening:
        return True
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        # EAGAIN: so many wait already that no further one may.
        return asking.connect_ex(path) in (0, errno.EAGAIN)


class _Socket(NamedTuple):
    """
    What is told of a socket.

    :ivar file: the inode and the device of its name.
    :ivar queue: how many wait to be accepted, if it listens.
    :ivar left: whether the other end is gone, and this one has yet to hear it.
    """

    state: int
    file: tuple[int, int]
    queue: int
    left: bool


def _sockets() -> Iterator[_Socket]:
    """Ask for all UNIX sockets that listen or are connected."""
    with socket.socket(
        getattr(socket, "AF_NETLINK", -1), socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG
    ) as asking:
        asking.settimeout(_PATIENCE)
        states = 1 << _ESTABLISHED | 1 << _LISTEN
        show = _SHOW_FILE | _SHOW_QUEUE
        request = _REQUEST.pack(socket.AF_UNIX, 0, 0, states, 0, show, 0xFFFFFFFF, 0xFFFFFFFF)
        size = _HEADER.size + len(request)
        asking.send(_HEADER.pack(size, _BY_FAMILY, _REQUEST_DUMP, 1, 0) + request)
        while True:
            data = asking.recv(65536)
            start = 0
            while start < len(data):
                length, kind, *_ = _HEADER.unpack_from(data, start)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
                yield _socket(data[start + _HEADER.size : start + length])
                start += _aligned(length)


def _socket(data: bytes) -> _Socket:
    _, _, state, *_ = _SOCKET.unpack_from(data)
    attributes: dict[int, bytes] = {}
    start = _SOCKET.size
    while start < len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        attributes[kind] = data[start + _ATTRIBUTE.size : start + length]
        start += _aligned(length)
    inode, device = _PAIR.unpack(attributes.get(_FILE, bytes(_PAIR.size)))
    queue, _ = _PAIR.unpack(attributes.get(_QUEUE, bytes(_PAIR.size)))
    return _Socket(state, (inode, device), queue, attributes.get(_SHUTDOWN) == _BOTH_WAYS)


def _aligned(length: int) -> int:
    return length + 3 & ~3
