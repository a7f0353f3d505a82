"""
Telling at a glance that there is nothing to hide: most records have none of the letters.

It is a sieve before :mod:`~txqmp.journal.redact`, which looks into whatever is held back here.
"""

from __future__ import annotations

from collections.abc import Iterable

from txqmp import codec
from txqmp.journal.record import Kind, Record

# Without one of these no rule of `confidential` finds anything in ASCII, be it JSON or not;
# in lower case, with - for _, and = for @ and \, behind which anything may be written.
_STEMS = (
    *(b"=", b"pas", b"pw", b"psk", b"secret", b"cookie", b"credential", b"key", b"b64"),
    *(b"token", b"ticket", b"authoriz", b"vnc", b"value", b"qom", b"object", b"-data"),
    b"parameter",
)
_PLAIN = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_@\\", b"abcdefghijklmnopqrstuvwxyz-==")
_REMEMBERED = 4096
_SHORT = 256  # bytes


class Sieve:
    """Tells records that are harmless; it remembers what it has seen, for monitors repeat it."""

    def __init__(self) -> None:
        self._harmless: set[bytes] = set()

    def passes(self, records: Iterable[Record]) -> bool:
        """
        Whether there is certainly nothing to hide in any of some records.

        It says nothing of one for which the answer is no.
        """
        pieces: set[bytes] = set()
        for record in records:
            if record.sensitive or record.kind is Kind.UNDECODED:
                return False
            try:
                pieces.add(codec.dumps(record.fields))
            except (ValueError, TypeError, RecursionError):
                return False
            if record.raw is not None:
                pieces.add(record.raw)
        pieces -= self._harmless
        if not pieces:
            return True
        if not is_harmless(b"\n".join(pieces)):
            return False
        if len(self._harmless) > _REMEMBERED:
            self._harmless.clear()
        self._harmless.update(piece for piece in pieces if len(piece) <= _SHORT)
        return True


def is_harmless(data: bytes) -> bool:
    """Whether there is certainly nothing to hide in a message."""
    if not data.isascii():
        return False
    plain = data.translate(_PLAIN)
    return not any(stem in plain for stem in _STEMS)
