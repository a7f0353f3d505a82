"""
Telling at a glance that there is nothing to hide: most messages have none of the letters.

It is a sieve before :mod:`~txqmp.journal.redact`, which looks into whatever is held back here.
"""

from __future__ import annotations

# Without one of these no rule of `confidential` finds anything in ASCII, be it JSON or not; with
# - for _, and @ for \, behind which anything may be written.
_STEMS = [
    *("@", "pas", "pw", "psk", "secret", "cookie", "cred", "key", "b64", "token", "ticket"),
    *("authoriz", "vnc", "value", "qom", "object", "-data", "parameter"),
]
_PLAIN = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_\\", b"abcdefghijklmnopqrstuvwxyz-@")
# Where some letters are taken for the same, fewer stems are left to look for.
_ALIKE = str.maketrans("bqvno6cm4wd", "kkkeeeyyyst")
_FOLD = bytes(ord(chr(byte).translate(_ALIKE)) for byte in range(256))
_FOLDED = {stem.translate(_ALIKE) for stem in _STEMS}
_FEWER = [stem for stem in _FOLDED if not any(part in stem for part in _FOLDED - {stem})]


def is_harmless(data: bytes) -> bool:
    """Whether there is certainly nothing to hide in a message: in its JSON, or in its bytes."""
    if not data.isascii():
        return False
    plain = data.translate(_PLAIN)
    return _has_none(plain.translate(_FOLD), _FEWER) or _has_none(plain, _STEMS)


def _has_none(data: bytes, stems: list[str]) -> bool:
    text = data.decode("ascii")  # to search bytes with "in" is slow
    return not any(map(text.__contains__, stems))
