"""What happens to requests when runtimes come, go, crash, sleep and are asked too much, over plain HTTP.

Knows processes by their parent, as an operator would with `ps`. Invariant: no request is lost; each is answered or
told to come again.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import onnx
import pytest
from conftest import Running, running, until
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import reenact as rn

QUEUE = 64


@pytest.fixture
def small(binary: Path, tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A server with a short queue, whose runtimes sleep early; alice is signed in."""
    with running(binary, tmp_path / "server", f"--queue={QUEUE}", "--idle-after=1s") as server:
        monkeypatch.setenv("REENACT_URL", server.url)
        monkeypatch.setenv("REENACT_TOKEN", server.token("alice"))
        yield server


def push(model, name: str, iris: tuple[np.ndarray, np.ndarray]) -> rn.Endpoint:
    rows, classes = iris
    rn.push(model.fit(rows, classes), name, example=rows[::30], public=True)
    return rn.deploy(name)


def ask(server: Running, name: str, rows: list[list[float]]) -> tuple[int, dict[str, str], object]:
    """One request on a connection of its own: status, headers, answer."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    try:
        body = json.dumps({"instances": rows})
        connection.request("POST", f"/endpoints/{name}/v1/models/{name.split('/')[1]}:predict", body)
        response = connection.getresponse()
        headers = {key.lower(): value for key, value in response.getheaders()}
        return response.status, headers, json.loads(response.read())
    finally:
        connection.close()


def runtimes(server: Running) -> list[int]:
    """The processes that hold models: the server's children."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
                is_gone = stat.rpartition(") ")[2].startswith("Z")
                parent = int(stat.rpartition(") ")[2].split()[1])
            except (OSError, ValueError):
                continue
            if parent == server.pid and not is_gone:
                found.append(int(entry.name))
    return found


def test_a_new_revision_takes_over_without_a_failed_request(small, iris):
    push(LogisticRegression(max_iter=500), "alice/swapped", iris)
    row = [iris[0][0].tolist()]
    statuses: Counter[int] = Counter()
    revisions: set[str] = set()
    done = threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            status, headers, _ = ask(small, "alice/swapped", row)
            statuses[status] += 1
            revisions.add(headers.get("x-reenact-revision", ""))

    askers = [threading.Thread(target=keep_asking) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        push(RandomForestClassifier(n_estimators=5, random_state=0, n_jobs=1), "alice/swapped", iris)
        until(lambda: len(revisions) == 2)
    finally:
        done.set()
        for asker in askers:
            asker.join()
    assert set(statuses) == {200}, statuses


def test_a_crashed_runtime_costs_no_answer(small, iris):
    push(LogisticRegression(max_iter=500), "alice/crashed", iris)
    row = [iris[0][0].tolist()]
    before = ask(small, "alice/crashed", row)
    for pid in runtimes(small):
        os.kill(pid, signal.SIGKILL)
    after = ask(small, "alice/crashed", row)
    assert (after[0], after[2]) == (200, before[2])


def test_a_model_that_sleeps_is_woken_once_for_all_who_ask(small, iris):
    push(LogisticRegression(max_iter=500), "alice/sleepy", iris)
    until(lambda: not runtimes(small))
    row = [iris[0][0].tolist()]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ask(small, "alice/sleepy", row), range(16)))
    assert {status for status, _, _ in answers} == {200}
    assert len(runtimes(small)) == 1


def test_what_is_too_much_is_told_to_come_again(small, iris):
    push(RandomForestClassifier(n_estimators=300, random_state=0, n_jobs=1), "alice/busy", iris)
    rows = np.repeat(iris[0], 8, axis=0).tolist()
    with ThreadPoolExecutor(300) as pool:
        answers = list(pool.map(lambda _: ask(small, "alice/busy", rows), range(1000)))
    statuses = Counter(status for status, _, _ in answers)
    assert set(statuses) <= {200, 503}, statuses
    assert statuses[200] >= QUEUE and statuses[503] > 0, statuses
    assert all("retry-after" in headers for status, headers, _ in answers if status == 503)
    assert ask(small, "alice/busy", [iris[0][0].tolist()])[0] == 200


def test_a_stopped_endpoint_says_so_and_a_deploy_starts_it_again(small, iris):
    push(LogisticRegression(max_iter=500), "alice/stopped", iris)
    row = [iris[0][0].tolist()]
    connection = http.client.HTTPConnection(urlsplit(small.url).netloc, timeout=30)
    headers = {"Authorization": f"Bearer {os.environ['REENACT_TOKEN']}"}
    connection.request("DELETE", "/api/v1/endpoints/alice/stopped", headers=headers)
    assert json.loads(connection.getresponse().read())["state"] == "stopped"
    status, _, told = ask(small, "alice/stopped", row)
    assert status == 503 and "stopped" in told["error"]
    rn.deploy("alice/stopped")
    assert ask(small, "alice/stopped", row)[0] == 200


def save_apart(model: Path, data: Path) -> np.ndarray:
    """Writes a model whose weights lie in a file of their own, as exporters do above 2 GB; returns the weights."""
    weights = np.arange(40_000, dtype=np.float32).reshape(4, 10_000)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 10_000])]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "apart", inputs, outputs, [numpy_helper.from_array(weights, "w")])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, str(model), save_as_external_data=True, location=data.name, size_threshold=1024)
    assert data.stat().st_size == weights.nbytes
    return weights


def test_a_model_whose_weights_lie_beside_it_is_served(small, tmp_path):
    (folder := tmp_path / "model").mkdir()
    weights = save_apart(folder / "model.onnx", folder / "model.onnx.data")
    rn.push(folder, "alice/apart", public=True)
    rn.deploy("alice/apart")
    status, headers, answer = ask(small, "alice/apart", [[1.0, 0.0, 0.0, 0.0]])
    assert (status, answer["predictions"]) == (200, [weights[0].tolist()])
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    assert headers["x-reenact-weights"] == f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def test_why_a_model_does_not_start_is_told_to_its_owner_alone(small, tmp_path):
    (folder := tmp_path / "model").mkdir()
    save_apart(folder / "model.onnx", folder / "model.onnx.data")
    (folder / "model.onnx.data").write_bytes(b"cut off")
    rn.push(folder, "alice/cut", public=True)
    with pytest.raises(rn.ReenactError, match=r"could not load the model `model\.onnx`"):
        rn.deploy("alice/cut")
    status, _, answer = ask(small, "alice/cut", [[1.0, 0.0, 0.0, 0.0]])
    assert status == 503
    assert "its owner can see why" in answer["message"] and "model.onnx" not in json.dumps(answer)
