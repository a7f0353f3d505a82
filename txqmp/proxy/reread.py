"""Whether a record's fields are what its bytes say: they are decoded once more."""

from __future__ import annotations

from txqmp.journal.record import Kind, Record
from txqmp.proxy.decode import JSONDecoder, TextDecoder

_DECODED = frozenset(
    [
        Kind.GREETING,
        Kind.COMMAND,
        Kind.OUTPUT,
        Kind.SUCCESS,
        Kind.FAILURE,
        Kind.REJECTION,
        Kind.EVENT,
    ]
)


def disagreement(record: Record) -> str:
    """
    Decode a record's raw bytes again.

    :returns: where its fields are not what the bytes say; empty if they are, or if that cannot be
        told, since something was taken out or was never decoded.
    """
    raw, way, fields = record.raw, record.direction, record.fields
    if raw is None or way is None or record.kind not in _DECODED:
        return ""
    if "redacted" in fields or "problem" in fields:
        return ""
    decoder: TextDecoder | JSONDecoder
    if record.dialect == "json":
        decoder = JSONDecoder()
    elif record.dialect == "text":
        decoder = TextDecoder(greeted=record.kind is not Kind.GREETING)
    else:
        return ""
    messages = [message for message, _ in decoder.feed(way, raw)]
    messages += decoder.finish(way)
    if len(messages) != 1:
        return f"raw is {len(messages)} messages"
    (message,) = messages
    if message.kind is not record.kind:
        return f"raw is no {record.kind.value}"
    for name, value in message.fields.items():
        if name not in fields or fields[name] != value:
            return f"raw says otherwise of {name}"
    return ""
