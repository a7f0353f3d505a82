"""What hears the conversations that are passed on."""

from __future__ import annotations

from typing import Any

from zope.interface import Interface

from txqmp.journal.record import Direction


class ITap(Interface):
    """
    Hears a conversation.

    ``opened`` comes first, ``closed`` last, each once. Nothing should raise: a tap that does
    is told nothing more, while the conversation goes on.
    """

    def opened() -> None:
        """A client is there; the monitor is not yet."""

    def to_monitor(data: bytes, descriptors: int = 0) -> None:
        """
        The client said this, and it was passed on.

        :param descriptors: how many file descriptors came with the first byte.
        """

    def to_client(data: bytes, descriptors: int = 0) -> None:
        """The monitor said this, and it was passed on."""

    def fault(
        way: Direction,
        fields: dict[str, Any],
        of_last: bool = False,
        withheld: bytes = b"",
        delivered: int = 0,
    ) -> None:
        """
        Something was done to the conversation on purpose.

        :param way: which way what it was done to was going.
        :param fields: what was done, and to what.
        :param of_last: it was done to the message that was heard last; a command did not reach
            the monitor.
        :param withheld: what the monitor said and the client did not get, or not all of it.
        :param delivered: how many bytes of that it got, or of what the monitor did not say.
        """

    def verdict(fields: dict[str, Any], raw: bytes = b"", sent: bool = True) -> None:
        """
        A policy has judged a command.

        :param fields: what it made of it, and of which command.
        :param raw: its bytes, where it is what was heard last.
        :param sent: False if those did not reach the monitor.
        """

    def closed(reason: str, ended_by: str, ending: str = "") -> None:
        """
        It is over.

        :param reason: why, in words.
        :param ended_by: ``client``, ``monitor`` or ``proxy``.
        :param ending: how the machine ended, in one word, where that is known.
        """
