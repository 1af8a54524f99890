"""What the server reads of each kind of estimator in scikit-learn, after a push."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import warnings

import pytest
from conftest import START_S, until
from sklearn.utils import all_estimators

# Enough rows to fit nearly everything; what cannot be fitted on them is read as it was made.
N_ROWS = 50


def fitted(kind: type, rows, classes) -> object | None:
    """One of this kind, made as its author would without any wishes; none where it asks for something."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = kind()
        except TypeError:
            return None
        try:
            model.fit(rows, classes)
        except Exception:  # noqa: BLE001 - it wants other data; what it was made with is there all the same
            pass
    return model


@pytest.fixture
def read(own_home, server, alice, tmp_path):
    def read(models: dict[str, object]) -> dict[str, dict]:
        (tmp_path / "models.pkl").write_bytes(pickle.dumps(models))
        environment = {**os.environ, "REENACT_URL": server.url, "REENACT_TOKEN": alice.token}

        def ran(*arguments: str) -> str:
            command = [str(server.binary), *arguments]
            return subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=START_S, check=True
            ).stdout

        def facts() -> dict | None:
            return json.loads(ran("info", "alice/estimators", "--json")).get("facts")

        ran("push", str(tmp_path / "models.pkl"), "alice/estimators")
        until(lambda: facts() is not None)
        (file,) = facts()["files"]
        assert (file.get("error"), file["class"]) == (None, "dict")
        return {step["name"]: step.get("hyperparameters", {}) for step in file["steps"]}

    return read


def test_hyperparameters_are_what_the_constructor_takes(read, iris):
    rows, classes = iris[0][:: 150 // N_ROWS], iris[1][:: 150 // N_ROWS]
    models = {name: fitted(kind, rows, classes) for name, kind in all_estimators()}
    models = {name: model for name, model in models.items() if model is not None}
    assert len(models) > 150
    found = read(models)
    surplus, lacking = {}, {}
    for name, model in models.items():
        taken = model.get_params(deep=False)
        if extra := set(found[name]) - set(taken):
            surplus[name] = sorted(extra)
        plain = {key for key, value in taken.items() if isinstance(value, (bool, int, float, str, type(None)))}
        if missing := plain - set(found[name]):
            lacking[name] = sorted(missing)
    assert (surplus, lacking) == ({}, {})
    forest = found["RandomForestClassifier"]
    assert (forest["n_estimators"], forest["class_weight"]) == (100, None)
    assert not {"estimator", "estimator_params"} & set(forest)
