"""
Sockets in a QEMU's place: what it would have listened at or connected to.

They are made before QEMU starts, exactly as it would make them; where that fails, it is for QEMU
to fail in its own words.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from txqmp.wrap.arguments import DescriptorAddress, TCPAddress, UnixAddress

_BACKLOG = 128
_MAX_NAME = 107
"""Bytes in the name of a UNIX socket."""


def listen_at(address: UnixAddress | TCPAddress) -> list[socket.socket]:
    """
    Listen where a monitor would.

    A UNIX socket that stands there is replaced, and its mode is the umask's, as with QEMU.

    :raises OSError: it cannot be had.
    """
    if isinstance(address, UnixAddress):
        return [_listen_unix(address)]
    return _listen_tcp(address)


def connect_to(address: UnixAddress | TCPAddress) -> socket.socket:
    """
    Connect to where a monitor would.

    :raises OSError: nobody listens there.
    """
    if isinstance(address, UnixAddress):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(_unix_name(address))
        except OSError:
            connection.close()
            raise
        return connection
    problem: OSError | None = None
    for family, place in _places(address, passive=False):
        try:
            connection = socket.socket(family)
            try:
                connection.connect(place)
            except OSError:
                connection.close()
                raise
        except OSError as error:
            problem = error
        else:
            return connection
    raise problem or OSError("no address")


def client_place(address: UnixAddress | TCPAddress | DescriptorAddress) -> tuple[str, ...]:
    """Where to connect to, in words: ``unix`` and a name, or ``tcp``, a host and a port."""
    if isinstance(address, UnixAddress):
        name = os.fsdecode(_unix_name(address))
        return "unix", name if address.abstract else str(Path(name).absolute())
    assert isinstance(address, TCPAddress)
    port = (
        address.port if address.port.isdigit() else str(socket.getservbyname(address.port, "tcp"))
    )
    return "tcp", address.host or "localhost", port


def _unix_name(address: UnixAddress) -> bytes:
    name = os.fsencode(address.path)
    if not address.abstract:
        return name
    # Without tight= the name is as long as the structure that holds it (unix(7)).
    return b"\0" + (name if address.tight else name.ljust(107, b"\0"))


def _listen_unix(address: UnixAddress) -> socket.socket:
    name = _unix_name(address)
    if len(name) > _MAX_NAME:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    listening = socket.socket(socket.AF_UNIX)
    if not address.abstract:
        _put_aside(Path(address.path))
    try:
        listening.bind(name)
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        if not address.abstract:
            give_back(Path(address.path), os.getpid())
        raise
    return listening


def _aside(path: Path, pid: int) -> Path:
    return path.with_name(f"{path.name}.aside-{pid}")


def _put_aside(path: Path) -> None:
    """
    Make room, as QEMU does once it has read all its arguments: it may not come that far, and the
    socket that stands there be another machine's.
    """
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.rename(_aside(path, os.getpid()))
        else:
            path.unlink()


def give_back(path: Path, pid: int) -> None:
    """
    Let the socket that was put aside stand where it stood, if anybody listens at it still.

    :param pid: of the process that put it aside.
    """
    aside = _aside(path, pid)
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
        if not aside.is_socket():
            return
        asking.setblocking(False)
        if asking.connect_ex(str(aside)) == errno.ECONNREFUSED:
            aside.unlink()
        else:
            aside.rename(path)


def _listen_tcp(address: TCPAddress) -> list[socket.socket]:
    """On the first port of a range that is free, and on every address that the host has."""
    first = socket.getservbyname(address.port, "tcp") if not address.port.isdigit() else None
    number = int(address.port) if first is None else first
    last = number if address.to is None else address.to
    for port in range(number, last + 1):
        try:
            return _listen_on(address, port)
        except OSError:
            if port == last:
                raise
    raise OSError("no port in this range")


def _listen_on(address: TCPAddress, port: int) -> list[socket.socket]:
    opened: list[socket.socket] = []
    try:
        for family, place in _places(address, passive=True, port=port):
            listening = socket.socket(family)
            opened.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind(place)
            listening.listen(_BACKLOG)
    except OSError:
        for listening in opened:
            listening.close()
        raise
    return opened


def _places(
    address: TCPAddress, *, passive: bool, port: int | None = None
) -> Iterator[tuple[int, tuple[str, int]]]:
    family = socket.AF_UNSPEC
    if address.ipv4 or address.ipv6 is False:
        family = socket.AF_UNSPEC if address.ipv6 else socket.AF_INET
    elif address.ipv6 or address.ipv4 is False:
        family = socket.AF_INET6
    flags = socket.AI_PASSIVE if passive else 0
    found = socket.getaddrinfo(
        address.host or None,
        address.port if port is None else port,
        family,
        socket.SOCK_STREAM,
        flags=flags,
    )
    for kind, _, _, _, place in found:
        yield kind, place  # type: ignore[misc]


def name_in_file_system(listening: socket.socket) -> str:
    """The path of a UNIX socket; empty if it has none."""
    if listening.family != socket.AF_UNIX:
        return ""
    name = listening.getsockname()
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    return "" if name.startswith("\0") else str(name)


def inherited(address: DescriptorAddress) -> socket.socket | None:
    """
    The socket that a monitor was handed as ``fd=``, or None if it is none.

    It is a copy: the number itself is QEMU's.
    """
    number = address.number
    try:
        # To close a copy of a file would take its locks away.
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            return None
        copy = socket.socket(fileno=os.dup(number))
    except OSError:
        return None
    if copy.type != socket.SOCK_STREAM:
        copy.close()
        return None
    return copy


def listens(connection: socket.socket) -> bool:
    """Whether a socket takes connections."""
    return bool(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
