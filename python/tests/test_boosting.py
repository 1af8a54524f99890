"""XGBoost and LightGBM: converted, proven, kept in their own safe formats, read back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from reenact import ConversionError
from reenact.convert import Wishes, convert, lightgbm, xgboost
from reenact.convert.onnx_model import OnnxModel

xgb = pytest.importorskip("xgboost")
lgb = pytest.importorskip("lightgbm")

SMALL = {"n_estimators": 20, "n_jobs": 1}


def classifiers() -> list[object]:
    return [xgb.XGBClassifier(**SMALL), lgb.LGBMClassifier(verbose=-1, **SMALL)]


def regressors() -> list[object]:
    return [xgb.XGBRegressor(**SMALL), lgb.LGBMRegressor(verbose=-1, **SMALL)]


@pytest.mark.parametrize("model", classifiers(), ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("is_named", [False, True], ids=["array", "frame"])
@pytest.mark.parametrize("is_in_pipeline", [False, True], ids=["alone", "pipeline"])
def test_a_classifier_is_proven(iris, model, is_named, is_in_pipeline):
    rows, classes = iris
    given = pd.DataFrame(rows, columns=["sepal length", "b", "c", "d"]) if is_named else rows
    fitted = (make_pipeline(StandardScaler(), model) if is_in_pipeline else model).fit(given, classes)
    converted = convert(fitted, given[::30], Wishes())
    assert converted.proof.equal_labels == converted.proof.n_rows
    assert "onnxmltools" in converted.tool
    given_by_onnx = OnnxModel(converted.content).run(given)[converted.output.probabilities]
    assert np.abs(given_by_onnx - fitted.predict_proba(given)).max() < 1e-5
    if is_named and not is_in_pipeline and hasattr(fitted, "get_booster"):
        assert fitted.get_booster().feature_names[0] == "sepal length", "the caller's model was changed"


@pytest.mark.parametrize("model", regressors(), ids=lambda model: type(model).__name__)
def test_a_regressor_is_proven(diabetes, model):
    rows, numbers = diabetes
    converted = convert(model.fit(rows, numbers), rows[:5], Wishes())
    assert converted.output.kind == "number"
    assert converted.proof.largest_difference <= converted.proof.tolerance


def test_a_wrong_conversion_of_parallel_trees_is_refused(iris):
    rows, classes = iris
    with pytest.raises(ConversionError, match="does not agree"):
        convert(xgb.XGBRFClassifier(**SMALL).fit(rows, classes), rows[::30], Wishes())


def test_xgboost_is_kept_and_read_back(iris, tmp_path):
    rows, classes = iris
    model = xgb.XGBClassifier(**SMALL).fit(rows, classes)
    path = tmp_path / xgboost.save(model, tmp_path)
    again = xgboost.load(path, "xgboost.XGBClassifier")
    assert np.array_equal(again.predict_proba(rows), model.predict_proba(rows))
    assert isinstance(xgboost.load(path, "os.system"), xgb.Booster)


def test_lightgbm_is_kept_and_read_back(iris, tmp_path):
    rows, classes = iris
    names = np.array(["a", "b", "c"])[classes]
    model = lgb.LGBMClassifier(verbose=-1, **SMALL).fit(rows, names)
    again = lightgbm.load(tmp_path / lightgbm.save(model, tmp_path), ["a", "b", "c"])
    assert list(again.predict(rows)) == list(model.predict(rows))
    assert np.allclose(again.predict_proba(rows), model.predict_proba(rows))


@pytest.mark.parametrize("framework", ["xgboost", "lightgbm"])
def test_a_bare_booster_is_converted_like_its_classifier(iris, framework):
    from reenact.bundle import _with_interface

    rows, classes = iris
    rows, classes = rows[:100], classes[:100]
    if framework == "xgboost":
        booster = xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(rows, classes), num_boost_round=5)
    else:
        booster = lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(rows, classes), num_boost_round=5)
    converted = convert(_with_interface(booster), rows[::20], Wishes())
    assert converted.output.classes == ("0", "1")
    assert converted.original.startswith(framework)
