"""Tensors on the wire: rows to the binary form of the Open Inference Protocol and back.

Uses numpy where it is there and plain lists where it is not. Invariant: bytes are little-endian and row-major,
and as many as datatype and shape call for.
"""

from __future__ import annotations

import json
import struct
import sys
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from .errors import ArgumentError, EndpointError

_NUMPY = {"BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"} | {
    f"{sign}INT{8 * size}": f"<{'u' if sign else 'i'}{size}" for sign in ("", "U") for size in (1, 2, 4, 8)
}
_ARRAY = {
    "BOOL": "b",
    "FP32": "f",
    "FP64": "d",
    **dict(zip(("INT8", "INT16", "INT32", "INT64"), "bhiq", strict=True)),
    **dict(zip(("UINT8", "UINT16", "UINT32", "UINT64"), "BHIQ", strict=True)),
}


def has_numpy() -> bool:
    try:
        import numpy  # noqa: F401
    except ImportError:
        return False
    return True


def request(inputs: Sequence[Mapping[str, Any]], outputs: Sequence[str]) -> tuple[bytes, int]:
    """The body of an inference request, and how many of its bytes are JSON.

    Each input has `name`, `datatype`, `shape` and `values`: what `values_of` gave for it.
    """
    described, blobs = [], []
    for tensor in inputs:
        blob = _encode(tensor["values"], tensor["datatype"])
        blobs.append(blob)
        described.append(
            {
                "name": tensor["name"],
                "datatype": tensor["datatype"],
                "shape": list(tensor["shape"]),
                "parameters": {"binary_data_size": len(blob)},
            }
        )
    wanted = [{"name": name, "parameters": {"binary_data": True}} for name in outputs]
    head = json.dumps({"inputs": described, "outputs": wanted}, separators=(",", ":")).encode()
    return head + b"".join(blobs), len(head)


def answer(body: bytes, n_json_bytes: int | None, files: Collection[str] = ()) -> dict[str, Any]:
    """Each output by name: an array in its shape, or nested lists where there is no numpy; `files` as bytes."""
    head = json.loads(body[:n_json_bytes])
    at = len(body) if n_json_bytes is None else n_json_bytes
    found = {}
    for output in head.get("outputs", ()):
        n_bytes = (output.get("parameters") or {}).get("binary_data_size")
        if n_bytes is None:
            flat = output["data"]
        else:
            flat = _decode(body[at : at + n_bytes], "FILES" if output["name"] in files else output["datatype"])
            at += n_bytes
        found[output["name"]] = _shaped(flat, output["shape"])
    return found


def values_of(rows: Any) -> Any:
    """Rows of numbers as an array, or as plain lists where there is no numpy."""
    if has_numpy():
        import numpy as np

        return np.asarray(rows)
    return rows.tolist() if hasattr(rows, "tolist") else [list(row) for row in rows]


def shape_of(values: Any) -> tuple[int, ...]:
    """The lengths of the dimensions, first the number of rows."""
    if hasattr(values, "shape"):
        return tuple(int(length) for length in values.shape)
    lengths = []
    while isinstance(values, (list, tuple)):
        lengths.append(len(values))
        values = values[0] if values else None
    return tuple(lengths)


def plain_list(values: Any) -> Any:
    """An array as nested lists."""
    return values.tolist() if hasattr(values, "tolist") else values


def _encode(values: Any, datatype: str) -> bytes:
    if datatype == "BYTES":
        values = plain_list(values)
        texts = (value if isinstance(value, bytes) else str(value).encode() for value in _flat(values))
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    try:
        if has_numpy():
            import numpy as np

            encoded: bytes = np.ascontiguousarray(np.asarray(values).astype(_NUMPY[datatype])).tobytes()
            return encoded
        packed = array(_ARRAY[datatype], _flat(values))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ArgumentError(
            f"the rows do not fit the model's datatype `{datatype}`: {error}",
            hint="give numbers where the model takes numbers; `endpoint.schema` names each input and its type",
        ) from error
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _decode(blob: bytes, datatype: str) -> Any:
    if datatype in ("BYTES", "FILES"):
        elements: list[Any] = []
        at = 0
        while at < len(blob):
            (length,) = struct.unpack_from("<I", blob, at)
            element = blob[at + 4 : at + 4 + length]
            elements.append(element if datatype == "FILES" else element.decode())
            at += 4 + length
        return elements
    if has_numpy():
        import numpy as np

        return np.frombuffer(blob, dtype=_NUMPY[datatype])
    unpacked = array(_ARRAY[datatype])
    unpacked.frombytes(blob)
    if sys.byteorder == "big":
        unpacked.byteswap()
    return list(unpacked)


def _shaped(flat: Any, shape: Sequence[int]) -> Any:
    if has_numpy():
        import numpy as np

        values = np.asarray(flat, dtype=object) if len(flat) and isinstance(flat[0], (str, bytes)) else np.asarray(flat)
        return values.reshape(shape)
    nested: list[Any] = list(flat)
    for length in reversed(shape[1:]):
        if length == 0:
            raise EndpointError(f"an output has shape {list(shape)}", hint="ask the owner of the model")
        nested = [nested[at : at + length] for at in range(0, len(nested), length)]
    return nested


def _flat(values: Any) -> Iterable[Any]:
    while isinstance(values, (list, tuple)) and values and isinstance(values[0], (list, tuple)):
        values = list(chain.from_iterable(values))
    return values if isinstance(values, (list, tuple)) else [values]
