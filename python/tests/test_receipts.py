"""Receipts and proofs as those who keep them meet them, and whether answers are the same bytes each time.

Every door is asked over HTTP and every receipt checked with the real command. Invariant: what is compared is the
digest of the bytes that the model gave, which the server signed.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import Running, running
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import reenact as rn

NAMES = ("alice", "liddell")


@dataclass(frozen=True)
class Live:
    """A model that is live, with rows for it."""

    server: Running
    endpoint: rn.Endpoint
    rows: np.ndarray

    @property
    def name(self) -> str:
        return self.endpoint.repository.split("/")[1]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("REENACT_URL", "REENACT_TOKEN", "HF_ENDPOINT", "HF_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("REENACT_HOME", str(tmp_path_factory.mktemp("home")))
        yield patch


@pytest.fixture(scope="module")
def live(binary: Path, tmp_path_factory, homes: pytest.MonkeyPatch, iris) -> Iterator[Live]:
    rows, classes = iris
    with running(binary, tmp_path_factory.mktemp("receipts")) as server:
        homes.setenv("REENACT_URL", server.url)
        homes.setenv("REENACT_TOKEN", server.token("alice"))
        homes.setenv("REENACT_BINARY", str(binary))
        model = LogisticRegression(max_iter=500).fit(rows, classes)
        rn.push(model, "alice/iris", example=rows[::30], labels=["setosa", "versicolor", "virginica"])
        yield Live(server, rn.deploy("alice/iris"), rows.astype(np.float32))


def post(url: str, body: object, headers: dict[str, str] | None = None) -> dict:
    known = {"authorization": f"Bearer {os.environ['REENACT_TOKEN']}"} if "/r/" not in url else {}
    sent = {"content-type": "application/json", **known, **(headers or {})}
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=sent)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def tensor(rows: np.ndarray) -> dict:
    return {"inputs": [{"name": "X", "shape": list(rows.shape), "datatype": "FP32", "data": rows.ravel().tolist()}]}


def verify(path: Path, *flags: str) -> tuple[int, dict]:
    command = [os.environ["REENACT_BINARY"], "receipt", "verify", str(path), "--json", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def kept(folder: Path, text: str) -> Path:
    return rn.Receipt(text).save(folder / "answer.receipt")


def predicate(text: str) -> dict:
    return rn.Receipt(text).statement["predicate"]


def test_every_door_gives_the_same_receipt_for_the_same_rows(live: Live, tmp_path):
    rows, base = live.rows[:3], live.endpoint.url.rstrip("/")
    header = {"x-reenact-receipt": "1"}
    by_v2 = post(f"{base}/v2/models/{live.name}/infer", tensor(rows), header)["parameters"]["receipt"]
    by_v1 = post(f"{base}/v1/models/{live.name}:predict", {"instances": rows.tolist()}, header)["receipt"]
    by_mlflow = post(f"{base}/invocations?receipt=1", {"inputs": rows.tolist()})["receipt"]
    by_python = live.endpoint.predict(rows, receipt=True).receipt.text
    stated = [predicate(text) for text in (by_v2, by_v1, by_mlflow, by_python)]
    assert len({said["input"]["sha256"] for said in stated}) == 1
    assert len({said["output"]["sha256"] for said in stated}) == 1
    assert stated[0]["model"]["repository"] == "alice/iris" and stated[0]["stability"]["is_stable"]
    for text in (by_v2, by_v1, by_mlflow, by_python):
        assert verify(kept(tmp_path, text))[0] == 0


def test_who_does_not_ask_gets_no_receipt(live: Live):
    base = live.endpoint.url.rstrip("/")
    assert set(post(f"{base}/invocations", {"inputs": live.rows[:1].tolist()})) == {"predictions"}
    assert "parameters" not in post(f"{base}/v2/models/{live.name}/infer", tensor(live.rows[:1]))
    assert "receipt" not in post(f"{base}/invocations?receipt=0&x=receipt=1", {"inputs": live.rows[:1].tolist()})


def test_a_receipt_holds_the_output_that_was_told(live: Live):
    answered = live.endpoint.predict(live.rows[::50], receipt=True)
    output = answered.receipt.statement["predicate"]["output"]["tensors"]
    (label,) = [one for one in output if one["name"] == "label"]
    classes = np.frombuffer(base64.b64decode(label["data"]), dtype="<i8")
    assert [live.endpoint.classes[i] for i in classes] == list(answered.predictions)


def test_a_receipt_with_any_byte_changed_is_refused(live: Live, tmp_path):
    path = live.endpoint.predict(live.rows[:1], receipt=True).receipt.save(tmp_path / "one.receipt")
    key = tmp_path / "keys.json"
    show = [os.environ["REENACT_BINARY"], "admin", "key", "show", "--data", str(live.server.data)]
    key.write_text(subprocess.run(show, capture_output=True, text=True, check=True, timeout=60).stdout)
    assert verify(path, "--key", str(key))[0] == 0
    whole = path.read_bytes()
    # `spec` tries each byte; here the command itself is seen to refuse, in each part of the file.
    for place in (0, 5, whole.index(b"payload\"") + 12, len(whole) // 2, whole.index(b"keyid") + 9, whole.index(b'"sig"') + 9, len(whole) - 3):
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        status, report = verify(path, "--key", str(key))
        assert status == 1 and not report["ok"] and "statement" not in report, place


def test_another_servers_key_does_not_fit(live: Live, tmp_path):
    path = live.endpoint.predict(live.rows[:1], receipt=True).receipt.save(tmp_path / "one.receipt")
    show = [os.environ["REENACT_BINARY"], "admin", "key", "show", "--data", str(tmp_path / "other")]
    (key := tmp_path / "other.json").write_text(subprocess.run(show, capture_output=True, text=True, check=True).stdout)
    status, report = verify(path, "--key", str(key))
    assert status == 1 and "not the server's" in report["checks"][0]["detail"]


def test_asking_again_gives_the_same_bytes_until_another_revision_is_served(live: Live, iris, tmp_path):
    rows, classes = iris
    name = "alice/again"
    rn.push(LogisticRegression(max_iter=500).fit(rows, classes), name, example=rows[::30])
    rn.deploy(name)
    (data := tmp_path / "rows.json").write_text(json.dumps(live.rows[:5].tolist()))
    receipt = tmp_path / "answer.receipt"
    binary = os.environ["REENACT_BINARY"]
    asked = [binary, "predict", name, "--data", str(data), "--receipt", str(receipt)]
    subprocess.run(asked, check=True, capture_output=True, timeout=60)
    status, report = verify(receipt, "--rerun", "--data", str(data))
    assert status == 0 and report["checks"][-1] == {"check": "rerun", "ok": True, "detail": "the same bytes"}
    (other := tmp_path / "other.json").write_text(json.dumps(live.rows[6:11].tolist()))
    status, report = verify(receipt, "--rerun", "--data", str(other))
    assert status == 1 and "not those that were asked" in report["checks"][-1]["detail"]
    rn.push(LogisticRegression(C=0.01).fit(rows, classes), name, example=rows[::30])
    rn.deploy(name)
    status, report = verify(receipt, "--rerun", "--data", str(data))
    assert status == 1 and "is served now" in report["checks"][-1]["detail"]


def test_a_receipt_through_an_anonymous_link_names_nobody(live: Live, tmp_path):
    link = rn.share("alice/iris", anonymous=True, round=2, top_k=1)
    text = post(f"{link.url}/invocations?receipt=1", {"inputs": live.rows[:3].tolist()})["receipt"]
    said = json.dumps(rn.Receipt(text).statement).lower()
    assert not [name for name in NAMES if name in said]
    assert predicate(text)["blunted"] == {"round": 2, "top_k": 1}
    path = kept(tmp_path, text)
    (data := tmp_path / "rows.json").write_text(json.dumps(live.rows[:3].tolist()))
    status, report = verify(path, "--rerun", "--data", str(data), "--link", link.url)
    assert status == 0 and report["checks"][-1]["detail"] == "the same bytes"


def test_a_link_proves_what_it_leads_to_and_keeps_proving_it(live: Live, iris, tmp_path):
    rows, classes = iris
    name = "alice/proved"
    rn.push(LogisticRegression(max_iter=500).fit(rows, classes), name, example=rows[::30])
    link = rn.share(name, anonymous=True)

    def proof() -> str:
        with urllib.request.urlopen(f"{link.url}/proof", timeout=30) as response:
            return response.read().decode()

    first = proof()
    rn.push(LogisticRegression(C=0.01).fit(rows, classes), name, example=rows[::30])
    assert proof() == first
    said = rn.Receipt(first).statement["predicate"]
    assert said["revision"] == link.revision and "alice" not in json.dumps(rn.Receipt(first).statement)
    status, report = verify(kept(tmp_path, first))
    assert status == 0 and report["ok"]
    asked = urllib.request.Request(
        f"{live.server.url}/api/v1/links/{link.id}/proof",
        headers={"authorization": f"Bearer {os.environ['REENACT_TOKEN']}"},
    )
    with urllib.request.urlopen(asked, timeout=30) as response:
        assert response.read().decode() == first


def single(endpoint: rn.Endpoint, rows: np.ndarray) -> list[dict[str, bytes]]:
    """The bytes that each row got when all were asked at once, by the name of the output."""
    output = endpoint.predict(rows, receipt=True).receipt.statement["predicate"]["output"]["tensors"]
    raw = {one["name"]: base64.b64decode(one["data"]) for one in output}
    return [{name: data[i * len(data) // len(rows) : (i + 1) * len(data) // len(rows)] for name, data in raw.items()} for i in range(len(rows))]


@pytest.mark.parametrize("kind", ["onnx", "python"])
def test_a_row_gets_the_same_bytes_alone_in_batches_among_others_and_with_more_threads(
    kind, binary, tmp_path_factory, homes, iris, monkeypatch
):
    rows, classes = iris
    asked = rows[::7].astype(np.float32)
    model = MLPClassifier(hidden_layer_sizes=(64,), random_state=0, max_iter=200).fit(rows, classes)
    # One folder for both servers: the environment of the Python model is built once.
    data, seen, token = tmp_path_factory.mktemp(kind), [], ""
    for n_threads in (1, 2):
        flags = [f"--runtime-threads={n_threads}", f"--python-workers={n_threads}"]
        with running(binary, data, *flags) as server:
            token = token or server.token("alice")
            monkeypatch.setenv("REENACT_URL", server.url)
            monkeypatch.setenv("REENACT_TOKEN", token)
            rn.push(model, "alice/net", example=rows[::30], convert=kind == "onnx")
            endpoint = rn.deploy("alice/net")
            described = described_by(server, "alice/net")
            assert described["stable"] is True and described["stability"].startswith("The same row gets the same bytes")
            alone = [single(endpoint, row[None])[0] for row in asked]
            batched = single(endpoint, asked)
            with ThreadPoolExecutor(8) as pool:
                crowded = list(pool.map(lambda row: single(endpoint, row[None])[0], asked))
            assert alone == batched == crowded
            seen.append(alone)
    assert seen[0] == seen[1]


def described_by(server: Running, name: str) -> dict:
    request = urllib.request.Request(
        f"{server.url}/api/v1/endpoints/{name}", headers={"authorization": f"Bearer {os.environ['REENACT_TOKEN']}"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)
