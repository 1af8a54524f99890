"""What a model gives: a class with probabilities, a number, or tensors of which nothing more is known.

Knows the manifest's words for it, no framework. Invariant: `classes` are texts in the order of the
probabilities, spelt as the ONNX model's own label output spells them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ArgumentError


@dataclass(frozen=True)
class Output:
    """`kind` is `label`, `number`, `parts` or `tensors`; `label` and `probabilities` name outputs of the ONNX model."""

    kind: str
    label: str = ""
    probabilities: str | None = None
    classes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    number: str = ""
    title: str = ""
    parts: tuple[tuple[str, str], ...] = ()
    """Outputs that are more than values, with their kinds."""

    def as_manifest(self) -> dict[str, Any]:
        if self.kind == "label":
            written: dict[str, Any] = {"kind": "label", "label": self.label}
            if self.probabilities:
                written["probabilities"] = self.probabilities
            written["classes"] = list(self.classes)
            if self.labels:
                written["labels"] = list(self.labels)
            return written
        if self.kind == "number":
            titled = {"title": self.title} if self.title else {}
            return {"kind": "number", "output": self.number, **titled}
        if self.kind == "parts":
            return {"kind": "parts", "parts": [{"name": name, "kind": kind} for name, kind in self.parts]}
        return {"kind": "tensors"}

    def name_of(self, label: str) -> str:
        """What people call this class of the model."""
        if self.labels and label in self.classes:
            return self.labels[self.classes.index(label)]
        return label


def class_text(value: Any) -> str:
    """A class as text: a whole number without a point, whether it came as an integer, a float or a truth value."""
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, (bool, float)) and float(plain).is_integer():
        return str(int(plain))
    return plain.decode() if isinstance(plain, bytes) else str(plain)


def names_for(classes: Sequence[str], labels: Sequence[Any] | None, raw: Sequence[Any] = ()) -> tuple[str, ...]:
    """The people's names of the classes; none where they are the same. Truth values are named True and False."""
    if labels is None:
        spoken = tuple(str(value) for value in raw)
        return spoken if spoken in (("False", "True"), ("False",), ("True",)) else ()
    if len(labels) != len(classes):
        raise ArgumentError(
            f"there are {len(labels)} labels and the model has {len(classes)} classes: {', '.join(classes[:10])}",
            hint="give one label for each class, in the order of the model's `classes_`",
        )
    named = tuple(str(label) for label in labels)
    return () if named == tuple(classes) else named
