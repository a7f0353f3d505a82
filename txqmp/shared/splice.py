"""
What a monitor said, for another reader: with that one's id in the place of ours.

Nothing else is touched, so that nothing is lost: no digit of a number, no order of members.
"""

from __future__ import annotations

from txqmp.jsonqmp import grammar
from txqmp.jsonqmp.grammar import ABSENT, Absent, JSONValue, Success
from txqmp.shared.connection import Answer


def one_line(raw: bytes) -> bytes:
    """A message without white space around it, and without line ends, which QEMU can print."""
    # There are none inside of strings.
    return raw.strip().replace(b"\r", b" ").replace(b"\n", b" ")


def with_id(answer: Answer, id: JSONValue | Absent) -> bytes:
    """
    Write an answer with an id, or without one.

    QEMU writes the id of a success last and that of an error first, with its spaces; what is
    written otherwise is written anew.
    """
    raw, message = one_line(answer.raw), answer.message
    echo = b"" if id is ABSENT else b'"id": ' + grammar.write_value(id)
    assert isinstance(message.id, int)
    tail, head = b', "id": %d}' % message.id, b'{"id": %d, ' % message.id
    if raw.endswith(tail):
        return raw[: -len(tail)] + (b", " + echo if echo else b"") + b"}"
    if raw.startswith(head):
        return b"{" + (echo + b", " if echo else b"") + raw[len(head) :]
    if isinstance(message, Success):
        return grammar.write_success(message.value, id)
    return grammar.write_failure(message.error_class, message.description, id)
