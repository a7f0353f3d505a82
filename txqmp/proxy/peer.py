"""Who is at the other end of a connection."""

from __future__ import annotations

import re
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress


def describe_peer(transport: Any) -> dict[str, Any]:
    """
    Describe the client of a transport for the journal.

    :returns: ``address`` and ``port``; or for a UNIX socket ``path``, with ``uid``, ``gid``,
        ``pid`` and ``program`` where the system tells.
    """
    address = transport.getPeer()
    if isinstance(address, (IPv4Address, IPv6Address)):
        return {"address": address.host, "port": address.port}
    if isinstance(address, UNIXAddress):
        # A client's own end hardly ever has a name; the one it connected to has.
        name = address.name or getattr(transport.getHost(), "name", None) or b""
        path = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
        return {"path": path, **_credentials(transport)}
    return {"address": str(address)}


def identify_peer(transport: Any) -> dict[str, Any]:
    """
    Describe the client of a transport as a policy wants to know it.

    The executable is the one of the moment, by the path that its own process has for it; a client
    that may run programs of its choice, or in a file system of its own, may be any.

    :param transport: with TLS, one that has shaken hands: before that there is no certificate.
    :returns: what :func:`describe_peer` does, with ``executable``, and ``certificate``, the subject
        of its certificate, where there is one.
    """
    described = describe_peer(transport)
    if "pid" in described:
        with suppress(OSError):
            path = str(Path(f"/proc/{described['pid']}/exe").readlink())
            described["executable"] = path.removesuffix(" (deleted)")
    certificate = getattr(transport, "getPeerCertificate", lambda: None)()
    if certificate is not None:
        described["certificate"] = ",".join(
            f"{_written(name)}={_written(value)}"
            for name, value in certificate.get_subject().get_components()
        )
    return described


def _written(part: bytes) -> str:
    """Write a part of a subject, so that nothing in it looks like another part."""
    return re.sub(r"[,=\\]", r"\\\g<0>", part.decode("utf-8", "backslashreplace"))


def _credentials(transport: Any) -> dict[str, Any]:
    try:
        option = transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    except (AttributeError, OSError):
        return {}
    pid, uid, gid = struct.unpack("iII", option)
    found = {"uid": uid, "gid": gid, "pid": pid}
    with suppress(OSError):
        found["program"] = Path(f"/proc/{pid}/comm").read_text("utf-8", "backslashreplace").strip()
    return found
