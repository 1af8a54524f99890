"""XGBoost: telling its models, keeping them in its own safe format, and their converter.

Knows xgboost and onnxmltools; imports them only where a model of theirs is at hand. Invariant: a model given is
never changed.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

FILE = "model.ubj"


def is_model(model: Any) -> bool:
    """Whether this is a model of XGBoost with scikit-learn's interface."""
    xgboost = sys.modules.get("xgboost")
    return xgboost is not None and isinstance(model, xgboost.XGBModel)


def is_booster(model: Any) -> bool:
    """Whether this is a bare `xgboost.Booster`."""
    xgboost = sys.modules.get("xgboost")
    return xgboost is not None and isinstance(model, xgboost.Booster)


def from_booster(booster: Any) -> Any:
    """The booster with scikit-learn's interface: a classifier or a regressor, by its objective."""
    import xgboost

    configured = json.loads(booster.save_config())
    objective = configured["learner"]["objective"]["name"]
    is_classifier = objective.startswith(("binary:", "multi:"))
    model = xgboost.XGBClassifier() if is_classifier else xgboost.XGBRegressor()
    model.load_model(booster.save_raw("ubj"))
    return model


def save(model: Any, folder: Path) -> str:
    """Writes the model in XGBoost's own format, which holds no code; returns the file's name."""
    model.save_model(folder / FILE)
    return FILE


def load(path: Path, class_name: str) -> Any:
    """The model again: of the class named, where that is one of XGBoost's own, else a bare booster."""
    import xgboost

    known = ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker")
    name = class_name.rpartition(".")[2]
    model = getattr(xgboost, name)() if name in known else xgboost.Booster()
    model.load_model(path)
    return model


def without_names(model: Any) -> Any:
    """The same model without feature names, which the converter wants to be `f0`, `f1`, and so on."""
    if not is_model(model) or not model.get_booster().feature_names:
        return model
    bare = copy.copy(model)
    booster = model.get_booster().copy()
    booster.feature_names = None
    bare._Booster = booster
    return bare


def register() -> None:
    """Makes skl2onnx convert XGBoost's models wherever they stand, if xgboost is in use."""
    xgboost = sys.modules.get("xgboost")
    if xgboost is None:
        return
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    for name in ("XGBClassifier", "XGBRFClassifier"):
        update_registered_converter(
            getattr(xgboost, name), name, calculate_linear_classifier_output_shapes, convert_xgboost, options=options
        )
    for name in ("XGBRegressor", "XGBRFRegressor"):
        update_registered_converter(
            getattr(xgboost, name), name, calculate_linear_regressor_output_shapes, convert_xgboost
        )
