"""What a push writes: manifest, examples, card, and the original beside the converted model."""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from reenact import ArgumentError, _toml
from reenact.bundle import Picture, Request, write_estimator
from reenact.convert import Wishes
from reenact.convert.onnx_model import OnnxModel
from reenact.convert.schema import Hints
from reenact.push import write

GOLDEN = """\
description = "Tells three kinds of iris apart."
task = "tabular-classification"
license = "MIT"
model = "model.onnx"
original = "model.joblib"
examples = "examples.json"

[conversion]
from = "sklearn.linear_model.LogisticRegression"
tool = "TOOL"
rows = 0
equal_labels = 0
largest_difference = 0.0
tolerance = 0.0001

[schema.input]
kind = "table"
features = [
  { name = "sepal length", datatype = "FP32", minimum = 4.3, maximum = 7.9, description = "cm" },
  { name = "sepal width", datatype = "FP32", minimum = 2.0, maximum = 4.4 },
  { name = "petal length", datatype = "FP32", minimum = 1.0, maximum = 6.9 },
  { name = "petal width", datatype = "FP32", minimum = 0.0, maximum = 3.0 },
]

[schema.output]
kind = "label"
label = "label"
probabilities = "probabilities"
classes = ["0", "1", "2"]
labels = ["setosa", "versicolor", "virginica"]
"""


def manifest(folder: Path) -> dict:
    return _toml.loads((folder / "reenact.toml").read_text())


def test_the_manifest_of_a_classifier_is_as_agreed(iris, tmp_path):
    rows, classes = iris
    hints = Hints(
        data=rows,
        feature_names=["sepal length", "sepal width", "petal length", "petal width"],
        ranges={"petal width": (0, 3)},
        descriptions={"sepal length": "cm"},
    )
    request = Request(
        title="iris",
        example=rows[::30],
        wishes=Wishes(hints=hints, labels=["setosa", "versicolor", "virginica"]),
        description="Tells three kinds of iris apart.",
        license="MIT",
    )
    write_estimator(LogisticRegression(max_iter=500).fit(rows, classes), request, tmp_path)
    written = manifest(tmp_path)
    conversion = written["conversion"]
    assert conversion["rows"] == conversion["equal_labels"] > 500
    assert 0 < conversion["largest_difference"] < conversion["tolerance"]
    # What depends on versions and rounding is checked above and made the same here.
    text = (tmp_path / "reenact.toml").read_text()
    for measured, fixed in ((conversion["tool"], "TOOL"), (repr(conversion["largest_difference"]), "0.0")):
        text = text.replace(measured, fixed)
    assert text.replace(f"= {conversion['rows']}\n", "= 0\n") == GOLDEN


def test_the_original_and_its_answers_stand_beside_the_model(iris, tmp_path):
    rows, classes = iris
    model = RandomForestClassifier(n_estimators=10, random_state=0, n_jobs=1).fit(rows, classes)
    request = Request(title="iris", example=rows[::5], wishes=Wishes(labels=["setosa", "versicolor", "virginica"]))
    said = write_estimator(model, request, tmp_path).sentence
    assert said.startswith("`sklearn.ensemble.RandomForestClassifier` converted by skl2onnx") and "proven on" in said
    assert np.array_equal(joblib.load(tmp_path / "model.joblib").predict(rows), model.predict(rows))
    examples = json.loads((tmp_path / "examples.json").read_text())
    assert set(examples) == {"rows", "expected"}
    assert examples["rows"][0] == [5.1, 3.5, 1.4, 0.2]
    assert len(examples["rows"]) == len(examples["expected"]) == 20
    assert examples["expected"][:3] == ["setosa"] * 3


def test_a_regression_expects_numbers_and_titles_them(diabetes, tmp_path):
    rows, numbers = diabetes
    request = Request(title="d", example=rows[:3], wishes=Wishes(output_title="progression"))
    write_estimator(LinearRegression().fit(rows, numbers), request, tmp_path)
    assert manifest(tmp_path)["schema"]["output"] == {"kind": "number", "output": "variable", "title": "progression"}
    assert "equal_labels" not in manifest(tmp_path)["conversion"]
    assert json.loads((tmp_path / "examples.json").read_text())["expected"][0] == pytest.approx(206.1, abs=0.1)


def test_pictures_are_flat_and_say_what_ink_is(tmp_path):
    from sklearn.datasets import load_digits

    rows, classes = load_digits(return_X_y=True)
    model = LogisticRegression(max_iter=50).fit(rows, classes)
    request = Request(title="digits", example=rows[:4], picture=Picture(shape=(8, 8), black=16, white=0))
    write_estimator(model, request, tmp_path)
    picture = {"kind": "image", "width": 8, "height": 8, "channels": 1, "black": 16.0, "white": 0.0, "layout": "flat"}
    assert manifest(tmp_path)["schema"]["input"] == picture
    assert manifest(tmp_path)["task"] == "image-classification"
    assert len(json.loads((tmp_path / "examples.json").read_text())["rows"][0]) == 64


def test_the_card_claims_only_what_was_read_counted_or_given(iris, tmp_path):
    rows, classes = iris
    request = Request(title="iris", example=rows[:5], license='odd: "one"', tags=["flowers"])
    write_estimator(LogisticRegression(max_iter=500).fit(rows, classes), request, tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert card.startswith('---\nlicense: "odd: \\"one\\""\nlibrary_name: "sklearn"\n')
    assert "A `sklearn.linear_model.LogisticRegression`." in card
    assert "| x0 | FP32 | 4.6 to 5.1 |" in card
    assert "proven on" in card and "accura" not in card


def test_a_card_of_the_callers_is_kept_as_it_is(iris, tmp_path):
    rows, classes = iris
    request = Request(title="iris", example=rows[:5], card="# Mine\n")
    write_estimator(LogisticRegression(max_iter=500).fit(rows, classes), request, tmp_path)
    assert (tmp_path / "README.md").read_text() == "# Mine\n"


def test_without_conversion_the_original_is_pushed_alone(iris, tmp_path):
    rows, classes = iris
    write_estimator(LogisticRegression().fit(rows, classes), Request(title="i", is_converted=False), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "model.joblib", "reenact.toml"]
    assert manifest(tmp_path) == {"model": "model.joblib"}


def test_a_conversion_needs_rows_to_be_proven_on(iris, tmp_path):
    with pytest.raises(ArgumentError, match="needs example rows"):
        write_estimator(LogisticRegression().fit(*iris), Request(title="i"), tmp_path)


def test_an_onnx_object_is_described_by_its_example(iris, tmp_path):
    import onnx

    rows, classes = iris
    write_estimator(LogisticRegression(max_iter=500).fit(rows, classes), Request(title="i", example=rows[:5]), tmp_path)
    model = onnx.load(tmp_path / "model.onnx")
    folder = tmp_path / "again"
    folder.mkdir()
    names = ["a", "b", "c", "d"]
    write(model, Request(title="i", example=rows[:5], wishes=Wishes(hints=Hints(feature_names=names))), folder)
    assert OnnxModel((folder / "model.onnx").read_bytes()).inputs[0].shape == (-1, 4)
    assert [feature["name"] for feature in manifest(folder)["schema"]["input"]["features"]] == names
    assert "conversion" not in manifest(folder), "nothing was converted"


def test_what_is_no_model_is_refused_with_a_way_out(tmp_path):
    with pytest.raises(ArgumentError, match="`builtins.dict` cannot be pushed") as caught:
        write({}, Request(title="x"), tmp_path)
    assert "ONNX" in caught.value.hint


def test_what_is_written_reads_back():
    document = {"a b": 'q"\\\n\x01é', "n": [1, 2.5, True], "t": {"u": {"v": [{"w": 1e-7}, {"w": 3}]}}, "e": []}
    assert _toml.loads(_toml.dumps(document)) == document
