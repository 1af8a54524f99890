"""Inputs and outputs that are more than values: files as bytes, tables and objects as JSON.

Knows the words of the schema, no server. Invariant: a file goes out and comes back with the same bytes.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import ArgumentError
from .handlers.described import FILES

_JSON = ("table", "boxes", "masks", "json")


def files(schema: Mapping[str, Any]) -> set[str]:
    """The names of the outputs that are files."""
    return {name for name, kind in _kinds(schema.get("output", {})).items() if kind in FILES}


def inputs(rows: Sequence[Any], schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One tensor for each input from rows that hold a value for each, or the only one itself."""
    specified, kinds = schema["inputs"], _kinds(schema["input"])
    listed = [_row(row, specified, kinds) for row in rows]
    tensors = []
    for index, tensor in enumerate(specified):
        values = [_value(row[index], tensor["name"], kinds[tensor["name"]]) for row in listed]
        lengths = {len(value) for value in values} if len(tensor["shape"]) > 1 else set()
        tensors.append({**tensor, "shape": [len(values), *lengths], "values": values})
    return tensors


def answer(given: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """The outputs of one row, what is JSON as plain values; the only one itself."""
    kinds = _kinds(schema.get("output", {}))
    found = {name: _read(value, kinds.get(name)) for name, value in given.items()}
    return next(iter(found.values())) if len(found) == 1 else found


def _kinds(view: Mapping[str, Any]) -> dict[str, str]:
    return {part["name"]: part["kind"] for part in view.get("parts", ())}


def _row(row: Any, specified: Sequence[Any], kinds: Mapping[str, str]) -> Sequence[Any]:
    names = [tensor["name"] for tensor in specified]
    if isinstance(row, Mapping) and set(row) == set(names):
        return [row[name] for name in names]
    if len(specified) == 1:
        is_boxed = isinstance(row, (list, tuple)) and len(row) == 1 and kinds[names[0]] != "series"
        return row if is_boxed else [row]
    if not isinstance(row, (list, tuple)) or len(row) != len(specified):
        raise ArgumentError(
            f"a row holds no value for each of {', '.join(f'`{name}`' for name in names[:10])}",
            hint="give each row as a list of its inputs in that order, or as a dictionary by name",
        )
    return row


def _value(value: Any, name: str, kind: str) -> Any:
    if kind in FILES:
        return file_bytes(value, name)
    if kind == "series":
        return list(value)
    if kind == "json" and not isinstance(value, str):
        return json.dumps(value)
    if kind == "table" and hasattr(value, "to_csv"):
        return value.to_csv(index=False)
    return value


def file_bytes(value: Any, name: str) -> bytes:
    """The bytes of a file that is given as such, by its path, or as a picture of Pillow."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (str, os.PathLike)):
        return Path(value).read_bytes()
    if hasattr(value, "save") and hasattr(value, "getbands"):
        file = io.BytesIO()
        value.save(file, "PNG")
        return file.getvalue()
    raise ArgumentError(f"`{name}` is a {type(value).__name__}", hint="give bytes, a path, or an image of Pillow")


def _read(value: Any, kind: str | None) -> Any:
    if kind in _JSON or (kind == "label" and value.startswith("{")):
        return json.loads(value)
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
