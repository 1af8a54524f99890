"""The package's own calls against a real server: push, deploy, predict, load, info, pull."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import reenact as rn

NAMES = ["setosa", "versicolor", "virginica"]


@pytest.fixture
def signed_in(server, alice, own_home, monkeypatch):
    monkeypatch.setenv("REENACT_BINARY", str(server.binary))
    assert rn.login(server.url, token=alice.token) == "alice"
    return server


def test_a_model_goes_live_and_answers_as_it_did(signed_in, iris, capsys):
    rows, classes = iris
    model = RandomForestClassifier(n_estimators=20, random_state=0, n_jobs=1).fit(rows, classes)
    pushed = rn.push(model, "alice/iris", example=rows[::30], labels=NAMES, public=True, message="First")
    assert pushed.url == f"{signed_in.url}/alice/iris"
    assert "proven on" in capsys.readouterr().out
    endpoint = rn.deploy("alice/iris")
    assert endpoint.state in ("ready", "idle")
    assert endpoint.url == f"{signed_in.url}/endpoints/alice/iris/"
    assert list(endpoint.predict(rows)) == [NAMES[label] for label in model.predict(rows)]
    assert np.allclose(endpoint.predict_proba(rows), model.predict_proba(rows), atol=1e-5)
    again = rn.load("alice/iris")
    assert np.array_equal(again.predict(rows), model.predict(rows))
    original = rn.load("alice/iris", trust=True)
    assert isinstance(original, RandomForestClassifier)


def test_what_a_push_wrote_is_what_the_server_read(signed_in, iris):
    rows, classes = iris
    model = LogisticRegression(max_iter=500).fit(rows, classes)
    rn.push(model, "alice/facts", example=rows[::30], labels=NAMES, public=True)
    rn.deploy("alice/facts")
    known = rn.info("alice/facts")
    assert not known.is_private and known.kind == "model" and len(known.revision) == 40
    assert known.facts["problems"] == []
    assert known.facts["conversion"]["from"] == "sklearn.linear_model.LogisticRegression"
    assert known.facts["schema"]["output"]["labels"] == NAMES
    classes_found = {file["path"]: file.get("class") for file in known.facts["files"]}
    assert "LogisticRegression" in classes_found["model.joblib"]
    assert known.dangers == []


def test_a_table_of_mixed_columns_goes_live(signed_in):
    chance = np.random.default_rng(0)
    frame = pd.DataFrame({"yearly income": chance.normal(3, 1, 200), "city": chance.choice(["Bern", "Rome"], 200)})
    classes = np.where(frame["yearly income"] + (frame["city"] == "Rome") > 3.5, "yes", "no")
    steps = [("n", StandardScaler(), ["yearly income"]), ("t", OneHotEncoder(), ["city"])]
    model = make_pipeline(ColumnTransformer(steps), LogisticRegression()).fit(frame, classes)
    rn.push(model, "alice/mixed", example=frame[:8], public=True)
    endpoint = rn.deploy("alice/mixed")
    assert list(endpoint.predict(frame)) == list(model.predict(frame))
    assert np.allclose(endpoint.predict_proba(frame), model.predict_proba(frame), atol=1e-5)
    with pytest.raises(rn.ServerError) as caught:
        endpoint.predict(frame.rename(columns={"city": "town"}))
    assert "city" in str(caught.value)


def test_a_regression_answers_numbers(signed_in, diabetes):
    rows, numbers = diabetes
    model = LinearRegression().fit(rows, numbers)
    rn.push(model, "alice/diabetes", example=rows[:5], output_title="progression", public=True)
    assert np.allclose(rn.deploy("alice/diabetes").predict(rows), model.predict(rows), rtol=1e-4)


def test_xgboost_comes_back_as_itself(signed_in, iris):
    xgboost = pytest.importorskip("xgboost")
    rows, classes = iris
    model = xgboost.XGBClassifier(n_estimators=10, n_jobs=1).fit(rows, classes)
    rn.push(model, "alice/boosted", example=rows[::30], labels=NAMES, public=True)
    assert list(rn.deploy("alice/boosted").predict(rows)) == [NAMES[label] for label in model.predict(rows)]
    again = rn.load("alice/boosted")
    assert isinstance(again, xgboost.XGBClassifier)
    assert np.array_equal(again.predict_proba(rows), model.predict_proba(rows))


def test_a_folder_is_pushed_and_pulled_as_it_is(signed_in, tmp_path):
    folder = tmp_path / "given"
    (folder / "sub").mkdir(parents=True)
    (folder / "README.md").write_text("# Mine\n")
    (folder / "sub" / "weights.bin").write_bytes(bytes(range(256)) * 64)
    rn.push(folder, "alice/folder", message="As it is")
    pulled = rn.pull("alice/folder", tmp_path / "pulled")
    assert (pulled / "README.md").read_text() == "# Mine\n"
    assert (pulled / "sub" / "weights.bin").read_bytes() == (folder / "sub" / "weights.bin").read_bytes()


def test_a_pickle_that_runs_code_is_shown_and_not_loaded(signed_in, tmp_path):
    made = tmp_path / "made"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(made),)

    path = tmp_path / "evil" / "model.pkl"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps(Evil()))
    rn.push(path.parent, "alice/evil", public=True)
    with pytest.raises(rn.TrustError, match="mkdir"):
        rn.load("alice/evil")
    assert not made.exists()
    assert any(danger["path"] == "model.pkl" for danger in rn.info("alice/evil").dangers)


def test_another_revision_is_deployed_by_name(signed_in, iris):
    rows, classes = iris
    first = LogisticRegression(max_iter=500).fit(rows, classes)
    rn.push(first, "alice/versions", example=rows[::30], public=True)
    before = rn.deploy("alice/versions")
    second = RandomForestClassifier(n_estimators=5, random_state=1, n_jobs=1).fit(rows, classes)
    rn.push(second, "alice/versions", example=rows[::30], public=True)
    after = rn.deploy("alice/versions")
    assert after.revision != before.revision
    assert list(after.predict(rows)) == list(second.predict(rows))
    assert rn.deploy("alice/versions", revision=before.revision).revision == before.revision


def test_a_private_model_is_not_found_by_a_stranger(signed_in, bob, iris, tmp_path):
    rows, classes = iris
    rn.push(LogisticRegression(max_iter=500).fit(rows, classes), "alice/hidden", example=rows[::30])
    assert rn.info("alice/hidden").is_private
    for call in (rn.info, rn.load, rn.deploy):
        with pytest.raises(rn.ServerError) as caught:
            call("alice/hidden", url=signed_in.url, token=bob.token)
        assert caught.value.status == 404
    with pytest.raises(rn.BinaryError):
        rn.pull("alice/hidden", tmp_path / "x", url=signed_in.url, token=bob.token)


def test_a_token_that_is_unknown_is_not_kept(server, own_home):
    with pytest.raises(rn.ServerError) as caught:
        rn.login(server.url, token="wrong")
    assert caught.value.status == 401
    assert not Path(own_home / "credentials.toml").exists()


def test_a_push_into_anothers_account_is_refused(signed_in, bob, iris):
    rows, classes = iris
    model = LogisticRegression(max_iter=500).fit(rows, classes)
    with pytest.raises(rn.BinaryError):
        rn.push(model, "alice/taken", example=rows[::30], token=bob.token)
