"""Loading: safe formats as they are, a pickle only with trust, and nothing runs without it."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from reenact import LoadedOnnx, ReenactError, TrustError, _toml
from reenact.bundle import Request, write_estimator
from reenact.convert import Wishes
from reenact.load import _parts, choose, open_model

DANGER = {"level": "dangerous", "what": "posix.system", "place": "REDUCE at 37", "reason": "it runs a command"}


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def folder(iris, tmp_path) -> Path:
    rows, classes = iris
    model = LogisticRegression(max_iter=500).fit(rows, classes)
    request = Request(title="iris", example=rows[:5], wishes=Wishes(labels=["setosa", "versicolor", "virginica"]))
    write_estimator(model, request, tmp_path)
    return tmp_path


@pytest.fixture
def facts(folder) -> dict:
    manifest = _toml.loads((folder / "reenact.toml").read_text())
    files = [{"path": "model.joblib", "format": "joblib", "dangers": []}, {"path": "model.onnx", "format": "onnx"}]
    return {**manifest, "files": files}


def test_onnx_answers_as_the_original_does(iris, folder, facts):
    rows, classes = iris
    path = choose(facts, file=None, trust=False)
    model = open_model(folder / path, path, facts, trust=False)
    original = joblib.load(folder / "model.joblib")
    assert isinstance(model, LoadedOnnx)
    assert np.array_equal(model.predict(rows), original.predict(rows))
    assert np.allclose(model.predict_proba(rows), original.predict_proba(rows), atol=1e-6)
    assert model.labels == ["setosa", "versicolor", "virginica"]
    with pytest.raises(ReenactError, match="3 values and the model takes 4"):
        model.predict(rows[:, :3])


def test_with_trust_the_original_comes_back(folder, facts):
    path = choose(facts, file=None, trust=True)
    assert path == "model.joblib"
    assert isinstance(open_model(folder / path, path, facts, trust=True), LogisticRegression)


@pytest.mark.parametrize("name", ["model.joblib", "model.pkl", "model.onnx", "model.txt", "model.ubj"])
@pytest.mark.parametrize("write", [pickle.dump, joblib.dump], ids=["pickle", "joblib"])
def test_a_pickle_never_runs_without_trust_whatever_its_name(tmp_path, name, write):
    made = tmp_path / "made"
    with (tmp_path / name).open("wb") as file:
        write(Evil(made), file)
    facts = {"files": [{"path": name, "dangers": [DANGER]}]}
    with pytest.raises(TrustError) as caught:
        open_model(tmp_path / name, name, facts, trust=False)
    assert not made.exists(), "the pickle ran"
    assert "runs whatever its author put into it" in caught.value.message
    assert "dangerous: `posix.system` (REDUCE at 37), it runs a command" in caught.value.message
    assert "trust=True" in caught.value.hint
    open_model(tmp_path / name, name, facts, trust=True)
    assert made.exists(), "this pickle would not have run in any case"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([{"path": "m.pkl", "dangers": []}], "found nothing dangerous in it, which is no promise"),
        ([], "nobody has inspected it"),
    ],
)
def test_a_refusal_says_what_is_known(tmp_path, files, said):
    (tmp_path / "m.pkl").write_bytes(pickle.dumps([1]))
    with pytest.raises(TrustError, match=said):
        open_model(tmp_path / "m.pkl", "m.pkl", {"files": files}, trust=False)


def test_native_formats_are_preferred_to_the_converted_model():
    facts = {"model": "model.onnx", "original": "model.ubj", "files": []}
    assert choose(facts, file=None, trust=False) == "model.ubj"
    assert choose(facts, file="model.onnx", trust=False) == "model.onnx"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a//b", "a\\b", "a/..", "c:x", ""])
def test_a_path_that_leaves_its_repository_is_refused(path):
    with pytest.raises(ReenactError):
        _parts(path)
