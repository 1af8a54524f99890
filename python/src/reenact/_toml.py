"""TOML: reads with the standard library, writes the few shapes that this package needs.

Knows nothing of manifests or credentials. Invariant: what `dumps` writes, `loads` reads back as the same
values. Tables inside lists are written inline, one to a line, so that a schema reads as a table.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


def loads(text: str) -> dict[str, Any]:
    """The document as plain values; raises `ValueError` where it is not TOML."""
    document: dict[str, Any] = tomllib.loads(text)
    return document


def dumps(document: Mapping[str, Any]) -> str:
    """The document as text: plain values first, then tables, in the order given."""
    lines: list[str] = []
    _write_table(lines, (), document)
    return "\n".join(lines).strip("\n") + "\n"


def _write_table(lines: list[str], path: tuple[str, ...], table: Mapping[str, Any]) -> None:
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    nested = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    if path and (plain or not nested):
        lines += ["", f"[{'.'.join(map(_key, path))}]"]
    lines += [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    for key, value in nested.items():
        _write_table(lines, (*path, key), value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return _list(value)
    raise TypeError(f"`{type(value).__name__}` has no form in TOML")


def _list(values: list[Any] | tuple[Any, ...]) -> str:
    if any(isinstance(item, Mapping) for item in values):
        return "[\n" + "".join(f"  {_value(item)},\n" for item in values) + "]"
    return "[" + ", ".join(map(_value, values)) + "]"


def _number(value: float) -> str:
    if value != value:
        return "nan"
    if value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    return repr(float(value))


def _text(value: str) -> str:
    def escaped(character: str) -> str:
        if character in _ESCAPES:
            return _ESCAPES[character]
        is_control = ord(character) < 0x20 or ord(character) == 0x7F
        return f"\\u{ord(character):04x}" if is_control else character

    return '"' + "".join(map(escaped, value)) + '"'
