"""
The commands a JSON server knows: names, argument types, handlers, and what introspection says.

An argument's type is one of ``str``, ``int``, ``number``, ``bool``, ``object``, ``any``, or an
array of one of them: ``[str]``. A ``?`` after it: the argument may be missing, and is not passed
on then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from txqmp.errors import CommandFailed
from txqmp.jsonqmp.grammar import JSONObject, JSONValue

if TYPE_CHECKING:
    from txqmp.jsonqmp.server import Request

Handler = Callable[..., Any]
_H = TypeVar("_H", bound=Handler)

_EXPECTED: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "string"),
    "int": ((int,), "integer"),
    "number": ((int, float), "number"),
    "bool": ((bool,), "boolean"),
    "object": ((dict,), "object"),
}
_BUILTIN = {
    "str": "string",
    "int": "int",
    "number": "number",
    "bool": "boolean",
    "null": "null",
    "any": "value",
}
_LAST_INT = (1 << 63) - 1
_NO_MEMBERS = "0"
# An object that may hold anything has no name in QEMU's introspection.
_SHOWN = {"object": "any", "[object]": "[any]"}


def not_found(name: str) -> CommandFailed:
    """Make the error for a command that is not there."""
    return CommandFailed(f"The command {name} has not been found", error_class="CommandNotFound")


def _check(path: str, kind: str, value: JSONValue) -> None:
    if kind.startswith("["):
        if not isinstance(value, list):
            raise CommandFailed(f"Invalid parameter type for '{path}', expected: array")
        for index, item in enumerate(value):
            _check(f"{path}[{index}]", kind[1:-1], item)
    elif kind != "any":
        types, expected = _EXPECTED[kind]
        wrong = isinstance(value, bool) and kind != "bool"  # a kind of int to Python only
        if wrong or not isinstance(value, types) or (kind == "int" and value > _LAST_INT):  # type: ignore[operator]
            raise CommandFailed(f"Invalid parameter type for '{path}', expected: {expected}")


class Entry:
    """
    One command.

    :ivar name: its name.
    :ivar arguments: the type of each argument, without ``?``.
    :ivar optional: the arguments that may be missing.
    :ivar oob: whether it may be run out of band.
    :ivar returns: the type of what it returns, or None.
    """

    def __init__(
        self, name: str, args: Mapping[str, str], oob: bool, returns: str | None, handler: Handler
    ) -> None:
        self.name = name
        self.arguments = {key: kind.removesuffix("?") for key, kind in args.items()}
        self.optional = frozenset(key for key, kind in args.items() if kind.endswith("?"))
        self.oob = oob
        self.returns = returns
        self.handler = handler
        for kind in [*self.arguments.values(), *([returns] if returns else [])]:
            base = kind[1:-1] if kind.startswith("[") and kind.endswith("]") else kind
            if base != "any" and base not in _EXPECTED:
                raise ValueError(f"command {name!r}: unknown type {kind!r}")

    def bind(self, arguments: JSONObject) -> JSONObject:
        """
        Check arguments against their types.

        :returns: them, with a name that Python can have.
        :raises CommandFailed: one is missing, of another type, or unexpected.
        """
        for key, kind in self.arguments.items():
            if key in arguments:
                _check(key, kind, arguments[key])
            elif key not in self.optional:
                raise CommandFailed(f"Parameter '{key}' is missing")
        for key in arguments:
            if key not in self.arguments:
                raise CommandFailed(f"Parameter '{key}' is unexpected")
        return {key.replace("-", "_"): value for key, value in arguments.items()}


class JSONCommandTable:
    """
    Commands by name, each with its handler::

        table = JSONCommandTable()

        @table.command("device_del", args={"id": "str", "force": "bool?"})
        def device_del(request, id, force=False): ...

    A handler gets the :class:`~txqmp.jsonqmp.server.Request` and, by name, the arguments that
    came (``cpu-index`` is ``cpu_index``). It returns a JSON value, None for ``{}``, or a Deferred
    or a coroutine of those. To fail, it raises :class:`~txqmp.CommandFailed` with a reason and,
    if need be, an ``error_class``.

    ``qmp_capabilities``, ``query-commands`` and ``query-qmp-schema`` are there from the start.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._events: dict[str, Mapping[str, str]] = {}
        self.command("qmp_capabilities", args={"enable": "[str]?"})(self._negotiate)
        self.command("query-commands", returns="[object]")(self._query_commands)
        self.command("query-qmp-schema", returns="[object]")(self._query_schema)

    def command(
        self,
        name: str,
        args: Mapping[str, str] | None = None,
        *,
        oob: bool = False,
        returns: str | None = None,
    ) -> Callable[[_H], _H]:
        """
        Register the decorated handler.

        :param args: the types of its arguments, in the order in which they are checked.
        :param oob: it may be run out of band; such a handler should not wait for anything.
        :param returns: the type of what it returns, for introspection; None if it is nothing.
        :raises ValueError: an unknown type, or a name that is taken.
        """

        def register(handler: _H) -> _H:
            if name in self._entries:
                raise ValueError(f"command {name!r} is there already")
            self._entries[name] = Entry(name, args or {}, oob, returns, handler)
            return handler

        return register

    def event(self, name: str, data: Mapping[str, str] | None = None) -> None:
        """
        Let introspection tell of an event.

        :param data: the types of its data's members.
        """
        self._events[name] = data or {}

    def __iter__(self) -> Iterator[Entry]:
        """All entries, in the order of their names."""
        return iter(sorted(self._entries.values(), key=lambda entry: entry.name))

    def call(self, request: Request) -> Any:
        """
        Carry out one command.

        :returns: what its handler returned.
        :raises CommandFailed: its name or its arguments are wrong, or its handler says so.
        """
        command = request.command
        entry = self._entries.get(command.name)
        if not request.negotiated and command.name != "qmp_capabilities":
            raise CommandFailed(
                "Expecting capabilities negotiation with 'qmp_capabilities'",
                error_class="CommandNotFound",
            )
        if entry is None:
            raise not_found(command.name)
        if command.oob and not entry.oob:
            raise CommandFailed(f"The command {entry.name} does not support OOB")
        return entry.handler(request, **entry.bind(command.arguments))

    def _negotiate(self, request: Request, enable: Sequence[str] = ()) -> None:
        request.negotiate(enable)

    def _query_commands(self, request: Request) -> JSONValue:
        return [{"name": entry.name} for entry in self]

    def _query_schema(self, request: Request) -> JSONValue:
        return schema(self, self._events)


def schema(entries: Iterator[Entry] | JSONCommandTable, events: Mapping[str, Any]) -> JSONValue:
    """
    Describe commands and events as ``query-qmp-schema`` does: types have numbers for names.

    :param events: the types of the members of each event's data, by its name.
    """
    described: list[JSONValue] = []
    types: list[JSONValue] = [
        {"name": name, "json-type": kind, "meta-type": "builtin"} for name, kind in _BUILTIN.items()
    ]
    types.append({"name": _NO_MEMBERS, "members": [], "meta-type": "object"})
    arrays: set[str] = set()

    def shown(kind: str) -> str:
        kind = _SHOWN.get(kind, kind)
        if kind.startswith("["):
            arrays.add(kind)
        return kind

    def members(kinds: Mapping[str, str], optional: frozenset[str] = frozenset()) -> str:
        if not kinds:
            return _NO_MEMBERS
        listed: list[JSONValue] = []
        for key, kind in kinds.items():
            member: JSONObject = {"name": key, "type": shown(kind)}
            if key in optional:
                member["default"] = None
            listed.append(member)
        name = str(len(types))
        types.append({"name": name, "members": listed, "meta-type": "object"})
        return name

    for entry in entries:
        command: JSONObject = {
            "name": entry.name,
            "ret-type": shown(entry.returns) if entry.returns else _NO_MEMBERS,
            "meta-type": "command",
            "arg-type": members(entry.arguments, entry.optional),
        }
        if entry.oob:
            command["allow-oob"] = True
        described.append(command)
    for event, data in sorted(events.items()):
        described.append({"name": event, "meta-type": "event", "arg-type": members(data)})
    for array in sorted(arrays):
        types.append({"name": array, "element-type": array[1:-1], "meta-type": "array"})
    return [*described, *types]
