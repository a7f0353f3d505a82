"""The ways of running a proxy."""

from __future__ import annotations

from typing import Literal, NamedTuple

Dialect = Literal["json", "text"]

READ_ONLY = ("--read-only", "--allow=set_link")


class Mode(NamedTuple):
    """
    One of them.

    :ivar monitor: what the monitor speaks.
    :ivar ports: what clients speak, at each of the proxy's ports.
    :ivar shared: all clients have one connection to the monitor.
    :ivar exact: the bytes that the proxy passes on are those that it got.
    :ivar real: the monitor is a QEMU's.
    :ivar guarded: what has ``device_del`` in it is denied.
    """

    name: str
    monitor: Dialect
    ports: tuple[Dialect, ...]
    options: tuple[str, ...] = ()
    shared: bool = False
    exact: bool = False
    guarded: bool = False
    real: bool = False
    decoded: bool = True


MODES = {
    mode.name: mode
    for mode in (
        Mode("relay-json", "json", ("json",), exact=True),
        Mode("relay-text", "text", ("text",), exact=True),
        Mode("relay-no-decode", "json", ("json",), ("--no-decode",), exact=True, decoded=False),
        Mode("relay-guarded-json", "json", ("json",), READ_ONLY, guarded=True),
        Mode("relay-guarded-text", "text", ("text",), READ_ONLY, guarded=True),
        Mode("gateway", "json", ("text",), ("--dialect=text",), shared=True),
        Mode("shared-json", "json", ("json", "text"), ("--shared",), shared=True),
        Mode("shared-text", "text", ("text", "text"), ("--shared",), shared=True),
        Mode("shared-coalesce", "json", ("json",), ("--shared", "--coalesce"), shared=True),
        Mode(
            "shared-guarded", "json", ("json", "text"), ("--shared", *READ_ONLY),
            shared=True, guarded=True,
        ),
        # Random bytes are bound to have a "q" in a line of its own.
        Mode(
            "shared-qemu", "json", ("json", "text"), ("--shared", "--coalesce", "--deny=quit"),
            shared=True, real=True,
        ),
        Mode(
            "gateway-qemu", "json", ("text",), ("--dialect=text", "--deny=quit"),
            shared=True, real=True,
        ),
    )
}  # fmt: skip
