"""Pictures as examples: files, paths and images of Pillow, opened here as a worker opens them.

Knows no model. Invariant: what `preprocess` is given here it is given on the server, byte for byte.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

from .. import _parts
from ..bundle import Request
from ..errors import ArgumentError
from . import described

NAME = "picture"
"""Of the input."""
_OPENED = '"PIL.Image.Image"'
_ARRAY = '"numpy.ndarray"'
"""Hints by which a worker knows how to open a picture; texts, so that nothing is imported for them."""


def are_given(request: Request) -> bool:
    """Whether the examples are whole pictures, and not rows of pixels."""
    picture, example = request.picture, request.example
    if picture is None or any(said is not None for said in (picture.shape, picture.black, picture.white)):
        return False
    return isinstance(example, (list, tuple)) and len(example) > 0 and all(map(_is_picture, example))


def files_of(example: Sequence[Any]) -> list[bytes]:
    """The file of each picture."""
    return [_parts.file_bytes(value, NAME) for value in example]


def hint_for(preprocess: Callable[..., Any]) -> str | None:
    """How the function wants a picture: opened by Pillow unless its own hint says an array, or the file's bytes."""
    hint = next(iter(described.hints_of(preprocess).values()), None)
    if hint is bytes:
        return None
    return _ARRAY if getattr(hint, "__name__", "") == "ndarray" else _OPENED


def prepared(preprocess: Callable[..., Any], files: Sequence[bytes]) -> Any:
    """What the function makes of each picture, as one array."""
    import numpy as np

    hint = hint_for(preprocess)
    return np.stack([np.asarray(preprocess(_opened(file, hint))) for file in files])


def _opened(file: bytes, hint: str | None) -> Any:
    if hint is None:
        return file
    try:
        from PIL import Image
    except ImportError as error:
        what = "pictures are opened by Pillow, which is not installed"
        raise ArgumentError(what, hint="`pip install pillow`") from error
    picture = Image.open(io.BytesIO(file))
    picture.load()
    if hint == _OPENED:
        return picture
    import numpy as np

    return np.asarray(picture.convert("RGB"))


def _is_picture(value: Any) -> bool:
    is_file = isinstance(value, (bytes, bytearray, str, PathLike))
    return is_file or (hasattr(value, "save") and hasattr(value, "getbands"))
