"""scikit-learn to ONNX, through skl2onnx; XGBoost and LightGBM too, alone or as steps of a pipeline.

Knows skl2onnx and its traps; proves nothing. Invariant: the estimator given is never changed.
"""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..errors import ConversionError
from . import lightgbm, xgboost
from .estimator import public_name
from .schema import Column

OPSET = {"": 21, "ai.onnx.ml": 3}
"""Written by skl2onnx 1.17 and later, read by ONNX Runtime 1.20 and later."""


@dataclass(frozen=True)
class Variant:
    """A way to convert: fractions go in as `numbers`, whole numbers and truth values as they are or as that too.

    Trees compare float32 values: where steps before them compute, they do so in float64, and `is_cast` rounds
    afterwards, before the last step.
    """

    numbers: str
    is_cast: bool = False
    has_integers: bool = True

    def datatype(self, column: Column) -> str:
        if column.datatype == "FP32" or (column.datatype in ("INT64", "BOOL") and not self.has_integers):
            return self.numbers
        return column.datatype


SIMPLEST = Variant("FP32")
"""The way whose failure says most."""


def variants(model: Any) -> tuple[Variant, ...]:
    """The ways to try, in this order; the first proven one is pushed."""
    double = Variant("FP64")
    cast, cast_all = Variant("FP64", is_cast=True), Variant("FP64", is_cast=True, has_integers=False)
    steps = list(_steps(model))
    is_tree_behind_steps = len(steps) > 1 and _TREES.search(type(steps[-1]).__name__) is not None
    return (cast, cast_all, SIMPLEST, double) if is_tree_behind_steps else (SIMPLEST, double, cast, cast_all)


_TREES = re.compile(r"Tree|Forest|Boost|XGB|LGBM")


def tool(model: Any) -> str:
    """The converters used and their versions."""
    if not any(module in type(step).__module__ for step in _steps(model) for module in ("xgboost", "lightgbm")):
        return f"skl2onnx {_skl2onnx().__version__}"
    import onnxmltools

    return f"skl2onnx {_skl2onnx().__version__} with onnxmltools {onnxmltools.__version__}"


def to_onnx(model: Any, columns: Sequence[Column], variant: Variant, *, is_separate: bool) -> bytes:
    """The model as ONNX; raises `ConversionError` with the converter's reason."""
    skl2onnx = _skl2onnx()
    xgboost.register()
    lightgbm.register()
    try:
        with warnings.catch_warnings(), _integers_in_trees():
            warnings.simplefilter("ignore")
            if isinstance(model, lightgbm.BoosterModel):
                return lightgbm.booster_to_onnx(model, len(columns))
            prepared = _prepared(model, variant)
            inputs = _inputs(columns, variant, is_separate)
            return _converted(skl2onnx, prepared, inputs)
    except ConversionError:
        raise
    except Exception as error:  # skl2onnx raises whatever its converters do.
        raise ConversionError(
            f"skl2onnx cannot convert `{public_name(model)}`: {_reason(error)}",
            hint="push the original alone with `convert=False`: it will be shown, but not served yet",
        ) from None  # Its own text can be a hundred pages of attributes.


def needs_separate_inputs(model: Any, columns: Sequence[Column], *, is_frame: bool) -> bool:
    """Whether the model takes its columns by name: then it gets one input for each."""
    if not is_frame:
        return False
    has_text = any(column.datatype == "BYTES" for column in columns)
    return has_text or any(type(step).__name__ == "ColumnTransformer" for step in _steps(model))


def _converted(skl2onnx: Any, prepared: Any, inputs: list[tuple[str, Any]]) -> bytes:
    def convert(options: dict[int, Any] | None) -> bytes:
        onnx = skl2onnx.to_onnx(prepared, initial_types=inputs, options=options, target_opset=OPSET)
        _name_inputs(onnx.graph, [name for name, _ in inputs])
        content: bytes = onnx.SerializeToString(deterministic=True)
        return content

    try:
        return convert({id(prepared): {"zipmap": False}})
    except NameError as error:
        # Not every estimator has probabilities that could be zipped into maps.
        if "zipmap" not in str(error):
            raise
        return convert(None)


def _name_inputs(graph: Any, names: Sequence[str]) -> None:
    """Gives the inputs the columns' own names, in which skl2onnx replaces all but letters and digits."""
    changed = {tensor.name: name for tensor, name in zip(graph.input, names, strict=True) if tensor.name != name}
    taken = {name for node in graph.node for name in node.output} & set(changed.values())
    if taken:
        raise ConversionError(
            f"a column is called `{min(taken)}`, as a tensor within the converted model is", hint="rename the column"
        )
    for tensor, name in zip(graph.input, names, strict=True):
        tensor.name = name
    for node in graph.node:
        node.input[:] = [changed.get(name, name) for name in node.input]


def _inputs(columns: Sequence[Column], variant: Variant, is_separate: bool) -> list[tuple[str, Any]]:
    from skl2onnx.common import data_types

    types = {
        "FP32": data_types.FloatTensorType,
        "FP64": data_types.DoubleTensorType,
        "INT64": data_types.Int64TensorType,
        "BOOL": data_types.BooleanTensorType,
        "BYTES": data_types.StringTensorType,
    }
    if not is_separate:
        return [("X", types[variant.numbers]([None, len(columns)]))]
    return [(column.name, types[variant.datatype(column)]([None, 1])) for column in columns]


def _prepared(model: Any, variant: Variant) -> Any:
    """The estimator as skl2onnx wants it: the best one of a search, without what its converters trip over."""
    model = getattr(model, "best_estimator_", model)
    model = _with_last(model, lambda last: _plain_vote(xgboost.without_names(last)))
    return _cast_before_last(model) if variant.is_cast else model


def _plain_vote(model: Any) -> Any:
    """A voting classifier that keeps `transform` as skl2onnx knows it; `predict` is the same either way."""
    if type(model).__name__ != "VotingClassifier":
        return model
    voting = copy.copy(model)
    voting.flatten_transform = False
    return voting


def _with_last(model: Any, change: Callable[[Any], Any]) -> Any:
    if not hasattr(model, "steps"):
        return change(model)
    name, last = model.steps[-1]
    changed = change(last)
    return model if changed is last else type(model)([*model.steps[:-1], (name, changed)])


def _cast_before_last(model: Any) -> Any:
    import numpy as np
    from skl2onnx.sklapi import CastTransformer
    from sklearn.pipeline import Pipeline

    steps = list(model.steps) if hasattr(model, "steps") else [("model", model)]
    return Pipeline([*steps[:-1], ("cast", CastTransformer(dtype=np.float32)), steps[-1]])


def _steps(model: Any) -> Iterator[Any]:
    model = getattr(model, "best_estimator_", model)
    yield model
    for _, step in getattr(model, "steps", ()):
        yield from _steps(step)


@contextmanager
def _integers_in_trees() -> Iterator[None]:
    """Makes skl2onnx write plain integers for histogram gradient boosting.

    skl2onnx 1.20 mixes truth values and numpy integers into one attribute, which protobuf 6 and later refuses.
    """
    from skl2onnx.common import tree_ensemble

    original = tree_ensemble.add_node

    def add_node(*arguments: Any, **named: Any) -> Any:
        named = {key: _integer(value) for key, value in named.items()}
        return original(*map(_integer, arguments), **named)

    tree_ensemble.add_node = add_node
    try:
        yield
    finally:
        tree_ensemble.add_node = original


def _integer(value: Any) -> Any:
    import numpy as np

    return int(value) if isinstance(value, (bool, np.integer, np.bool_)) else value


def _reason(error: Exception) -> str:
    """The converter's words without the pages of attributes that may follow them."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = f" ({error.__cause__})" if error.__cause__ else ""
    return f"{type(error).__name__}: {lines[0][:300] if lines else ''}{cause}"


def _skl2onnx() -> Any:
    try:
        import skl2onnx
    except ImportError as error:
        raise ConversionError(
            "skl2onnx is not installed", hint="`pip install reenact[convert]` brings what conversion needs"
        ) from error
    return skl2onnx
