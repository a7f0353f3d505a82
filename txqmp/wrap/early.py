"""
Start the process that will be the proxy, before anything else is done.

It takes longest: while it gets ready, its tasks are made out, and QEMU starts. So this module
imports next to nothing.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from socket import socket, socketpair
from typing import NoReturn

PROXY = "txqmp.service.wrap"
"""The module that the proxy's process runs."""


class NotStarted(Exception):
    """The process could not be started; the message says why."""


_begun: socket | None = None


def begin() -> None:
    """Start the proxy already; :func:`start_proxy` gives it out. What fails is tried again then."""
    global _begun
    with suppress(NotStarted):
        _begun = _start()


def start_proxy() -> socket:
    """
    Start the proxy, if it is not begun.

    :returns: where it listens for what it has to do; it ends if it is told nothing.
    :raises NotStarted: it cannot be.
    """
    return _start() if _begun is None else _begun


def may_need_proxy(arguments: Sequence[str]) -> bool:
    """Whether QEMU's arguments may speak of a monitor in control mode, at a glance."""
    return any("qmp" in word or "mon" in word for word in arguments)


def _start() -> socket:
    """Start a process that is nobody's child, of no terminal, and has nothing open of this one."""
    ours, its = socketpair()
    told, tell = os.pipe()
    qemu = os.getpid()
    try:
        between = os.fork()
    except OSError as error:
        raise NotStarted(str(error)) from None
    if not between:
        _in_between(qemu, its.detach(), tell)
    os.close(tell)
    its.close()
    # Where the tool ignores its children's ends, nobody has to wait for one.
    with suppress(ChildProcessError):
        os.waitpid(between, 0)
    # This ends, without a word, when the program is there.
    with os.fdopen(told) as file:
        problem = file.read()
    if problem:
        ours.close()
        raise NotStarted(problem)
    return ours


def _in_between(qemu: int, number: int, tell: int) -> NoReturn:
    """Never come back into what the parent goes on with."""
    try:
        os.setsid()
        # Not a child of the process that becomes QEMU: that waits for none.
        if not os.fork():
            _become_proxy(qemu, number, tell)
    except BaseException as error:
        os.write(tell, str(error).encode())
    finally:
        os._exit(0)


def _become_proxy(qemu: int, number: int, tell: int) -> None:
    # A tool may have closed its standard streams, and we got their numbers.
    number, tell = (fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 3) for one in (number, tell))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    # What QEMU inherits is none of the proxy's business, least of all its end of a pipe.
    for other in [int(name) for name in os.listdir("/proc/self/fd")]:  # noqa: PTH208
        if other > 2 and other not in (number, tell):
            # One was that of the folder that was listed.
            with suppress(OSError):
                os.close(other)
    os.set_inheritable(number, True)
    os.chdir("/")
    os.execv(sys.executable, [sys.executable, "-P", "-m", PROXY, str(number), str(qemu)])
