"""gRPC clients that others wrote, unmodified, on the port of everything else: tritonclient, health, reflection.

Invariant: every method is tried by every kind of actor, and what is told to whom is written out in this file.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from conftest import running
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from sklearn.linear_model import LogisticRegression
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

import reenact as rn

SERVICE = "inference.GRPCInferenceService"


@dataclass(frozen=True)
class Live:
    """A server, a model on it twice (public and private), who may ask it, and rows to ask."""

    address: str
    model: LogisticRegression
    rows: np.ndarray
    tokens: dict[str, str]
    link: str
    anonymous: str


@pytest.fixture(scope="module")
def live(server, alice, bob, iris) -> Live:
    rows, classes = iris
    model = LogisticRegression(max_iter=500).fit(rows, classes)
    carol = server.token("grpc-carol")
    there = {"url": server.url, "token": alice.token}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REENACT_BINARY", str(server.binary))
        for name, public in (("by-grpc", True), ("by-grpc-private", False)):
            rn.push(model, f"alice/{name}", example=rows[::30], public=public, **there)
            rn.deploy(f"alice/{name}", **there)
    put(server.url, alice.token, "/api/v1/models/alice/by-grpc-private/grants/grpc-carol", b'{"action": "predict"}')
    links = [rn.share("alice/by-grpc-private", anonymous=hidden, calls=20, **there).url for hidden in (False, True)]
    names = [f"r/{link.rsplit('/', 1)[1]}" for link in links]
    tokens = {"owner": alice.token, "stranger": bob.token, "granted": carol, "wrong": "no-token-of-anybody"}
    return Live(server.url.removeprefix("http://"), model, rows[::10].astype(np.float32), tokens, *names)


def put(url: str, token: str, path: str, body: bytes, method: str = "PUT") -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url + path, body, headers, method=method), timeout=30):
        pass


@pytest.fixture
def client(live: Live) -> Iterator[Any]:
    with triton.InferenceServerClient(live.address) as client:
        yield client


@pytest.fixture
def stub(live: Live) -> Iterator[Any]:
    with grpc.insecure_channel(live.address) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def tensor(rows: np.ndarray, name: str = "X") -> Any:
    made = triton.InferInput(name, list(rows.shape), "FP32")
    made.set_data_from_numpy(rows)
    return made


def raw(model: str, rows: np.ndarray, **more: Any) -> Any:
    described = {"name": "X", "datatype": "FP32", "shape": list(rows.shape)}
    contents = [rows.astype("<f4").tobytes()]
    return service_pb2.ModelInferRequest(
        model_name=model, inputs=[described], raw_input_contents=contents, **more
    )


def test_tritonclient_asks_and_is_answered_as_over_http(live: Live, client: Any) -> None:
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("alice/by-grpc")
    metadata = client.get_model_metadata("alice/by-grpc")
    assert (metadata.name, metadata.inputs[0].datatype, list(metadata.inputs[0].shape)) == ("alice/by-grpc", "FP32", [-1, 4])
    assert client.get_server_metadata().name == "reenact"
    wanted = [triton.InferRequestedOutput(name) for name in ("probabilities", "label")]
    answer = client.infer("alice/by-grpc", [tensor(live.rows)], outputs=wanted, request_id="seven")
    response = answer.get_response()
    assert (response.id, [output.name for output in response.outputs]) == ("seven", ["probabilities", "label"])
    assert np.array_equal(answer.as_numpy("label"), live.model.predict(live.rows))
    assert np.allclose(answer.as_numpy("probabilities"), live.model.predict_proba(live.rows), atol=1e-5)
    version = metadata.versions[0]
    assert client.is_model_ready("alice/by-grpc", version[:10])
    packed = client.infer("alice/by-grpc", [tensor(live.rows)], model_version=version, compression_algorithm="gzip")
    assert np.array_equal(packed.as_numpy("label"), answer.as_numpy("label"))


def test_typed_values_are_answered_typed(live: Live, stub: Any) -> None:
    row = live.rows[0]
    contents = {"fp32_contents": row.tolist()}
    request = service_pb2.ModelInferRequest(
        model_name="alice/by-grpc", inputs=[{"name": "X", "datatype": "FP32", "shape": [1, 4], "contents": contents}]
    )
    response = stub.ModelInfer(request)
    assert not response.raw_output_contents
    outputs = {output.name: output for output in response.outputs}
    assert list(outputs["label"].contents.int64_contents) == live.model.predict([row]).tolist()
    assert np.allclose(outputs["probabilities"].contents.fp32_contents, live.model.predict_proba([row])[0], atol=1e-5)


def test_each_answer_names_what_answered(live: Live, stub: Any) -> None:
    _, call = stub.ModelInfer.with_call(raw("alice/by-grpc", live.rows[:1]))
    named = dict(call.initial_metadata())
    assert named["x-reenact-repository"] == "alice/by-grpc" and len(named["x-reenact-revision"]) == 40


# What each method answers to whom. The public model, the private one, and what a link leads to.
NOBODY, STRANGER, GRANTED, OWNER, WRONG = "nobody", "stranger", "granted", "owner", "wrong"
MATRIX = {
    "ServerLive": dict.fromkeys((NOBODY, STRANGER, GRANTED, OWNER, WRONG), "OK OK"),
    "ServerReady": dict.fromkeys((NOBODY, STRANGER, GRANTED, OWNER, WRONG), "OK OK"),
    "ServerMetadata": dict.fromkeys((NOBODY, STRANGER, GRANTED, OWNER, WRONG), "OK OK"),
}
for _method in ("ModelReady", "ModelMetadata", "ModelInfer", "Check"):
    MATRIX[_method] = {
        NOBODY: "OK NOT_FOUND",
        STRANGER: "OK NOT_FOUND",
        GRANTED: "OK OK",
        OWNER: "OK OK",
        WRONG: "UNAUTHENTICATED UNAUTHENTICATED",
    }


@pytest.mark.parametrize("method", sorted(MATRIX))
def test_who_may_do_what(live: Live, method: str) -> None:
    told = {actor: " ".join(status(live, method, f"alice/{name}", actor) for name in ("by-grpc", "by-grpc-private"))
            for actor in MATRIX[method]}  # fmt: skip
    assert told == MATRIX[method]
    for name in (live.link, live.anonymous):
        assert status(live, method, name, NOBODY) == "OK"
    if method not in ("ServerLive", "ServerReady", "ServerMetadata"):
        # As for who may not know: a model that is not there and one that is private look the same.
        assert status(live, method, "alice/never-was", STRANGER) == "NOT_FOUND"
        assert status(live, method, "r/no-such-link", OWNER) == "NOT_FOUND"


def status(live: Live, method: str, model: str, actor: str) -> str:
    metadata = [("authorization", f"Bearer {live.tokens[actor]}")] if actor in live.tokens else []
    messages = {
        "ModelReady": lambda: service_pb2.ModelReadyRequest(name=model),
        "ModelMetadata": lambda: service_pb2.ModelMetadataRequest(name=model),
        "ModelInfer": lambda: raw(model, live.rows[:1]),
        "Check": lambda: health_pb2.HealthCheckRequest(service=model),
    }
    request = messages.get(method, getattr(service_pb2, f"{method}Request", None))()
    with grpc.insecure_channel(live.address) as channel:
        stub = health_pb2_grpc.HealthStub if method == "Check" else service_pb2_grpc.GRPCInferenceServiceStub
        try:
            getattr(stub(channel), method)(request, metadata=metadata, timeout=30)
        except grpc.RpcError as error:
            return error.code().name
    return "OK"


def test_an_anonymous_link_names_nobody(live: Live, stub: Any) -> None:
    response, call = stub.ModelInfer.with_call(raw(live.anonymous, live.rows[:1]))
    told = str(response) + str(call.initial_metadata()) + str(call.trailing_metadata())
    assert "alice" not in told and "by-grpc" not in told
    with pytest.raises(grpc.RpcError) as refused:
        stub.ModelInfer(raw(live.anonymous, live.rows[:1, :2]))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT and "alice" not in refused.value.details()


def test_a_links_budget_is_counted_here_too(server, alice, live: Live, stub: Any) -> None:
    link = rn.share("alice/by-grpc-private", calls=2, url=server.url, token=alice.token)
    name = f"r/{link.url.rsplit('/', 1)[1]}"
    stub.ModelInfer(raw(name, live.rows[:2]))
    with pytest.raises(grpc.RpcError) as refused:
        stub.ModelInfer(raw(name, live.rows[:1]))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(refused.value.trailing_metadata())["x-reenact-error"] == "link-used-up"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"raw_input_contents": []}, "has no data"),
        ({"raw_input_contents": [b"abc"]}, "X"),
        ({"raw_input_contents": [b"\0" * 16, b"\0" * 16]}, "raw values of 2 inputs"),
        ({"raw_input_contents": [np.full(4, np.nan, "<f4").tobytes()]}, "NaN"),
        ({"inputs": [{"name": "Y", "datatype": "FP32", "shape": [1, 4]}]}, "no input `Y`"),
        ({"inputs": [{"name": "X", "datatype": "FP64", "shape": [1, 4]}]}, "FP32 is wanted"),
        ({"inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}]}, "shape"),
        ({"inputs": [{"name": "X", "datatype": "FP32", "shape": [0, 4]}]}, "no rows"),
        ({"outputs": [{"name": "nothing"}]}, "no output `nothing`"),
        ({"outputs": [{"name": "label", "parameters": {"classification": {"int64_param": 1}}}]}, "classification"),
        ({"model_version": "0123456"}, "target of this endpoint"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(live: Live, stub: Any, change: dict[str, Any], words: str) -> None:
    message = {
        "model_name": "alice/by-grpc",
        "inputs": [{"name": "X", "datatype": "FP32", "shape": [1, 4]}],
        "raw_input_contents": [live.rows[0].tobytes()],
        **change,
    }
    with pytest.raises(grpc.RpcError) as refused:
        stub.ModelInfer(service_pb2.ModelInferRequest(**message))
    wanted = grpc.StatusCode.NOT_FOUND if "model_version" in change else grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.code() is wanted
    assert words in refused.value.details() and "hint:" in refused.value.details()


def test_bytes_that_are_no_message_harm_nobody(live: Live, client: Any) -> None:
    with grpc.insecure_channel(live.address) as channel:
        for path in (f"/{SERVICE}/ModelInfer", f"/{SERVICE}/ModelStreamInfer", "/grpc.health.v1.Health/Check"):
            call = channel.unary_unary(path, request_serializer=lambda data: data, response_deserializer=lambda data: data)
            with pytest.raises(grpc.RpcError) as refused:
                call(b"\xff\xff\xff", timeout=30)
            assert refused.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED)
        # Four million empty inputs take eight million bytes, and would take more than a thousand in memory.
        call = channel.unary_unary(f"/{SERVICE}/ModelInfer", request_serializer=lambda data: data)
        with pytest.raises(grpc.RpcError) as refused:
            call(b"\x2a\x00" * 4_000_000, timeout=30)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT and "more than 256" in refused.value.details()
    assert client.is_server_live()


def test_a_receipt_comes_with_the_answer(live: Live, stub: Any) -> None:
    asked = raw("alice/by-grpc", live.rows[:1])
    assert not stub.ModelInfer(asked).parameters
    signed = stub.ModelInfer(asked, metadata=[("x-reenact-receipt", "1")])
    assert "payload" in json.loads(signed.parameters["receipt"].string_param)


def test_a_version_that_is_not_served_is_not_there(live: Live, stub: Any) -> None:
    for model in ("alice/by-grpc", live.link):
        served = stub.ModelMetadata(service_pb2.ModelMetadataRequest(name=model)).versions[0]
        for version, wanted in ((served[:8], None), ("0123456", grpc.StatusCode.NOT_FOUND)):
            asked = [
                (stub.ModelReady, service_pb2.ModelReadyRequest(name=model, version=version)),
                (stub.ModelMetadata, service_pb2.ModelMetadataRequest(name=model, version=version)),
                (stub.ModelInfer, raw(model, live.rows[:1], model_version=version)),
            ]
            for method, message in asked:
                try:
                    method(message, timeout=30)
                    told = None
                except grpc.RpcError as error:
                    told = error.code()
                assert told is wanted, (model, version, message)


def test_guessed_secrets_are_counted_here_too(binary: Path, tmp_path: Path) -> None:
    with running(binary, tmp_path / "server", "--guess-rate=3") as server:
        with grpc.insecure_channel(server.url.removeprefix("http://")) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            told = []
            for guess in range(5):
                with pytest.raises(grpc.RpcError) as refused:
                    stub.ModelReady(service_pb2.ModelReadyRequest(name=f"r/rl_{guess}"), timeout=30)
                told.append(refused.value.code().name)
        assert told == ["NOT_FOUND"] * 3 + ["RESOURCE_EXHAUSTED"] * 2


def test_a_message_over_the_limit_is_refused(live: Live, stub: Any) -> None:
    large = raw("alice/by-grpc", np.zeros((2_200_000, 4), np.float32))
    with pytest.raises(grpc.RpcError) as refused:
        stub.ModelInfer(large)
    assert refused.value.code() in (grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.RESOURCE_EXHAUSTED)


def test_a_large_message_below_it_is_answered(live: Live, client: Any) -> None:
    rows = np.tile(live.rows, (20_000, 1))
    # More than gRPC takes where nobody says otherwise.
    assert rows.nbytes > 4 * 1024 * 1024
    answer = client.infer("alice/by-grpc", [tensor(rows)])
    assert answer.as_numpy("label").shape == (len(rows),)


def test_the_clients_deadline_is_kept(live: Live, client: Any) -> None:
    with pytest.raises(InferenceServerException, match=r"(?i)deadline"):
        client.infer("alice/by-grpc", [tensor(np.tile(live.rows, (5_000, 1)))], client_timeout=0.002)
    assert client.is_server_live()


def test_many_ask_at_once_over_one_connection(live: Live, client: Any) -> None:
    def ask(row: int) -> bool:
        one = live.rows[row : row + 1]
        return bool(client.infer("alice/by-grpc", [tensor(one)]).as_numpy("label")[0] == live.model.predict(one)[0])

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, [i % len(live.rows) for i in range(200)]))


def test_health_is_told_of_server_service_and_model(live: Live) -> None:
    with grpc.insecure_channel(live.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", SERVICE, "alice/by-grpc"):
            assert stub.Check(health_pb2.HealthCheckRequest(service=service)).status == 1
        with pytest.raises(grpc.RpcError) as refused:
            stub.Check(health_pb2.HealthCheckRequest(service="no.such.Service"))
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_health_is_watched_and_told_when_it_changes(server, alice, live: Live, iris) -> None:
    there = {"url": server.url, "token": alice.token}
    rn.push(live.model, "alice/by-grpc-watched", example=iris[0][::30], **there)
    rn.deploy("alice/by-grpc-watched", **there)
    with grpc.insecure_channel(live.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        def watch(service: str, token: str | None = None) -> Any:
            metadata = [("authorization", f"Bearer {token}")] if token else []
            return stub.Watch(health_pb2.HealthCheckRequest(service=service), metadata=metadata, timeout=60)

        assert next(watch("")).status == health_pb2.HealthCheckResponse.SERVING
        own, others = watch("alice/by-grpc-watched", alice.token), watch("alice/by-grpc-watched")
        assert next(own).status == health_pb2.HealthCheckResponse.SERVING
        # What one may not know of is not there, and may come to be.
        assert next(others).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        put(server.url, alice.token, "/api/models/alice/by-grpc-watched/settings", b'{"private": false}')
        assert next(others).status == health_pb2.HealthCheckResponse.SERVING
        put(server.url, alice.token, "/api/v1/endpoints/alice/by-grpc-watched", b"", "DELETE")
        for watched in (own, others):
            assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError) as refused:
            next(watch("alice/by-grpc", "no-token-of-anybody"))
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.RpcError) as refused:
            next(watch("r/no-link-of-anybody"))
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_tells_services_and_messages(live: Live) -> None:
    with grpc.insecure_channel(live.address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert {SERVICE, "grpc.health.v1.Health"} <= set(database.get_services())
        # The older name's database above; the newer one below, by its own address.
        file = database.FindFileContainingSymbol(f"{SERVICE}")
        assert [method.name for method in file.service[0].method][-1] == "ModelInfer"
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        newer = channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        (answer,) = newer(iter([request]))
        assert SERVICE in [service.name for service in answer.list_services_response.service]
        assert reflection_pb2_grpc.ServerReflectionStub(channel) is not None


def test_http1_and_http2_are_told_apart_however_slowly_they_begin(live: Live) -> None:
    import socket
    import time

    host, port = live.address.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as slow:
        for byte in b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":
            slow.sendall(bytes([byte]))
            time.sleep(0.001)
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
    with socket.create_connection((host, int(port)), timeout=30) as slow:
        for piece in (b"P", b"R", b"I * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0\4\0\0\0\0\0"):
            slow.sendall(piece)
            time.sleep(0.02)
        # A frame of settings, the first that a server sends.
        assert slow.recv(100)[3] == 4
