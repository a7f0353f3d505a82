"""What holds messages up to a policy needs of it."""

from __future__ import annotations

from zope.interface import Interface

from txqmp.journal.record import Dialect
from txqmp.policy.request import Client
from txqmp.policy.verdict import Message, Verdict


class IJudge(Interface):
    """
    Judges the messages of clients, before they are sent on.

    What stands between a client and a monitor asks for a verdict on each message, on the exact
    bytes that it would send on: one JSON value, or one line. It sends on nothing that was not
    judged; what is no message (a value that is too long, a piece of junk) it never sends on.

    What cannot be sent on at all is denied by ``unreadable``.

    * A verdict that is ``denied`` means that the message is not sent. The client is answered in
      its place, with ``reply_reason`` in a ``GenericError`` or behind ``- ERR``.
    * Else the message waits for ``wait`` seconds, and those behind it wait with it.
    * ``fields()`` go into the journal, in a record that comes after that of the command.
    """

    def judge(client: Client, dialect: Dialect, message: Message, /) -> Verdict:
        """
        Judge a message.

        :param client: made of the peer when the connection was.
        """

    def unreadable(problem: str) -> Verdict:
        """
        Deny what is no message, or is too long to be judged.

        :param problem: what is wrong with it.
        """
