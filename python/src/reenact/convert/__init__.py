"""Conversion to ONNX with its proof: an estimator and example rows in, a proven model with its schema out.

Ties the parts together and knows no files and no server. Invariant: what `convert` returns has been asked the
same rows as the original and agreed with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ConversionError
from . import estimator, sklearn
from .estimator import Estimator
from .onnx_model import OnnxModel
from .output import Output, class_text, names_for
from .proof import Answers, Proof, Rows, prove, rows_to_ask
from .schema import Column, Hints, columns_of, is_frame, rows_of


@dataclass(frozen=True)
class Converted:
    """A proven ONNX model, the schema's two views, and where it came from."""

    content: bytes
    columns: tuple[Column, ...]
    output: Output
    proof: Proof
    original: str
    tool: str

    def as_manifest(self) -> dict[str, Any]:
        """The manifest's table `conversion`."""
        written: dict[str, Any] = {"from": self.original, "tool": self.tool, "rows": self.proof.n_rows}
        if self.proof.equal_labels is not None:
            written["equal_labels"] = self.proof.equal_labels
        return written | {
            "largest_difference": float(self.proof.largest_difference),
            "tolerance": float(self.proof.tolerance),
        }


@dataclass(frozen=True)
class Wishes:
    """What the caller wants of a conversion."""

    hints: Hints = field(default_factory=Hints)
    labels: Sequence[Any] | None = None
    output_title: str = ""
    tolerance: float = 1e-4


def convert(model: Any, example: Any, wishes: Wishes) -> Converted:
    """Tries the ways of converting in turn; the first that is proven is returned.

    `example` are rows as `model.predict` takes them. Raises `ConversionError` with what was wrong the simplest way.
    """
    rows = rows_of(example)
    original = estimator.of(model, rows)
    columns = columns_of(rows, wishes.hints, model=model)
    is_separate = sklearn.needs_separate_inputs(model, columns, is_frame=is_frame(rows))
    if not is_separate and any(column.datatype == "BYTES" for column in columns):
        raise ConversionError("text without a table cannot be converted", hint="push it with `convert=False`")
    data = None if wishes.hints.data is None else rows_of(wishes.hints.data)
    asked = rows_to_ask(rows, data, original)
    failures: dict[sklearn.Variant, ConversionError] = {}
    for variant in sklearn.variants(model):
        try:
            content = sklearn.to_onnx(model, columns, variant, is_separate=is_separate)
            return _proven(content, original, asked, columns, wishes)
        except ConversionError as error:
            failures[variant] = error
    raise failures[sklearn.SIMPLEST]


def _proven(content: bytes, original: Estimator, asked: Rows, columns: tuple[Column, ...], wishes: Wishes) -> Converted:
    onnx = OnnxModel(content)
    output = describe_output(onnx, original, wishes)
    proof = prove(original, _Asked(onnx, output), asked, tolerance=wishes.tolerance)
    return Converted(
        content=content,
        columns=_as_served(onnx, columns),
        output=output,
        proof=proof,
        original=estimator.public_name(original.model),
        tool=sklearn.tool(original.model),
    )


def describe_output(onnx: OnnxModel, original: Estimator, wishes: Wishes) -> Output:
    """The view of the model's outputs: skl2onnx writes the label or number first, then probabilities."""
    first, *others = onnx.outputs
    if original.kind == "number":
        return Output("number", number=first.name, title=wishes.output_title)
    if original.kind == "tensors":
        return Output("tensors")
    # The second output of a classifier without probabilities holds scores, which are none.
    probabilities = others[0].name if others and original.has_probabilities else None
    labels = names_for(original.classes, wishes.labels, original.raw_classes)
    return Output("label", label=first.name, probabilities=probabilities, classes=original.classes, labels=labels)


def _as_served(onnx: OnnxModel, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns with the types that the ONNX model takes them in."""
    if len(onnx.inputs) == 1:
        return tuple(replace(column, datatype=onnx.inputs[0].datatype) for column in columns)
    datatypes = {tensor.name: tensor.datatype for tensor in onnx.inputs}
    return tuple(replace(column, datatype=datatypes[column.name]) for column in columns)


@dataclass(frozen=True)
class _Asked:
    """An ONNX model that answers in the original's words."""

    onnx: OnnxModel
    output: Output

    def answers(self, rows: Any) -> Answers:
        import numpy as np

        given = self.onnx.run(rows)
        if self.output.kind != "label":
            numbers = next(iter(given.values()))
            return Answers(numbers=numbers if numbers.ndim > 1 and numbers.shape[1] > 1 else numbers.reshape(-1))
        labels = np.array([class_text(value) for value in given[self.output.label].reshape(-1)], dtype=object)
        return Answers(labels=labels, probabilities=given.get(self.output.probabilities or ""))
