"""Models of further libraries that stay Python: asked on a real server, compared with themselves at home.

TensorFlow is asked for by `REENACT_TEST_TENSORFLOW=1`, because it is 300 MB. Invariant: numbers agree to the last bit
where the same library computes them in the same way.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import reenact as rn
from reenact.handlers import code, write

# One environment for all of them, which is built once.
KEPT = ["scikit-learn==1.9.*", "xgboost-cpu==3.*", "lightgbm==4.*"]


@pytest.fixture(autouse=True)
def signed_in(server, alice, own_home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REENACT_URL", server.url)
    monkeypatch.setenv("REENACT_TOKEN", alice.token)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_a_boosted_model_is_kept_as_python_when_that_is_asked_for(iris, library: str) -> None:
    module = pytest.importorskip(library)
    small = {"n_estimators": 10, "n_jobs": 1}
    rows, classes = iris
    model = module.XGBClassifier(**small) if library == "xgboost" else module.LGBMClassifier(verbose=-1, **small)
    model.fit(rows, classes)
    rn.push(model, f"alice/kept-{library}", example=rows[::30], convert=False, requirements=KEPT, public=True)
    endpoint = rn.deploy(f"alice/kept-{library}", timeout_s=120)
    assert np.array_equal(endpoint.predict_proba(rows), model.predict_proba(rows).astype(np.float64))
    assert [str(label) for label in endpoint.predict(rows)] == [str(label) for label in model.predict(rows)]


def test_a_linear_model_gives_a_row_the_same_bytes_alone_and_among_others(iris) -> None:
    rows, classes = iris
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(rows, classes)
    rn.push(model, "alice/kept-linear", example=rows[::15], convert=False, requirements=KEPT, public=True)
    endpoint = rn.deploy("alice/kept-linear", timeout_s=120)
    together = np.asarray(endpoint.predict_proba(rows))
    alone = np.concatenate([endpoint.predict_proba(rows[place : place + 1]) for place in range(0, len(rows), 15)])
    assert np.array_equal(alone, together[::15])
    assert np.allclose(together, model.predict_proba(rows), rtol=0, atol=1e-12)


def test_a_forest_is_asked_once_for_label_and_probabilities(iris) -> None:
    rows, classes = iris
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=5)).fit(rows, classes)
    asking = lambda model: write._asking(model, write.estimator.of(model, rows).answers(rows))  # noqa: E731
    assert asking(forest) == code.CLASSIFIER_BY_PROBABILITY
    # Its `predict` looks at sums before they are rounded to probabilities.
    assert asking(LogisticRegression(max_iter=500).fit(rows, classes)) == code.CLASSIFIER

    class Careful(RandomForestClassifier):
        def predict(self, given):
            return np.zeros(len(given), dtype=int)

    assert asking(Careful(n_estimators=5).fit(rows, classes)) == code.CLASSIFIER


def test_a_network_of_keras_runs_on_tensorflow(iris, tmp_path: Path) -> None:
    if os.environ.get("REENACT_TEST_TENSORFLOW") != "1":
        pytest.skip("REENACT_TEST_TENSORFLOW is not 1: TensorFlow is 300 MB")
    # A process has one backend, and this one's may have been chosen.
    script = tmp_path / "push.py"
    script.write_text(
        "import os, sys\n"
        "os.environ['KERAS_BACKEND'] = 'tensorflow'\n"
        "import keras, numpy as np, reenact as rn\n"
        "rows = np.load(sys.argv[1]).astype('float32')\n"
        "layers = [keras.Input((4,)), keras.layers.Dense(8, 'relu'), keras.layers.Dense(3, 'softmax')]\n"
        "network = keras.Sequential(layers)\n"
        "rn.push(network, 'alice/kept-tensorflow', example=rows[:5], public=True)\n"
        "np.save(sys.argv[2], network.predict(rows, verbose=0))\n"
    )
    np.save(tmp_path / "rows.npy", iris[0])
    command = [os.environ.get("REENACT_TEST_TENSORFLOW_PYTHON", sys.executable), str(script)]
    command += [str(tmp_path / "rows.npy"), str(tmp_path / "answers.npy")]
    sources = str(Path(rn.__file__).parents[1])
    pushed = subprocess.run(command, env={**os.environ, "PYTHONPATH": sources}, capture_output=True, text=True)
    assert pushed.returncode == 0, pushed.stderr
    endpoint = rn.deploy("alice/kept-tensorflow", timeout_s=600)
    assert np.allclose(endpoint.predict(iris[0].astype(np.float32)), np.load(tmp_path / "answers.npy"), atol=1e-6)
