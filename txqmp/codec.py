"""
JSON, by orjson where it is installed and by the standard library otherwise.

It is chosen once, at import. Both give the same values and, but for one thing, the same bytes:
what orjson refuses, or would do otherwise, the standard library does.

- Reading: integers beyond 64 bits, which orjson makes floats of; numbers too large for a float,
  ``NaN`` and ``Infinity``, halves of surrogate pairs, which it refuses.
- Writing: ``NaN`` and ``Infinity``, which it writes as ``null``; what is not ASCII, and DEL,
  which it does not escape; integers beyond 64 bits, halves of surrogate pairs, keys that are
  not strings, named tuples, more than 254 levels, which it refuses.

What is left: orjson writes a small float in full (``0.00005``), the standard library with an
exponent (``5e-05``). It reads 1024 levels, the standard library as many as Python's stack has
left, less than 1000. And it writes an ``enum.Enum`` and a ``uuid.UUID``, which are no JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

__all__ = ["draft", "dumps", "is_final", "loads", "loads_or"]

_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
_decoder = json.JSONDecoder()
_fast_loads: Callable[[bytes], Any] | None = None
# An integer of 64 bits may have so many digits; one that has fewer fits.
_LONG = b"0" * 19
_DIGITS = bytes(0x30 if 0x30 <= byte <= 0x39 else 0 for byte in range(256))


def _stdlib_loads(data: bytes) -> Any:
    return _decoder.decode(data.decode("utf-8"))


def _stdlib_dumps(value: Any) -> bytes:
    return _encoder.encode(value).encode("ascii")


def loads_or(data: bytes, otherwise: Callable[[bytes], Any]) -> Any:
    """
    Read JSON by orjson.

    :param otherwise: reads what orjson refuses or would misread; everything, without it.
    """
    if _fast_loads is not None and not _has_long_number(data):
        try:
            return _fast_loads(data)
        except ValueError:
            pass
    return otherwise(data)


def _has_long_number(data: bytes) -> bool:
    # Of every sixth byte, 19 digits hold three in a row. To search for bytes with "in" costs an
    # exception that nobody sees.
    if data[::6].translate(_DIGITS).find(b"000") < 0:
        return False
    return data.translate(_DIGITS).find(_LONG) >= 0


def _orjson_loads(data: bytes) -> Any:
    return loads_or(data, _stdlib_loads)


def _orjson_draft(value: Any) -> bytes:
    try:
        return _fast_dumps(value, None, _OPTIONS)
    except TypeError:
        return _stdlib_dumps(value)


def _orjson_dumps(value: Any) -> bytes:
    data = _orjson_draft(value)
    return data if is_final(data) else _stdlib_dumps(value)


def is_final(draft: bytes) -> bool:
    """Whether a draft, or each of several in one, is certainly what :func:`dumps` gives."""
    return draft.isascii() and draft.find(b"\x7f") < 0 and draft.find(b"null") < 0


loads: Callable[[bytes], Any] = _stdlib_loads
"""
Read JSON.

:raises ValueError: if it is not JSON in UTF-8.
:raises RecursionError: if it is nested too deeply.
"""

dumps: Callable[[Any], bytes] = _stdlib_dumps
"""
Write JSON, compactly and in ASCII.

:raises ValueError: for a number that is not finite.
:raises TypeError: for what is not JSON.
:raises RecursionError: if it is nested too deeply, or holds itself.
"""

draft: Callable[[Any], bytes] = _stdlib_dumps
"""
Write JSON as :func:`dumps` does, but only to look at it: it may be wrong, see :func:`is_final`.
"""

try:
    import orjson
except ImportError:
    pass
else:
    _fast_loads = orjson.loads
    _fast_dumps = orjson.dumps
    _OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
    loads, dumps, draft = _orjson_loads, _orjson_dumps, _orjson_draft
