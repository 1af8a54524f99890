"""Receipts: what a server signed of an answer.

Knows the envelope's form and checks nothing: `reenact receipt verify` does. Invariant: `text` is what the server sent,
byte for byte, and that is what `save` writes.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Receipt:
    """A signed statement of which model answered what to which rows."""

    text: str

    @property
    def statement(self) -> dict[str, Any]:
        """What is stated. The signature is checked by `reenact receipt verify`, not here."""
        envelope = json.loads(self.text)
        statement: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
        return statement

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes it to a file, for `reenact receipt verify`."""
        Path(path).write_text(self.text + "\n", encoding="utf-8")
        return Path(path)


class Answered(NamedTuple):
    """An answer with its receipt."""

    predictions: Any
    receipt: Receipt
