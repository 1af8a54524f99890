"""Models that stay Python: pushed as objects and folders, built, confined, asked by every protocol, on a real server.

Environments are real and come from the package index. Invariant: every answer is compared with the model's own.
"""

from __future__ import annotations

import json
import pickle
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal

import local_helper
import numpy as np
import pytest
from conftest import Running, running, until
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import reenact as rn
from reenact.handlers import carry, packages

SKLEARN = ["scikit-learn==1.9.*"]


pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture(scope="module")
def house_flags() -> tuple[str, ...]:
    return ("--predict-timeout=5s",)


def folder(at: Path, code: str, **files: str) -> Path:
    """A repository with this `predict.py`, and further files by name (`__` for the point)."""
    at.mkdir(exist_ok=True)
    (at / "predict.py").write_text(code)
    for name, text in files.items():
        (at / name.replace("__", ".")).write_text(text)
    return at


def post(house: Running, path: str, document: object) -> tuple[int, dict]:
    request = urllib.request.Request(
        house.url + path, json.dumps(document).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def logs(house: Running, token: str, name: str) -> str:
    request = urllib.request.Request(
        f"{house.url}/api/v1/endpoints/{name}/logs", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return "\n".join(json.loads(answer.read())["lines"])


ADD = """
from typing import Literal

def predict(a: float, b: int, how: Literal["add", "divide"] = "add") -> float:
    if how not in ("add", "divide"):
        raise ValueError("no such way")
    return a + b if how == "add" else a / b
"""


def test_a_folder_with_type_hints_answers_by_every_protocol(house: Running, token: str, tmp_path: Path) -> None:
    rn.push(folder(tmp_path / "add", ADD), "alice/add", public=True)
    endpoint = rn.deploy("alice/add")
    assert [tensor["name"] for tensor in endpoint.schema["inputs"]] == ["a", "b", "how"]
    assert list(endpoint.predict([[1.5, 2, "add"], [3.0, 2, "divide"]])) == [3.5, 1.5]
    status, answer = post(house, "/endpoints/alice/add/v1/models/add:predict", {"instances": [[1.0, 2, "add"]]})
    assert (status, answer) == (200, {"predictions": [3.0]})
    rows = {"dataframe_records": [{"a": 1, "b": 4, "how": "divide"}]}
    assert post(house, "/endpoints/alice/add/invocations", rows) == (200, {"predictions": [0.25]})
    inputs = [
        {"name": "a", "datatype": "FP64", "shape": [2], "data": [1, 2]},
        {"name": "b", "datatype": "INT64", "shape": [2], "data": [3, 4]},
        {"name": "how", "datatype": "BYTES", "shape": [2], "data": ["add", "add"]},
    ]
    status, answer = post(house, "/endpoints/alice/add/v2/models/add/infer", {"inputs": inputs})
    assert (status, answer["outputs"][0]["data"]) == (200, [4.0, 6.0])
    with urllib.request.urlopen(f"{house.url}/alice/add/try", timeout=60) as page:
        text = page.read().decode()
    assert all(f">{name}<" in text or f'"{name}"' in text for name in ("a", "b", "how", "divide"))


def test_what_a_handler_raises_is_told_and_its_log_has_where(house: Running, token: str, tmp_path: Path) -> None:
    rn.push(folder(tmp_path / "add", ADD), "alice/raises", public=True)
    rn.deploy("alice/raises")
    status, answer = post(house, "/endpoints/alice/raises/invocations", {"inputs": [[1.0, 0, "divide"]]})
    assert (status, answer["code"]) == (500, "model-failed")
    assert "ZeroDivisionError: float division by zero" in answer["message"]
    status, answer = post(house, "/endpoints/alice/raises/v1/models/raises:predict", {"instances": [[1.0, 0, "x"]]})
    assert status == 400
    log = logs(house, token, "alice/raises")
    assert 'File "predict.py", line 7, in predict' in log, log
    assert "<string>" not in log


def test_a_function_is_pushed_with_words_for_its_values(house: Running) -> None:
    bad = {"awful", "boring"}

    def sentiment(text):
        import sklearn

        return "negative" if bad & set(text.lower().split()) else f"positive {sklearn.__version__[:3]}"

    rn.push(sentiment, "alice/sentiment", input="text", output="label", requirements=SKLEARN, public=True)
    endpoint = rn.deploy("alice/sentiment")
    assert list(endpoint.predict(["An awful film", "A fine film"])) == ["negative", "positive 1.9"]
    assert endpoint.schema["output"]["kind"] == "label"


def test_a_class_and_its_hints_are_enough(house: Running) -> None:
    class Grader:
        def __init__(self) -> None:
            self.limits = (50, 80)

        def predict(self, points: int, name: str) -> Literal["fail", "pass", "honours"]:
            place = sum(points >= limit for limit in self.limits)
            return ("fail", "pass", "honours")[place]

    rn.push(Grader, "alice/grader", example=[[10, "a"], [60, "b"], [90, "c"]], public=True)
    endpoint = rn.deploy("alice/grader")
    assert list(endpoint.predict([[49, "x"], [80, "y"]])) == ["fail", "honours"]
    assert endpoint.classes == ["fail", "pass", "honours"]


def test_an_estimator_that_cannot_be_converted_stays_python_and_says_why(house: Running, iris, capsys) -> None:
    rows, classes = iris
    model = make_pipeline(local_helper.Doubled(), HistGradientBoostingClassifier(max_iter=10)).fit(rows, classes)
    names = ["setosa", "versicolor", "virginica"]
    rn.push(model, "alice/boosting", example=rows[::15], labels=names, public=True)
    said = capsys.readouterr().out
    assert "kept as Python" in said and "not served as ONNX" in said, said
    endpoint = rn.deploy("alice/boosting")
    assert list(endpoint.predict(rows)) == [names[label] for label in model.predict(rows)]
    assert np.array_equal(endpoint.predict_proba(rows), model.predict_proba(rows))
    with pytest.raises(rn.TrustError, match="pickle"):
        rn.load("alice/boosting")
    assert np.array_equal(rn.load("alice/boosting", trust=True).predict(rows), model.predict(rows))


def test_a_table_with_texts_reaches_the_model_as_a_table(house: Running) -> None:
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder

    table = pd.DataFrame({"city": ["a", "b", "a", "c"] * 5, "age": range(20), "rate": np.linspace(0, 1, 20)})
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough"),
        LogisticRegression(max_iter=500),
    ).fit(table, table["age"] > 10)
    rn.push(model, "alice/table", example=table, convert=False, public=True)
    endpoint = rn.deploy("alice/table")
    assert [bool(value) for value in endpoint.predict_proba(table)[:, 1] > 0.5] == model.predict(table).tolist()
    rows = {"dataframe_records": table.head(3).to_dict("records")}
    status, answer = post(house, "/endpoints/alice/table/invocations", rows)
    assert status == 200 and len(answer["predictions"]) == 3, answer


def test_functions_around_a_model_go_along_with_what_they_close_over(house: Running, iris) -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    vectors = CountVectorizer().fit(["good film", "bad film", "fine day"])
    model = LogisticRegression().fit(vectors.transform(["good", "fine", "bad"]).toarray(), [1, 1, 0])
    words = ["negative", "positive"]

    def to_words(labels):
        return [local_helper.shout(words[label]) for label in labels]

    rn.push(
        model,
        "alice/reviews",
        example=["good day", "bad film"],
        preprocess=lambda texts: vectors.transform(texts).toarray(),
        postprocess=to_words,
        output="label",
        public=True,
    )
    endpoint = rn.deploy("alice/reviews")
    texts = ["a good day", "bad, bad and bad", "nothing known"]
    own = [local_helper.shout(words[label]) for label in model.predict(vectors.transform(texts).toarray())]
    assert set(own) == {"POSITIVE!", "NEGATIVE!"}
    assert list(endpoint.predict(texts)) == own


def test_a_network_of_keras_is_served_by_the_backend_it_was_made_with(
    house: Running, iris, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    rows = iris[0].astype(np.float32)
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax")])
    rn.push(network, "alice/network", example=rows[:5], public=True)
    endpoint = rn.deploy("alice/network")
    assert endpoint.schema["outputs"][0]["shape"] == [-1, 3]
    assert np.allclose(endpoint.predict(rows), network.predict(rows, verbose=0), atol=1e-6)
    assert np.allclose(rn.load("alice/network").predict(rows, verbose=0), network.predict(rows, verbose=0))


def test_a_keras_archive_that_nobody_described_is_served_by_the_servers_own_handler(
    house: Running, token: str, iris, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    from huggingface_hub import HfApi

    rows = iris[0].astype(np.float32)
    layers = [keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax", name="classes")]
    network = keras.Sequential([keras.Input((4,), name="flower"), *layers])
    given = tmp_path / "given"
    given.mkdir()
    network.save(given / "iris.keras")
    # Without this file the server takes the Keras that saved it, and JAX, and says so.
    versions = [f"{name}=={metadata.version(name)}\n" for name in ("keras", "jax", "numpy")]
    (given / "requirements.txt").write_text("".join(versions))
    api = HfApi(endpoint=house.url, token=token)
    api.create_repo("alice/archive", private=False)
    api.upload_folder(repo_id="alice/archive", folder_path=given)
    endpoint = rn.deploy("alice/archive")
    assert [tensor["name"] for tensor in endpoint.schema["outputs"]] == ["classes"]
    assert np.allclose(endpoint.predict(rows), network.predict(rows, verbose=0), atol=1e-6)
    with urllib.request.urlopen(f"{house.url}/alice/archive/about", timeout=60) as page:
        text = page.read().decode()
    assert "Served by the handler for Keras of this server" in text
    command = [str(house.binary), "info", "alice/archive"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "by the server's handler for Keras" in told and "does not say on what Keras computed" in told


def test_what_is_not_served_says_what_to_add(house: Running, iris, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(LogisticRegression(max_iter=500).fit(*iris)))
    rn.push(tmp_path / "model.pkl", "alice/bare-pickle", public=True)
    with pytest.raises(rn.ReenactError, match="`model.pkl` is a pickle, which is not opened unasked; push the model"):
        rn.deploy("alice/bare-pickle")
    with urllib.request.urlopen(f"{house.url}/alice/bare-pickle", timeout=60) as page:
        text = page.read().decode()
    assert "It cannot be put live: <code>model.pkl</code> is a pickle" in text


def test_a_second_model_with_the_same_packages_takes_the_environment_that_is_there(house: Running, tmp_path: Path) -> None:
    for name in ("first", "second"):
        code = f"import numpy\n\ndef predict(a: float) -> float:\n    return float(numpy.sqrt(a)) + len({name!r})\n"
        rn.push(folder(tmp_path / name, code, requirements__txt="numpy==2.*\n"), f"alice/{name}", public=True)
    rn.deploy("alice/first")
    there = sorted((house.data / "environments").iterdir())
    endpoint = rn.deploy("alice/second")
    assert there and sorted((house.data / "environments").iterdir()) == there
    assert list(endpoint.predict([[4.0]])) == [8.0]


def test_a_killed_build_leaves_nothing_that_looks_complete_and_the_next_one_ends(binary: Path, tmp_path: Path) -> None:
    wanted = json.dumps({"python": "3.11", "packages": {"kind": "requirements", "text": "numpy==2.*\n"}})
    root = tmp_path / "environments"
    command = [str(binary), "build-environment", "--root", str(root)]
    for seen in ("*.unfinished", "*.unfinished/lib"):
        build = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        build.stdin.write(wanted.encode())
        build.stdin.close()
        until(lambda seen=seen: list(root.glob(seen)))
        build.kill()
        build.wait()
        assert not [path for path in root.iterdir() if path.is_dir() and not path.suffix and path.name[0] != "."]
    made = subprocess.run(command, input=wanted, capture_output=True, text=True, timeout=120, check=True)
    folder = root / made.stdout.strip()
    assert (folder / "environment.json").is_file() and not list(root.glob("*.unfinished"))
    asked = [str(folder / "bin" / "python"), "-c", "import numpy; print(numpy.__version__)"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.startswith("2.")


def test_a_build_that_overstays_is_ended_with_all_that_it_started(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(binary, tmp_path / "server", "--build-timeout=1s") as server:
        monkeypatch.setenv("REENACT_URL", server.url)
        monkeypatch.setenv("REENACT_TOKEN", server.token("alice"))
        code = "def predict(a: float) -> float:\n    return a\n"
        rn.push(folder(tmp_path / "x", code, requirements__txt="scikit-learn==1.9.*\n"), "alice/slow", public=True)
        with pytest.raises(rn.EndpointError, match="took longer than 1s"):
            rn.deploy("alice/slow")
        root = str(server.data / "environments")
        # Left alone it would go on for longer than this, and end by itself.
        listed = ["ps", "axww", "-o", "args"]
        until(lambda: root not in subprocess.run(listed, capture_output=True, text=True).stdout, deadline_s=1.0)


@pytest.mark.parametrize(
    ("requirement", "words"),
    [
        ("no-such-package-as-this-one==1.0", "no-such-package-as-this-one was not found in the package registry"),
        ("numpy==1.19.0", "numpy==1.19.0 has no usable wheels"),
        ("numpy==2.*\nnumpy==1.26.*", "your requirements are unsatisfiable"),
        ("--index-url https://evil.example/simple", "`--index-url` is an option"),
        ("numpy @ file:///etc/passwd", "is not taken from the package index"),
    ],
)
def test_packages_that_cannot_be_had_are_the_reason_on_the_page(
    house: Running, token: str, tmp_path: Path, requirement: str, words: str
) -> None:
    code = "def predict(a: float) -> float:\n    return a\n"
    rn.push(folder(tmp_path / "x", code, requirements__txt=requirement + "\n"), "alice/unbuilt", public=True)
    with pytest.raises(rn.EndpointError) as caught:
        rn.deploy("alice/unbuilt")
    assert words in caught.value.message, caught.value.message
    assert "\n" not in caught.value.message
    status, answer = post(house, "/endpoints/alice/unbuilt/invocations", {"inputs": [[1.0]]})
    assert (status, answer["code"]) == (503, "endpoint-down")
    assert "its owner can see why" in answer["message"]


def test_a_wheel_for_another_python_is_named(house: Running, tmp_path: Path) -> None:
    code = "def predict(a: float) -> float:\n    return a\n"
    lock = "numpy==1.26.4 \\\n    --hash=sha256:" + "0" * 64 + "\n"
    rn.push(folder(tmp_path / "x", code, requirements__lock=lock), "alice/wrong", public=True)
    with pytest.raises(rn.EndpointError, match="(?i)hash"):
        rn.deploy("alice/wrong")


def test_a_model_that_cannot_answer_its_own_example_is_not_ready(house: Running, token: str, tmp_path: Path) -> None:
    code = "def helper(a):\n    return [1, 2][int(a)]\n\ndef predict(a: float) -> float:\n    return helper(a)\n"
    rn.push(folder(tmp_path / "x", code, examples__json='{"rows": [[5.0]]}'), "alice/broken", public=True)
    with pytest.raises(rn.EndpointError, match="own example: IndexError: list index out of range"):
        rn.deploy("alice/broken")
    assert 'File "predict.py", line 2, in helper' in logs(house, token, "alice/broken")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "import nowhere\ndef predict(a: float) -> float: return a\n",
            "No module named 'nowhere'",
        ),
        ("def predict(a: float) -> float: return a\nraise SystemExit(3)\n", "SystemExit: 3"),
        ("def predict(a: float) -> float: return a\nimport os; os._exit(3)\n", "ended with exit code 3"),
    ],
)
def test_a_handler_that_cannot_be_loaded_says_why(house: Running, tmp_path: Path, code: str, words: str) -> None:
    rn.push(folder(tmp_path / "x", code), "alice/unloaded", public=True)
    with pytest.raises(rn.EndpointError) as caught:
        rn.deploy("alice/unloaded")
    assert words in caught.value.message, caught.value.message


def test_a_handler_without_hints_is_refused_with_what_to_write(house: Running, tmp_path: Path) -> None:
    rn.push(folder(tmp_path / "x", "def predict(rows):\n    return rows\n"), "alice/unhinted", public=True)
    with pytest.raises((rn.EndpointError, rn.ServerError), match="`rows` has no type hint"):
        rn.deploy("alice/unhinted")


class TestCarrying:
    """What `push` says before anything is sent."""

    def test_what_is_open_or_running_is_named_with_the_way_to_it(self, tmp_path: Path) -> None:
        log = (tmp_path / "log").open("w")
        wire = socket.socket()

        def inner(a: float) -> float:
            log.write("x")
            return a

        def predict(a: float) -> float:
            wire.send(b"x")
            return inner(a)

        with log, wire, pytest.raises(rn.ArgumentError) as caught:
            carry.dump(predict, tmp_path / "model.pkl", "predict")
        assert "`predict` -> `inner` -> `log` is the open file" in caught.value.message
        assert "`predict` -> `wire` is a socket" in caught.value.message
        assert not (tmp_path / "model.pkl").exists()

    def test_a_package_that_the_requirements_do_not_bring_is_named(self) -> None:
        with pytest.raises(rn.ArgumentError, match="`pandas` .of the package `pandas`."):
            packages.required({"numpy", "pandas"}, ["scikit-learn"])
        assert packages.required({"numpy", "sklearn"}, SKLEARN)[0] == SKLEARN[0]

    def test_modules_are_told_from_code_and_data_and_own_ones_are_carried(self, tmp_path: Path) -> None:
        def predict(a: float) -> float:
            import pandas

            return float(np.sqrt(a)) + len(local_helper.shout("a")) + len(pandas.__name__)

        carried = carry.dump(predict, tmp_path / "model.pkl", "predict")
        assert {"numpy", "pandas", "cloudpickle"} <= carried.modules
        assert not {"local_helper", "reenact", "tests"} & carried.modules
        assert b"shout" in (tmp_path / "model.pkl").read_bytes()
