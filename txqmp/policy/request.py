"""What a policy judges: who asks, and what for."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Literal, NamedTuple

from txqmp.policy.leaves import Leaves

Voice = Literal["json", "text", "hmp"]
"""How a command was said: in either dialect, or on a line of the human monitor inside JSON."""


class Client(NamedTuple):
    """
    Who is at the other end of a connection, as far as it is known.

    :ivar uid: of a process on this machine.
    :ivar gid: of the same.
    :ivar executable: the path of its program.
    :ivar certificate: the subject of its certificate: ``CN=…,O=…``, with ``\\`` before a comma
        that is part of a name.
    :ivar address: of another machine, or of this one by TCP.
    :ivar local: it came by a UNIX socket: it has a uid, a gid and an executable, be they known
        or not.
    """

    uid: int | None = None
    gid: int | None = None
    executable: str | None = None
    certificate: str | None = None
    address: IPv4Address | IPv6Address | None = None
    local: bool = False

    @classmethod
    def from_peer(cls, peer: Mapping[str, Any] | None) -> Client:
        """
        Take over what the journal calls the peer.

        :param peer: ``uid``, ``gid``, ``executable``, ``path`` of a UNIX socket, ``address``,
            ``certificate``; each may be absent. ``program`` is what a process calls itself, and
            is believed by nobody.
        """
        known = peer or {}
        return cls(
            uid=known.get("uid"),
            gid=known.get("gid"),
            executable=known.get("executable"),
            certificate=known.get("certificate"),
            address=_address(known.get("address")),
            local="path" in known or "uid" in known,
        )


def _address(text: object) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0]) if isinstance(text, str) else None
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class Ask(NamedTuple):
    """
    One thing that a message asks for.

    :ivar names: of the command, as names are compared; the first is its own, the others what
        it is called elsewhere.
    :ivar voice: how it was said.
    :ivar leaves: its arguments.
    :ivar done_by: other commands by which it may be done; to allow those does not allow it.
    """

    names: tuple[str, ...]
    voice: Voice
    leaves: Leaves
    done_by: tuple[str, ...] = ()
