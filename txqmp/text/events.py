"""How events are called in QMP 0.1 (section 3.3.4; "Events" in the interpretation)."""

from __future__ import annotations

_RENAMED = {"RESET": "reboot", "RESUME": "cont"}
_ALIASES = {json.lower(): text for json, text in _RENAMED.items()}


def canonical(name: str) -> str:
    """
    Name an event as the text protocol does, from either dialect: names ignore case (rule 7),
    ``reset`` is ``reboot`` and ``resume`` is ``cont``.
    """
    lowered = name.lower()
    return _ALIASES.get(lowered, lowered)


def from_json(name: str) -> str:
    """Name an event of JSON QMP in the text protocol: ``RESET`` is ``reboot``."""
    return _RENAMED.get(name, name.lower())
