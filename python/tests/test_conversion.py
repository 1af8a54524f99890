"""Real estimators are converted and proven; what cannot be is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from reenact import ConversionError
from reenact.convert import Converted, Wishes, convert
from reenact.convert.onnx_model import OnnxModel
from reenact.convert.schema import Hints


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(n_estimators=20, random_state=0, n_jobs=1)


def labels_of(converted: Converted, rows: np.ndarray) -> list[str]:
    return [str(label) for label in OnnxModel(converted.content).run(rows)[converted.output.label]]


@pytest.fixture(scope="module")
def people() -> tuple[pd.DataFrame, np.ndarray]:
    chance = np.random.default_rng(0)
    n = 300
    frame = pd.DataFrame(
        {
            "age": chance.integers(18, 80, n),
            "yearly income": np.round(chance.normal(30_000, 10_000, n), 2),
            "city": chance.choice(["Bern", "Rome", "Oslo"], n),
            "smokes": chance.random(n) < 0.3,
        }
    )
    target = frame["age"] * 1000 + frame["yearly income"] + (frame["city"] == "Rome") * 9000 > 90_000
    return frame, target.to_numpy().astype(int)


def on_columns(last: object) -> object:
    numbers, texts = ["age", "yearly income", "smokes"], ["city"]
    steps = [("numbers", StandardScaler(), numbers), ("texts", OneHotEncoder(handle_unknown="ignore"), texts)]
    return make_pipeline(ColumnTransformer(steps), last)


def test_a_classifier_gives_labels_and_probabilities(iris):
    rows, classes = iris
    converted = convert(forest().fit(rows, classes), rows[::30], Wishes(labels=["setosa", "versicolor", "virginica"]))
    assert converted.output.classes == ("0", "1", "2")
    assert converted.output.labels == ("setosa", "versicolor", "virginica")
    assert converted.proof.equal_labels == converted.proof.n_rows > 5
    assert converted.proof.largest_difference < 1e-6
    assert labels_of(converted, rows) == [str(label) for label in forest().fit(rows, classes).predict(rows)]


def test_a_regressor_gives_a_number(diabetes):
    rows, numbers = diabetes
    converted = convert(LinearRegression().fit(rows, numbers), rows[:5], Wishes(output_title="progression"))
    assert (converted.output.kind, converted.output.title) == ("number", "progression")
    assert converted.proof.equal_labels is None
    assert 0 < converted.proof.largest_difference <= converted.proof.tolerance


@pytest.mark.parametrize("last", [LogisticRegression(), forest(), GradientBoostingRegressor(n_estimators=10)])
def test_a_pipeline_over_named_columns_gets_one_input_for_each(people, last):
    frame, classes = people
    model = on_columns(last).fit(frame, classes)
    converted = convert(model, frame[:8], Wishes())
    assert [column.name for column in converted.columns] == list(frame.columns)
    assert {tensor.name: tensor.shape for tensor in OnnxModel(converted.content).inputs}["city"] == (-1, 1)
    assert converted.columns[2].categories == ("Bern", "Oslo", "Rome")
    asked = OnnxModel(converted.content).run(frame)
    answers = asked[converted.output.label or converted.output.number].reshape(-1)
    assert np.allclose(answers, model.predict(frame), rtol=1e-5)


def test_steps_before_trees_compute_in_double_precision(iris):
    rows, classes = iris
    model = make_pipeline(StandardScaler(), RandomForestClassifier(random_state=0, n_jobs=1)).fit(rows, classes)
    converted = convert(model, rows[:5], Wishes())
    assert {column.datatype for column in converted.columns} == {"FP64"}
    given = OnnxModel(converted.content).run(rows)[converted.output.probabilities]
    assert np.abs(given - model.predict_proba(rows)).max() < 1e-6


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(max_iter=10),
        VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"),
        GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1.0, 2.0]}),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_the_converter_trips_over_is_converted_all_the_same(iris, model):
    rows, classes = iris
    converted = convert(model.fit(rows, classes), rows[::30], Wishes())
    assert converted.proof.equal_labels == converted.proof.n_rows


def test_scores_are_not_called_probabilities(iris):
    rows, classes = iris
    converted = convert(LinearSVC().fit(rows, classes), rows[:5], Wishes())
    assert converted.output.probabilities is None


@pytest.mark.parametrize(
    ("classes", "texts", "labels"),
    [
        (np.array([False, True]), ("0", "1"), ("False", "True")),
        (np.array([1.0, 2.0]), ("1", "2"), ("1.0", "2.0")),
        (np.array(["no", "yes"]), ("no", "yes"), ()),
    ],
)
def test_classes_are_spelt_as_the_onnx_model_spells_them(iris, classes, texts, labels):
    rows, numbers = iris
    model = LogisticRegression(max_iter=500).fit(rows[:100], classes[numbers[:100]])
    converted = convert(model, rows[:100:20], Wishes())
    assert converted.output.classes == texts
    assert set(labels_of(converted, rows)) <= set(texts)
    if labels != ("1.0", "2.0"):
        assert converted.output.labels == labels


def test_a_conversion_that_goes_wrong_is_refused(diabetes):
    # skl2onnx leaves out the exponential function of this loss.
    rows, numbers = diabetes
    model = HistGradientBoostingRegressor(loss="poisson", max_iter=10).fit(rows, numbers)
    with pytest.raises(ConversionError, match="does not agree with the original in") as caught:
        convert(model, rows[:5], Wishes())
    assert "convert=False" in caught.value.hint


def test_what_no_converter_knows_is_refused_with_its_reason(iris):
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Own(ClassifierMixin, BaseEstimator):
        def fit(self, rows, classes):
            self.classes_ = np.unique(classes)
            return self

        def predict(self, rows):
            return np.zeros(len(rows), dtype=int)

    rows, classes = iris
    with pytest.raises(ConversionError, match="skl2onnx cannot convert"):
        convert(Own().fit(rows, classes), rows[:5], Wishes())


def test_an_unfitted_model_is_refused(iris):
    with pytest.raises(ConversionError, match="fails on the example"):
        convert(LogisticRegression(), iris[0][:5], Wishes())


def test_labels_must_be_as_many_as_classes(iris):
    from reenact import ArgumentError

    rows, classes = iris
    with pytest.raises(ArgumentError, match="2 labels and the model has 3 classes"):
        convert(forest().fit(rows, classes), rows[:5], Wishes(labels=["a", "b"]))


def test_rows_of_the_data_are_asked_too(iris):
    rows, classes = iris
    model = LogisticRegression(max_iter=500).fit(rows, classes)
    few = convert(model, rows[:5], Wishes())
    more = convert(model, rows[:5], Wishes(hints=Hints(data=rows)))
    assert more.proof.n_rows >= few.proof.n_rows + 140
    assert more.columns[0].maximum == 7.9 > few.columns[0].maximum
