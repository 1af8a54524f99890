"""Clients that others wrote, unmodified, against a live endpoint: tritonclient, KServe V1, MLflow scoring."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import reenact as rn

NAMES = ["setosa", "versicolor", "virginica"]


@dataclass(frozen=True)
class Live:
    """An endpoint, the model behind it as it was trained, and rows to ask."""

    url: str
    model: LogisticRegression
    rows: np.ndarray

    @property
    def labels(self) -> list[str]:
        return [NAMES[label] for label in self.model.predict(self.rows)]


@pytest.fixture(scope="module")
def live(server, alice, iris) -> Live:
    rows, classes = iris
    model = LogisticRegression(max_iter=500).fit(rows, classes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REENACT_BINARY", str(server.binary))
        there = {"url": server.url, "token": alice.token}
        rn.push(model, "alice/asked", example=rows[::30], labels=NAMES, public=True, **there)
        endpoint = rn.deploy("alice/asked", **there)
    return Live(endpoint.url, model, rows[::10].astype(np.float32))


def post(url: str, body: Any, content_type: str = "application/json") -> tuple[int, Any, dict[str, str]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response), dict(response.headers.items())
    except urllib.error.HTTPError as error:
        text = error.read()
        is_json = "json" in (error.headers.get("Content-Type") or "")
        return error.code, json.loads(text) if is_json else text.decode(), dict(error.headers.items())


@pytest.mark.parametrize("is_binary_in", [True, False], ids=["binary-in", "json-in"])
@pytest.mark.parametrize("is_binary_out", [True, False], ids=["binary-out", "json-out"])
def test_tritonclient_asks_in_json_and_binary(live, is_binary_in, is_binary_out):
    triton = pytest.importorskip("tritonclient.http")
    client = triton.InferenceServerClient(live.url.removeprefix("http://").rstrip("/"))
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("asked")
    metadata = client.get_model_metadata("asked")
    (described,) = metadata["inputs"]
    assert (described["datatype"], described["shape"]) == ("FP32", [-1, 4])
    tensor = triton.InferInput(described["name"], list(live.rows.shape), "FP32")
    tensor.set_data_from_numpy(live.rows, binary_data=is_binary_in)
    outputs = [triton.InferRequestedOutput(name, binary_data=is_binary_out) for name in ("label", "probabilities")]
    answer = client.infer("asked", [tensor], outputs=outputs, request_id="seven")
    assert answer.get_response()["id"] == "seven"
    assert np.array_equal(answer.as_numpy("label"), live.model.predict(live.rows))
    assert np.allclose(answer.as_numpy("probabilities"), live.model.predict_proba(live.rows), atol=1e-5)


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_tritonclient_packs_its_requests(live, packing):
    triton = pytest.importorskip("tritonclient.http")
    client = triton.InferenceServerClient(live.url.removeprefix("http://").rstrip("/"))
    tensor = triton.InferInput("X", list(live.rows.shape), "FP32")
    tensor.set_data_from_numpy(live.rows)
    answer = client.infer("asked", [tensor], request_compression_algorithm=packing)
    assert np.array_equal(answer.as_numpy("label"), live.model.predict(live.rows))


def test_tritonclient_is_told_what_is_wrong(live):
    triton = pytest.importorskip("tritonclient.http")
    from tritonclient.utils import InferenceServerException

    client = triton.InferenceServerClient(live.url.removeprefix("http://").rstrip("/"))
    tensor = triton.InferInput("X", [2, 3], "FP32")
    tensor.set_data_from_numpy(np.zeros((2, 3), dtype=np.float32))
    with pytest.raises(InferenceServerException, match="X"):
        client.infer("asked", [tensor])


def test_kserve_v1_answers_instances(live):
    status, answer, _ = post(f"{live.url}v1/models/asked:predict", {"instances": live.rows.tolist()})
    assert (status, answer["predictions"]) == (200, live.labels)


def test_each_answer_names_what_answered(live):
    _, _, headers = post(f"{live.url}v1/models/asked:predict", {"instances": live.rows[:1].tolist()})
    named = {key.lower(): value for key, value in headers.items()}
    assert any("alice/asked" in value for value in named.values())
    assert any(len(value) == 40 and set(value) <= set("0123456789abcdef") for value in named.values())


@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records", "instances", "inputs"])
def test_mlflow_scoring_takes_its_four_forms(live, form):
    columns = ["x0", "x1", "x2", "x3"]
    rows = live.rows.tolist()
    body = {
        "dataframe_split": {"columns": columns, "data": rows},
        "dataframe_records": [dict(zip(columns, row, strict=True)) for row in rows],
        "instances": rows,
        "inputs": rows,
    }[form]
    status, answer, _ = post(f"{live.url}invocations", {form: body})
    assert (status, answer["predictions"]) == (200, live.labels)


def test_mlflow_scoring_takes_csv(live):
    lines = ["x0,x1,x2,x3", *(",".join(map(str, row)) for row in live.rows.tolist())]
    status, answer, _ = post(f"{live.url}invocations", "\n".join(lines).encode(), "text/csv")
    assert (status, answer["predictions"]) == (200, live.labels)


def test_mlflow_health_is_answered(live):
    for path in ("ping", "health"):
        with urllib.request.urlopen(f"{live.url}{path}", timeout=30) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("invocations", {"rows": [[1, 2, 3, 4]]}),
        ("invocations", [[1, 2, 3, 4]]),
        ("invocations", {"instances": [[1, 2, 3]]}),
        ("invocations", {"instances": [["a", 2, 3, 4]]}),
        ("v1/models/asked:predict", {"instances": [[1, 2, 3, None]]}),
        (
            "v2/models/asked/infer",
            {"inputs": [{"name": "Y", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]},
        ),
        ("v2/models/asked/infer", {"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3]}]}),
    ],
)
def test_what_does_not_fit_is_refused_in_words(live, path, body):
    status, answer, _ = post(f"{live.url}{path}", body)
    assert status == 400
    assert any(isinstance(value, str) and len(value) > 10 for value in answer.values())


def test_an_unknown_content_type_is_refused(live):
    assert post(f"{live.url}invocations", b"<x/>", "text/xml")[0] == 415


@pytest.mark.parametrize("packing", ["identity", "gzip"])
def test_a_body_over_the_limit_is_refused_with_a_hint(live, packing):
    body = b" " * 70_000_000
    body = gzip.compress(body, 1) if packing == "gzip" else body
    headers = {"Content-Type": "application/json", "Content-Encoding": packing}
    request = urllib.request.Request(f"{live.url}invocations", data=body, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 413
    assert "limit" in json.load(refused.value)["hint"]
