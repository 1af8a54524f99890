"""HTTP: patience with a busy server, its words in our errors, tokens that stay, tensors on the wire."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from reenact import ArgumentError, Endpoint, EndpointError, ServerError, _client, _tensors, deploy
from reenact._client import Question, Repository, parse_repository
from reenact._credentials import Server
from reenact.convert import Wishes, convert
from reenact.convert.onnx_model import OnnxModel

Respond = Callable[[BaseHTTPRequestHandler, bytes], tuple[int, dict[str, str], bytes]]


@pytest.fixture
def serve() -> Iterator[Callable[[Respond], str]]:
    running: list[ThreadingHTTPServer] = []

    def start(respond: Respond) -> str:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, content = respond(self, body)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer

            def log_message(self, *_: Any) -> None:
                pass

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=http.serve_forever, daemon=True).start()
        running.append(http)
        return f"http://127.0.0.1:{http.server_address[1]}"

    yield start
    for http in running:
        http.shutdown()
        http.server_close()


def test_a_busy_server_is_asked_again(serve):
    seen = []

    def respond(request, body):
        seen.append(request.path)
        return (503, {"Retry-After": "0.01"}, b"{}") if len(seen) < 3 else (200, {}, b'{"ok":true}')

    assert _client.ask(Server(serve(respond)), Question("GET", "/x")).json() == {"ok": True}
    assert len(seen) == 3


def test_patience_ends(serve, monkeypatch):
    monkeypatch.setattr(_client, "_PATIENCE_S", 0.3)
    with pytest.raises(ServerError) as caught:
        _client.ask(Server(serve(lambda *_: (503, {}, b'{"error":"queue is full"}'))), Question("GET", "/x"))
    assert caught.value.status == 503 and "queue is full" in caught.value.message
    with pytest.raises(ServerError, match="cannot be reached"):
        _client.ask(Server("http://127.0.0.1:1"), Question("GET", "/x"))


def test_problem_details_become_the_error(serve):
    problem = {"title": "Not found", "detail": "no model `a/b`", "hint": "look again", "code": "repository-not-found"}
    with pytest.raises(ServerError) as caught:
        _client.ask(Server(serve(lambda *_: (404, {}, json.dumps(problem).encode()))), Question("GET", "/x"))
    error = caught.value
    assert (error.status, error.code, error.hint) == (404, "repository-not-found", "look again")
    assert str(error) == "the server answered 404: no model `a/b`\nhint: look again"


def test_a_redirect_does_not_carry_the_token_to_another_host(serve):
    seen = {}

    def other(request, body):
        seen["other"] = request.headers.get("Authorization")
        return 200, {}, b"{}"

    elsewhere = serve(other)

    def respond(request, body):
        seen["first"] = request.headers.get("Authorization")
        return 302, {"Location": f"{elsewhere}/stolen"}, b""

    _client.ask(Server(serve(respond), "secret"), Question("GET", "/x"))
    assert seen == {"first": "Bearer secret", "other": None}


@pytest.mark.parametrize("text", ["iris", "a/b/c", "/b", "a/", "a/b@"])
def test_what_is_no_repository_is_refused(text):
    with pytest.raises(ArgumentError):
        parse_repository(text)


def test_a_revision_is_given_once():
    assert parse_repository("a/b@v1") == Repository("a/b", "v1") == parse_repository("a/b", revision="v1")
    with pytest.raises(ArgumentError):
        parse_repository("a/b@v1", revision="v2")


@pytest.mark.parametrize("has_numpy", [True, False], ids=["numpy", "lists"])
def test_tensors_survive_the_wire(monkeypatch, has_numpy):
    monkeypatch.setattr(_tensors, "has_numpy", lambda: has_numpy)
    inputs = [
        {"name": "x", "datatype": "FP32", "shape": [2, 2], "values": [[1.5, 2.0], [3.0, -4.0]]},
        {"name": "n", "datatype": "INT64", "shape": [2, 1], "values": [[2**40], [-1]]},
        {"name": "t", "datatype": "BYTES", "shape": [2, 1], "values": [["é"], [""]]},
    ]
    body, n_json = _tensors.request(inputs, ["y"])
    head = json.loads(body[:n_json])
    assert head["outputs"] == [{"name": "y", "parameters": {"binary_data": True}}]
    # An answer has the form of a request: what was sent is what is read.
    head["outputs"] = head.pop("inputs")
    text = json.dumps(head).encode()
    read = _tensors.answer(text + body[n_json:], len(text))
    assert {name: _tensors.plain_list(value) for name, value in read.items()} == {
        "x": [[1.5, 2.0], [3.0, -4.0]],
        "n": [[2**40], [-1]],
        "t": [["é"], [""]],
    }


def v2_server(onnx: OnnxModel) -> Respond:
    """An endpoint as the protocol has it, over a converted model."""

    def respond(request, body):
        n_json = int(request.headers["Inference-Header-Content-Length"])
        asked = json.loads(body[:n_json])
        at, rows = n_json, None
        for tensor in asked["inputs"]:
            size = tensor["parameters"]["binary_data_size"]
            rows = np.frombuffer(body[at : at + size], dtype="<f4").reshape(tensor["shape"])
            at += size
        answers = onnx.run(rows)
        blobs, outputs = [], []
        for output in asked["outputs"]:
            value = answers[output["name"]]
            datatype = {"i": "INT64", "f": "FP32"}[value.dtype.kind]
            blobs.append(value.tobytes())
            outputs.append(
                {
                    "name": output["name"],
                    "datatype": datatype,
                    "shape": list(value.shape),
                    "parameters": {"binary_data_size": len(blobs[-1])},
                }
            )
        head = json.dumps({"model_name": "iris", "outputs": outputs}).encode()
        return 200, {"Inference-Header-Content-Length": str(len(head))}, head + b"".join(blobs)

    return respond


def test_an_endpoint_answers_in_peoples_words(serve, iris):
    rows, classes = iris
    original = LogisticRegression(max_iter=500).fit(rows, classes)
    names = ["setosa", "versicolor", "virginica"]
    converted = convert(original, rows[::30], Wishes(labels=names))
    schema = {
        "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}],
        "outputs": [],
        "input": {"kind": "table", "features": [column.as_manifest() for column in converted.columns]},
        "output": converted.output.as_manifest(),
    }
    server = Server(serve(v2_server(OnnxModel(converted.content))))
    endpoint = Endpoint(server, {"repository": "alice/iris", "state": "ready", "url": server.url}, schema)
    wanted = [names[label] for label in original.predict(rows[::40])]
    assert list(endpoint.predict(rows[::40])) == wanted
    assert list(endpoint.predict(rows[::40].tolist())) == wanted
    assert (
        list(endpoint.predict(pd.DataFrame(rows[::40], columns=["x0", "x1", "x2", "x3"])[["x3", "x2", "x1", "x0"]]))
        == wanted
    )
    assert np.allclose(endpoint.predict_proba(rows), original.predict_proba(rows), atol=1e-6)
    assert endpoint.classes == names
    with pytest.raises(ArgumentError, match="several rows"):
        endpoint.predict(rows[0])


def test_deploy_waits_until_ready_and_says_why_it_failed(serve, own_home):
    states = iter(["pending", "starting", "ready"])
    seen = []

    def respond(request, body):
        seen.append((request.command, request.path))
        if request.path.startswith("/api/v1/models"):
            return 200, {}, b'{"repository":"a/b","facts":{"schema":{"inputs":[]}}}'
        state = next(states)
        document = {"repository": "a/b", "revision": "f" * 40, "state": state, "url": "/endpoints/a/b/"}
        return 202, {}, json.dumps(document).encode()

    url = serve(respond)
    endpoint = deploy("a/b", url=url)
    assert (endpoint.state, endpoint.revision, endpoint.url) == ("ready", "f" * 40, f"{url}/endpoints/a/b/")
    assert seen[0] == ("POST", "/api/v1/endpoints") and seen[1] == ("GET", "/api/v1/endpoints/a/b")

    failed = {"repository": "a/b", "revision": "f" * 40, "state": "failed", "reason": "no such operator"}
    with pytest.raises(EndpointError, match="is failed: no such operator"):
        deploy("a/b", url=serve(lambda *_: (200, {}, json.dumps(failed).encode())))
