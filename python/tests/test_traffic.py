"""Who answers for an endpoint and how much: shares, limits, runtimes that come, go and crash, what is counted, recorded
and written, over plain HTTP and by the command.

Knows processes by their parent, as an operator would with `ps`. Invariant: shares are exact, and nothing that is told
of an endpoint is told to those who may not change it.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import onnx
import pytest
from conftest import Running, running, until
from onnx import TensorProto, helper
from test_endpoints import runtimes

import reenact as rn

SLOW = """
import time

def predict(seconds: float) -> float:
    print("asked for", seconds)
    time.sleep(seconds)
    return seconds
"""

# The runtime says that it did not start long after another one has.
LATE = """
import time

time.sleep(4)
raise RuntimeError("too late")

def predict(seconds: float) -> float:
    return seconds
"""


@pytest.fixture(scope="module")
def house(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    flags = ("--idle-after=3s", "--predict-timeout=20s", "--queue=64", "--replicas=2")
    with running(binary, tmp_path_factory.mktemp("server"), *flags) as server:
        yield server


@pytest.fixture(scope="module")
def tokens(house: Running) -> dict[str, str]:
    return {name: house.token(name) for name in ("alice", "bob")}


@pytest.fixture(autouse=True)
def signed_in(
    house: Running, tokens: dict[str, str], own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REENACT_URL", house.url)
    monkeypatch.setenv("REENACT_TOKEN", tokens["alice"])


def push_adding(folder: Path, name: str, number: float) -> None:
    """A new revision of a model that adds this number."""
    folder.mkdir(exist_ok=True)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])]
    constant = helper.make_tensor("k", TensorProto.FLOAT, [1], [number])
    graph = helper.make_graph([helper.make_node("Add", ["x", "k"], ["y"])], "add", inputs, outputs, [constant])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, str(folder / "model.onnx"))
    rn.push(folder, name, public=True)


def ask(
    house: Running, name: str, values: list[float], headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection(house.url.removeprefix("http://"), timeout=60)
    try:
        body = json.dumps({"instances": [[value] for value in values]})
        path = f"/endpoints/{name}/v1/models/{name.split('/')[1]}:predict"
        connection.request("POST", path, body, headers or {})
        response = connection.getresponse()
        told = {key.lower(): value for key, value in response.getheaders()}
        return response.status, told, json.loads(response.read())
    finally:
        connection.close()


def api(
    house: Running, method: str, path: str, body: object = None, *, token: str | None = None
) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token or os.environ['REENACT_TOKEN']}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(house.url + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def reenact(house: Running, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(house.binary), *words], capture_output=True, text=True, timeout=60, check=False
    )


def shares(house: Running, name: str) -> dict[str, int]:
    _, described = api(house, "GET", f"/api/v1/endpoints/{name}")
    return {target["revision"]: target["percent"] for target in described["targets"]}


def answering(house: Running, name: str, n: int, headers: dict[str, str] | None = None) -> Counter[str]:
    told = [ask(house, name, [1.0], headers) for _ in range(n)]
    assert {status for status, _, _ in told} == {200}
    return Counter(headers["x-reenact-revision"] for _, headers, _ in told)


def test_a_canary_gets_exactly_its_share_until_it_is_promoted_or_taken_back(house, tmp_path):
    name = "alice/shared"
    push_adding(tmp_path / "model", name, 1.0)
    first = rn.deploy(name).revision
    push_adding(tmp_path / "model", name, 2.0)
    done = reenact(house, "deploy", name, "--canary", "10", "--wait")
    assert done.returncode == 0, done.stderr
    (second,) = set(shares(house, name)) - {first}
    assert shares(house, name) == {first: 90, second: 10}
    assert answering(house, name, 100) == {first: 90, second: 10}
    by_key = [answering(house, name, 3, {"X-Reenact-Key": str(key)}) for key in range(40)]
    assert all(len(revisions) == 1 for revisions in by_key)
    assert {revision for revisions in by_key for revision in revisions} == {first, second}
    assert answering(house, name, 5, {"X-Reenact-Revision": second[:10]}) == {second: 5}
    status, _, told = ask(house, name, [1.0], {"X-Reenact-Revision": "0" * 40})
    assert (status, told["code"]) == (404, "not-found")
    assert reenact(house, "endpoints", "traffic", name, f"{first}=50", f"{second}=50").returncode == 0
    assert answering(house, name, 100) == {first: 50, second: 50}
    for wrong in ([{"revision": first, "percent": 99}], [{"revision": first, "percent": 50}] * 2, []):
        assert api(house, "PUT", f"/api/v1/endpoints/{name}/targets", {"targets": wrong})[0] == 400
    assert reenact(house, "endpoints", "rollback", name).returncode == 0
    assert shares(house, name) == {first: 90, second: 10}
    done = reenact(house, "endpoints", "promote", name)
    assert done.returncode == 0 and "100 %" in done.stdout
    assert answering(house, name, 10) == {second: 10}
    assert reenact(house, "endpoints", "promote", name).returncode != 0
    for _ in range(2):
        assert reenact(house, "endpoints", "rollback", name).returncode == 0
    assert answering(house, name, 10) == {first: 10}
    assert reenact(house, "endpoints", "rollback", name).returncode != 0


def test_a_canary_that_does_not_start_leaves_the_requests_where_they_were(house, tmp_path):
    name = "alice/unlucky"
    push_adding(tmp_path / "model", name, 1.0)
    first = rn.deploy(name).revision
    (tmp_path / "model" / "model.onnx").write_bytes(b"\x08\x09no model of any kind")
    rn.push(tmp_path / "model", name)
    done = reenact(house, "deploy", name, "--canary", "50", "--wait")
    assert done.returncode != 0
    assert shares(house, name) == {first: 100}
    assert answering(house, name, 10) == {first: 10}
    status, told = api(house, "POST", "/api/v1/endpoints", {"repository": name, "revision": first, "canary": 0})
    assert (status, told["code"]) == (400, "bad-request")


def test_a_deploy_that_fails_late_says_nothing_of_the_one_after_it(house, tmp_path):
    name = "alice/overtaken"
    (tmp_path / "predict.py").write_text(LATE)
    rn.push(tmp_path / "predict.py", name, public=True)
    assert api(house, "POST", "/api/v1/endpoints", {"repository": name})[0] == 202
    address = f"/api/v1/endpoints/{name}"
    until(lambda: api(house, "GET", address)[1]["state"] == "starting")
    push_adding(tmp_path / "model", name, 1.0)
    rn.deploy(name)
    until(lambda: "too late" in reenact(house, "endpoints", "logs", name).stdout)
    until(lambda: 'reenact_models{state="starting"} 0' in urllib.request.urlopen(house.url + "/metrics").read().decode())
    # It may sleep by then, because nobody asked it; it has not failed.
    assert api(house, "GET", address)[1]["state"] in ("ready", "idle")
    assert answering(house, name, 3).total() == 3


def test_limits_hold_within_what_the_operator_allows(house, tokens, tmp_path):
    name = "alice/limited"
    (tmp_path / "predict.py").write_text(SLOW)
    rn.push(tmp_path / "predict.py", name, public=True)
    rn.deploy(name)
    address = f"/api/v1/endpoints/{name}"
    for wrong in (
        {"concurrency": 65},
        {"max_replicas": 3},
        {"min_replicas": 2},
        {"request_timeout": "21s"},
        {"memory": "1000 GiB"},
        {"log_sample": 2},
        {"idle_after": "soon"},
        {"colour": "red"},
    ):
        status, told = api(house, "PATCH", address, wrong)
        assert status == 400 and next(iter(wrong)) in told["detail"], told
    assert api(house, "PATCH", address, {"concurrency": 1}, token=tokens["bob"])[0] == 403
    done = reenact(house, "endpoints", "set", name, "concurrency=2", "request_timeout=1s", "memory=512MiB")
    assert done.returncode == 0 and "concurrency=2 request_timeout=1s" in done.stdout, done
    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(pool.map(lambda _: ask(house, name, [0.3])[0], range(8)))
    assert statuses[503] >= 1 and statuses[200] >= 1 and set(statuses) <= {200, 503}, statuses
    status, _, told = ask(house, name, [4.0])
    assert (status, told["code"]) == (504, "predict-timeout")
    _, told = api(house, "PATCH", address, {"concurrency": "default", "request_timeout": "default"})
    assert (told["options"]["concurrency"], told["options"]["request_timeout"]) == (64, "20s")


def test_a_queue_that_stays_brings_another_runtime_and_idleness_ends_it(house, tmp_path):
    name = "alice/popular"
    (tmp_path / "predict.py").write_text(SLOW)
    rn.push(tmp_path / "predict.py", name, public=True)
    rn.deploy(name)
    assert reenact(house, "endpoints", "set", name, "max_replicas=2", "min_replicas=1").returncode == 0
    done = threading.Event()
    statuses: Counter[int] = Counter()

    def keep_asking() -> None:
        while not done.is_set():
            statuses[ask(house, name, [0.2])[0]] += 1

    def n_replicas() -> int:
        _, described = api(house, "GET", f"/api/v1/endpoints/{name}")
        return sum(target["replicas"] for target in described["targets"])

    askers = [threading.Thread(target=keep_asking) for _ in range(6)]
    for asker in askers:
        asker.start()
    try:
        until(lambda: n_replicas() == 2)
    finally:
        done.set()
        for asker in askers:
            asker.join()
    assert set(statuses) == {200}, statuses
    until(lambda: n_replicas() == 1)
    # One is kept awake, for longer than the other endpoints of this server stay so.
    asleep = time.monotonic() + 5
    until(lambda: time.monotonic() > asleep or n_replicas() != 1)
    assert n_replicas() == 1
    assert reenact(house, "endpoints", "set", name, "min_replicas=0").returncode == 0
    until(lambda: n_replicas() == 0)


def test_a_model_that_crashes_again_and_again_is_left_to_rest_and_others_are_not(house, tmp_path):
    # What other tests left behind goes to sleep.
    until(lambda: not runtimes(house))
    push_adding(tmp_path / "steady", "alice/steady", 1.0)
    rn.deploy("alice/steady")
    assert reenact(house, "endpoints", "set", "alice/steady", "min_replicas=1").returncode == 0
    (steady,) = runtimes(house)
    push_adding(tmp_path / "crashing", "alice/crashing", 1.0)
    rn.deploy("alice/crashing")
    refused: list[tuple[int, dict[str, str], Any]] = []

    def crash() -> bool:
        for pid in runtimes(house):
            if pid != steady:
                os.kill(pid, signal.SIGKILL)
        told = ask(house, "alice/crashing", [1.0])
        assert told[0] in (200, 503), told
        refused.extend([told] if told[0] == 503 else [])
        return bool(refused)

    until(crash)
    status, headers, told = refused[0]
    assert "crashed" in told["error"] and "retry-after" in headers
    _, described = api(house, "GET", "/api/v1/endpoints/alice/crashing")
    assert described["state"] == "crashed" and "signal: 9" in described["reason"], described
    assert ask(house, "alice/steady", [1.0])[0] == 200
    assert steady in runtimes(house)
    assert 'reenact_models{state="crashed"} 1' in urllib.request.urlopen(house.url + "/metrics").read().decode()
    until(lambda: ask(house, "alice/crashing", [1.0])[0] == 200)
    assert reenact(house, "endpoints", "set", "alice/steady", "min_replicas=0").returncode == 0


def test_what_is_asked_is_counted_for_those_who_may_change_the_endpoint(house, tokens, tmp_path):
    name = "alice/counted"
    push_adding(tmp_path / "model", name, 1.0)
    rn.deploy(name)
    answering(house, name, 7)
    assert ask(house, name, ["no number"])[0] == 400  # type: ignore[list-item]
    address = f"/api/v1/endpoints/{name}/metrics"
    _, told = api(house, "GET", address)
    assert sum(minute["requests"] for minute in told["minutes"]) == 7
    counted = told["minutes"][-1]
    assert sum(sum(minute["latency"]) for minute in told["minutes"]) == 7
    assert set(counted) >= {"errors", "cold_starts", "cpu_s"}
    until(lambda: sum(minute["cpu_s"] for minute in api(house, "GET", address)[1]["minutes"]) > 0)
    assert api(house, "GET", address, token=tokens["bob"])[0] == 403
    assert "REQUESTS" in reenact(house, "endpoints", "metrics", name).stdout
    # By another name it is the same endpoint.
    moved = {"fromRepo": name, "toRepo": "alice/counted-on"}
    assert api(house, "POST", "/api/repos/move", moved)[0] == 200
    _, told = api(house, "GET", "/api/v1/endpoints/alice/counted-on/metrics")
    assert sum(minute["requests"] for minute in told["minutes"]) == 7


def test_requests_are_recorded_when_their_owner_wants_it_and_never_those_by_a_link(house, tokens, tmp_path):
    name = "alice/recorded"
    push_adding(tmp_path / "model", name, 1.0)
    rn.deploy(name)
    answering(house, name, 3)
    done = reenact(house, "endpoints", "requests", name, "--json")
    assert json.loads(done.stdout) == []
    assert reenact(house, "endpoints", "set", name, "log_sample=0.5").returncode == 0
    link = rn.share(name)
    request = urllib.request.Request(f"{link.url}/v1/models/model:predict", b'{"instances": [[77.0]]}')
    for _ in range(4):
        assert urllib.request.urlopen(request, timeout=60).status == 200
    for number in range(8):
        assert ask(house, name, [float(number)])[0] == 200

    def recorded() -> list[dict[str, Any]]:
        return json.loads(reenact(house, "endpoints", "requests", name, "--json").stdout)

    until(lambda: len(recorded()) == 4)
    asked = [json.loads(one["request"])["x"] for one in recorded()]
    answered = [json.loads(one["response"])["y"] for one in recorded()]
    assert [[value + 1] for (value,) in asked] == answered and [77.0] not in asked
    assert {one["outcome"] for one in recorded()} == {"answered"}
    assert api(house, "GET", f"/api/v1/endpoints/{name}/requests", token=tokens["bob"])[0] == 403


def test_a_log_is_followed_line_by_line(house, tmp_path):
    name = "alice/talking"
    (tmp_path / "predict.py").write_text(SLOW)
    rn.push(tmp_path / "predict.py", name, public=True)
    rn.deploy(name)
    command = [str(house.binary), "endpoints", "logs", name, "--follow"]
    following = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(iter(following.stdout.readline, "")), daemon=True)  # type: ignore[union-attr]
    reader.start()
    try:
        until(lambda: any("starting the runtime" in line for line in lines))
        assert ask(house, name, [0.0625])[0] == 200
        until(lambda: any("asked for 0.0625" in line for line in lines))
    finally:
        following.terminate()
        following.wait()


def test_a_server_that_stops_ends_those_who_follow_a_log(binary, tmp_path, monkeypatch):
    with running(binary, tmp_path / "server") as server:
        monkeypatch.setenv("REENACT_URL", server.url)
        monkeypatch.setenv("REENACT_TOKEN", server.token("alice"))
        push_adding(tmp_path / "model", "alice/followed", 1.0)
        rn.deploy("alice/followed")
        command = [str(binary), "endpoints", "logs", "alice/followed", "--follow"]
        following = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert following.stdout is not None and following.stdout.readline()
        os.kill(server.pid, signal.SIGTERM)
        assert following.wait(timeout=20) is not None
        following.stdout.close()
