"""
Names of commands and arguments, so that a rule finds what it means however it is spelt.

QEMU tells ``device_del`` from ``device-del`` and from ``Device_Del``; a policy takes them for
one, and what the human monitor and JSON call differently, too. To take two for one never lets
more through where a rule denies, and where a rule allows it is the same power by either name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_UNPRINTABLE = re.compile(r"[^ -~]")

ALIASES = {"?": "help", "c": "cont", "p": "print", "q": "quit", "s": "stop"}
"""What the human monitor takes for a name; each is the whole name of no other command."""

_ONE = (
    ("sendkey", "send-key"),
    ("nmi", "inject-nmi"),
    ("commit", "block-commit"),
    ("change", "blockdev-change-medium"),
    ("drive-add", "blockdev-add"),
    ("drive-del", "blockdev-del"),
    ("snapshot-blkdev", "blockdev-snapshot-sync"),
    ("snapshot-blkdev-internal", "blockdev-snapshot-internal-sync"),
    ("snapshot-delete-blkdev-internal", "blockdev-snapshot-delete-internal-sync"),
    ("savevm", "snapshot-save"),
    ("loadvm", "snapshot-load"),
    ("delvm", "snapshot-delete"),
    ("migrate-set-parameter", "migrate-set-parameters"),
    ("migrate-set-capability", "migrate-set-capabilities"),
    ("nbd-server-remove", "block-export-del"),
    ("nbd-server-add", "block-export-add"),
    ("watchdog-action", "watchdog-set-action"),
    ("trace-event", "trace-event-set-state"),
    ("info cpus", "query-cpus-fast"),
    ("info network", "query-rx-filter"),
    ("info trace-events", "trace-event-get-state"),
    ("info qom-tree", "qom-list"),
)
"""What the human monitor and JSON call the same thing."""
_ALSO = {name: (name, other) for pair in _ONE for name, other in (pair, pair[::-1])}

_DONE_BY = (
    ("usb-add", "", ("device-add",)),
    ("usb-add", "disk:", ("drive-add", "blockdev-add")),
    ("usb-del", "", ("device-del",)),
    ("pci-add", "", ("device-add",)),
    ("pci-add", "nic", ("netdev-add",)),
    ("pci-add", "storage", ("drive-add", "blockdev-add")),
    ("pci-del", "", ("device-del",)),
    ("host-net-add", "", ("netdev-add",)),
    ("host-net-remove", "", ("netdev-del",)),
    ("host-net-redir", "", ("hostfwd-add",)),
    ("host-net-redir", "remove", ("hostfwd-remove",)),
    ("change", "vnc", ("display-update", "change-vnc-password")),
    ("migrate-set-speed", "", ("migrate-set-parameters", "migrate-set-parameter")),
    ("migrate-set-downtime", "", ("migrate-set-parameters", "migrate-set-parameter")),
)
"""Commands of 2009, what a word behind them begins with, and what does their work today."""


def plain(name: str) -> str:
    """Write a name the one way in which names are compared."""
    return _UNPRINTABLE.sub("", name).strip().lower().replace("_", "-")


def known_as(name: str, sub: str = "") -> tuple[str, ...]:
    """
    Tell all names of a command, its own first.

    :param name: as it was written, an alias of the human monitor or not.
    :param sub: what ``info`` is asked for: ``info block`` is also ``query-block``.
    """
    own = plain(name)
    own = ALIASES.get(own, own)
    if sub:
        own = f"{own} {plain(sub)}"
    if own in _ALSO:
        return _ALSO[own]
    if own.startswith("info "):
        return own, f"query-{own.removeprefix('info ')}"
    if own.startswith("query-"):
        return own, f"info {own.removeprefix('query-')}"
    return (own,)


def done_by(name: str, words: Sequence[str]) -> tuple[str, ...]:
    """
    Tell what a command of 2009 is done by today, where that is called otherwise: who may not
    say the one may not have it done by the other.

    :param name: as names are compared.
    :param words: what stands behind it.
    """
    return tuple(
        other
        for known, beginning, others in _DONE_BY
        if known == name and any(word.lower().startswith(beginning) for word in (*words, ""))
        for other in others
    )
