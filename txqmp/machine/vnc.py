"""The VNC server of the simulated machine, which listens to nobody, and its access list."""

from __future__ import annotations

import re

from txqmp.errors import CommandFailed

_DISPLAY = re.compile(r"([^\s,]*):([0-9]{1,5})(,password)?", re.ASCII)
_FIRST_PORT = 5900

MAX_RULES = 100
"""Rules in an access list."""


class VNCServer:
    """
    The settings of a VNC server; no port is ever opened.

    :ivar address: host and port, or None while it is disabled.
    :ivar auth: how clients show who they are: ``none``, or ``vnc`` with a password.
    :ivar password: its eight first characters are what counts.
    """

    def __init__(self) -> None:
        self.address: tuple[str, int] | None = None
        self.auth = "none"
        self.password: str | None = None

    def open(self, display: str) -> None:
        """
        Serve another display.

        :param display: ``<host>:<number>[,password]``, or ``none``.
        :raises CommandFailed: it cannot be read.
        """
        if display == "none":
            self.address = None
            return
        match = _DISPLAY.fullmatch(display)
        port = _FIRST_PORT + int(match[2]) if match else 0
        if match is None or port > 65535:
            raise CommandFailed(f"could not start VNC server on {display}")
        self.address = (match[1] or "0.0.0.0", port)
        self.auth = "vnc" if match[3] else "none"

    def set_password(self, password: str) -> None:
        """
        Set the password.

        :raises CommandFailed: the server is disabled.
        """
        if self.address is None:
            raise CommandFailed("could not set VNC server password")
        self.password = password[:8]


class AccessList:
    """
    Who may use the VNC server.

    :ivar allow: what becomes of those that no rule matches.
    :ivar rules: whether to allow, and whom; the first that matches counts.
    """

    def __init__(self) -> None:
        self.allow = False
        self.rules: list[tuple[bool, str]] = []

    def add(self, allow: bool, match: str, position: int | None = None) -> int:
        """
        Add a rule.

        :param position: where it shall stand, from 1; at the end if None or beyond it.
        :returns: its position.
        :raises CommandFailed: no such position, or too many rules.
        """
        index = len(self.rules) if position is None else min(position - 1, len(self.rules))
        if index < 0 or len(self.rules) == MAX_RULES:
            raise CommandFailed("acl: unable to add acl entry")
        self.rules.insert(index, (allow, match))
        return index + 1

    def remove(self, match: str) -> int:
        """
        Remove the first rule for somebody.

        :returns: the position that it had, from 1.
        :raises CommandFailed: there is none.
        """
        for index, (_, who) in enumerate(self.rules):
            if who == match:
                del self.rules[index]
                return index + 1
        raise CommandFailed("acl: no matching acl entry")

    def reset(self) -> None:
        """Remove all rules, and deny again whom none matches."""
        self.rules.clear()
        self.allow = False
