"""LightGBM: telling its models, keeping them as text, which holds no code, and their converter.

Knows lightgbm and onnxmltools; imports them only where a model of theirs is at hand. Invariant: a model given is
never changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FILE = "model.txt"


def is_model(model: Any) -> bool:
    """Whether this is a model of LightGBM with scikit-learn's interface."""
    lightgbm = sys.modules.get("lightgbm")
    return lightgbm is not None and isinstance(model, lightgbm.LGBMModel)


def is_booster(model: Any) -> bool:
    """Whether this is a bare `lightgbm.Booster`."""
    lightgbm = sys.modules.get("lightgbm")
    return lightgbm is not None and isinstance(model, lightgbm.Booster)


class BoosterModel:
    """A booster that answers classes as the classifier did that it was made from; a regression answers numbers."""

    def __init__(self, booster: Any, classes: Sequence[Any] | None = None) -> None:
        self.booster = self.reenact_original = booster
        objective = str(booster.params.get("objective", "") or _objective(booster))
        self.reenact_kind = "label" if objective.startswith(("binary", "multiclass")) else "number"
        if self.reenact_kind == "label":
            n_classes = max(2, booster.num_model_per_iteration())
            self.classes_ = tuple(classes) if classes else tuple(range(n_classes))
            self.predict_proba = self._probabilities

    def predict(self, rows: Any) -> Any:
        import numpy as np

        if self.reenact_kind == "number":
            return self.booster.predict(rows)
        return np.asarray(self.classes_)[self._probabilities(rows).argmax(axis=1)]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return dict(self.booster.params)

    def _probabilities(self, rows: Any) -> Any:
        import numpy as np

        given = np.asarray(self.booster.predict(rows))
        return given if given.ndim == 2 else np.column_stack([1.0 - given, given])


def save(model: Any, folder: Path) -> str:
    """Writes the model as LightGBM's own text; returns the file's name."""
    booster = model if is_booster(model) else getattr(model, "booster", None) or model.booster_
    booster.save_model(folder / FILE)
    return FILE


def load(path: Path, classes: Sequence[Any] | None) -> BoosterModel:
    """The model again."""
    import lightgbm

    return BoosterModel(lightgbm.Booster(model_file=path), classes)


def booster_to_onnx(model: BoosterModel, n_columns: int) -> bytes:
    """A bare booster as ONNX; takes float32 rows in the one input `X`."""
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    types = [("X", FloatTensorType([None, n_columns]))]
    onnx = convert_lightgbm(model.booster, name="LightGBM", initial_types=types, zipmap=False)
    content: bytes = onnx.SerializeToString(deterministic=True)
    return content


def register() -> None:
    """Makes skl2onnx convert LightGBM's models wherever they stand, if lightgbm is in use."""
    lightgbm = sys.modules.get("lightgbm")
    if lightgbm is None:
        return
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    update_registered_converter(
        lightgbm.LGBMClassifier,
        "LGBMClassifier",
        calculate_linear_classifier_output_shapes,
        convert_lightgbm,
        options=options,
    )
    update_registered_converter(
        lightgbm.LGBMRegressor,
        "LGBMRegressor",
        calculate_linear_regressor_output_shapes,
        convert_lightgbm,
        options={"split": None},
    )


def _objective(booster: Any) -> str:
    """The objective of a booster that was read from text, whose parameters stand in that text."""
    text: str = booster.model_to_string(num_iteration=1)
    for line in text.splitlines():
        if line.startswith("objective="):
            return line.removeprefix("objective=")
    return ""
