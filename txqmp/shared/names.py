"""
The names of file descriptors that a client has given a monitor, which others do not share.

A descriptor has a name in the monitor (``getfd``), and later commands name it. Here it gets one
that is the client's own, and where the client's commands name it that one is put in.
"""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from txqmp.errors import InvalidCommand
from txqmp.jsonqmp.grammar import JSONObject

TAKERS = ("getfd", "add-fd")
"""The commands that take a descriptor."""

_NAME = ("fdname", "fd", "vhostfd")
_LIST = ("fds", "vhostfds")
_ADDRESS = ("uri", "protocol")
_FD = "fd:"


class Names:
    """
    The names of one client, which no other can guess.

    :param number: that of its connection.
    """

    def __init__(self, number: int) -> None:
        self._prefix = f"txqmp.{number}.{token_hex(8)}"
        self._own: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._own)

    def take_all(self) -> list[str]:
        """Forget all, and say what the monitor calls them."""
        own, self._own = list(self._own.values()), {}
        return own

    def translate(self, command: str, arguments: JSONObject) -> JSONObject:
        """
        Put the monitor's names for those of the client in a command's arguments.

        A name that the client has not given is left as it is; so is one that no descriptor can
        have, that it may be refused.

        :raises InvalidCommand: the arguments are nested too deeply.
        """
        name = arguments.get("fdname")
        if command == "getfd" and isinstance(name, str) and name and not name[0].isdigit():
            self._own[name] = f"{self._prefix}.{name}"
        if not self._own:
            return arguments
        try:
            translated: JSONObject = self._inside(arguments, False)
        except RecursionError:
            raise InvalidCommand(f"the arguments of {command!r} are nested too deeply") from None
        if command == "closefd" and isinstance(name, str):
            self._own.pop(name, None)
        return translated

    def _inside(self, value: Any, descriptor: bool) -> Any:
        if isinstance(value, list):
            return [self._inside(item, descriptor) for item in value]
        if not isinstance(value, dict):
            return value
        # A socket's address: {"type": "fd", "str": …}, or with the name inside of "data".
        descriptor = descriptor or value.get("type") == "fd"
        return {
            key: self._named(key, item, descriptor)
            if isinstance(item, str)
            else self._inside(item, descriptor and key == "data")
            for key, item in value.items()
        }

    def _named(self, key: str, text: str, descriptor: bool) -> str:
        own = self._own
        if key in _NAME or (descriptor and key == "str"):
            return own.get(text, text)
        if key in _LIST:
            return ":".join(own.get(part, part) for part in text.split(":"))
        if key in _ADDRESS and text.startswith(_FD):
            name = text.removeprefix(_FD)
            return _FD + own.get(name, name)
        return text
