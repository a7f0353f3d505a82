"""Who is at the other end of a connection."""

from __future__ import annotations

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
