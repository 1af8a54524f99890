"""Answers in pieces and explanations: handlers that are generators, handlers that explain, on a real server.

Invariant: what came in pieces is what the handler gave, and a reader who is slow or gone holds up nobody.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from conftest import Running, until
from sklearn.linear_model import LinearRegression

import reenact as rn
from reenact.errors import ArgumentError

WORDS = """
import time
from typing import Iterator

def predict(text: str) -> Iterator[str]:
    if not text:
        raise ValueError("say something")
    try:
        for word in text.split():
            if word == "slow":
                time.sleep(1)
            if word == "stuck":
                time.sleep(60)
            if word == "fall":
                raise RuntimeError("fell over a word")
            if word == "many":
                for n in range(150):
                    print("piece", n, flush=True)
                    yield "x" * 100_000
            if word == "endless":
                while True:
                    yield "y" * 1_000_000
            yield word + " "
    finally:
        print("closed", flush=True)
"""

LINEAR = """
import joblib

class predict:
    def __init__(self):
        self.model = joblib.load("model.joblib")

    def predict(self, age: float, rate: float) -> float:
        return float(self.model.predict([[age, rate]])[0])

    def explain(self, age: float, rate: float) -> dict:
        values = dict(zip(("age", "rate"), self.model.coef_ * [age, rate]))
        return {"base": self.model.intercept_, "contributions": values}
"""


@pytest.fixture(scope="module")
def house_flags() -> tuple[str, ...]:
    return ("--predict-timeout=4s",)


@pytest.fixture(scope="module")
def words(house: Running, token: str, tmp_path_factory: pytest.TempPathFactory) -> rn.Endpoint:
    folder = tmp_path_factory.mktemp("words")
    (folder / "predict.py").write_text(WORDS)
    rn.push(folder, "alice/words", public=True, url=house.url, token=token)
    return rn.deploy("alice/words", url=house.url, token=token)


def ask(url: str, document: Any) -> tuple[int, list[Any]]:
    """The status, and the events of the answer, or its only JSON."""
    request = urllib.request.Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            lines = answer.read().splitlines()
            is_stream = answer.headers["Content-Type"] == "text/event-stream"
    except urllib.error.HTTPError as error:
        return error.code, [json.loads(error.read())]
    return 200, [json.loads(line.removeprefix(b"data: ")) for line in lines if line or not is_stream]


def logs(house: Running, token: str) -> list[str]:
    request = urllib.request.Request(
        f"{house.url}/api/v1/endpoints/alice/words/logs", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return list(json.loads(answer.read())["lines"])


def test_pieces_come_as_events_and_whole(words: rn.Endpoint) -> None:
    url = f"{words.url}v2/models/words/"
    status, events = ask(f"{url}generate_stream", {"text_input": "the cat sät", "id": "7"})
    assert status == 200
    assert [event["text_output"] for event in events] == ["the ", "cat ", "sät "]
    assert {(event["model_name"], event["id"]) for event in events} == {("words", "7")}
    status, (whole,) = ask(f"{url}generate", {"parameters": {"text": "the cat"}})
    assert (status, whole["text_output"]) == (200, "the cat ")
    version = whole["model_version"]
    assert ask(f"{url}versions/{version}/generate_stream", {"text": "a"})[1][0]["text_output"] == "a "
    # The other protocols know no pieces, and get all of it.
    assert ask(f"{words.url}invocations", {"inputs": [["a b"], ["c"]]}) == (200, [{"predictions": ["a b ", "c "]}])


def test_python_and_command_line_read_pieces_as_they_come(
    house: Running, token: str, words: rn.Endpoint, tmp_path: Path
) -> None:
    began = time.monotonic()
    pieces = words.stream("first slow")
    assert next(pieces) == "first "
    # The first was there before the second, which takes long, was even begun.
    first_s = time.monotonic() - began
    assert next(pieces) == "slow " and time.monotonic() - began > first_s + 0.9
    assert list(words.stream(text="a b")) == ["a ", "b "]
    data = tmp_path / "row.json"
    data.write_text('[{"text": "on a line"}]')
    command = [str(house.binary), "predict", "alice/words", "--data", str(data), "--stream"]
    environment = {"REENACT_URL": house.url, "REENACT_TOKEN": token, "HOME": str(tmp_path)}
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert (told.returncode, told.stdout) == (0, "on a line \n"), told.stderr


def test_what_goes_wrong_is_told_before_and_between_pieces(words: rn.Endpoint) -> None:
    url = f"{words.url}v2/models/words/generate_stream"
    status, (refused,) = ask(url, {"text": ""})
    assert (status, refused["code"]) == (400, "bad-input") and "say something" in refused["error"]
    status, events = ask(url, {"text": "one fall"})
    assert (status, events[0]["text_output"], events[1]["code"]) == (200, "one ", "model-failed")
    assert "fell over a word" in events[1]["error"]
    status, events = ask(url, {"text": "one stuck"})
    assert events[-1]["code"] in ("predict-timeout", "model-failed"), events[-1]
    for body in ({}, {"text": 1, "more": 2}, {"parameters": 3}, [1]):
        assert ask(url, body)[0] == 400, body
    assert ask(url.replace("/words/generate", "/other/generate"), {"text": "a"})[0] == 404
    with pytest.raises(rn.EndpointError, match="fell over a word"):
        list(words.stream("one fall"))
    assert ask(url, {"text": "fine"})[0] == 200


def test_what_a_request_is_called_is_a_short_text(words: rn.Endpoint) -> None:
    url = f"{words.url}v2/models/words/generate_stream"
    for strange in ({"a": 1}, 7, "x" * 257):
        status, (refused,) = ask(url, {"text": "a", "id": strange})
        assert status == 400 and "`id`" in refused["error"]
    assert ask(url, {"text": "a", "id": "x" * 256})[1][0]["id"] == "x" * 256
    for method in ("generate", "generate_stream"):
        assert ask(f"{words.url}v2/models/words/versions/0123456/{method}", {"text": "a"})[0] == 404


def test_a_receipt_comes_with_a_whole_answer_alone(words: rn.Endpoint) -> None:
    url = f"{words.url}v2/models/words/"
    status, (whole,) = ask(f"{url}generate?receipt=1", {"text": "a"})
    assert status == 200 and "payload" in json.loads(whole["receipt"])
    status, (refused,) = ask(f"{url}generate_stream?receipt=1", {"text": "a"})
    assert (status, refused["code"]) == (404, "not-offered") and "pieces" in refused["message"]
    assert "receipt" not in ask(f"{url}generate", {"text": "a"})[1][0]


def test_an_answer_without_end_is_ended(words: rn.Endpoint) -> None:
    _, events = ask(f"{words.url}v2/models/words/generate_stream", {"text": "endless"})
    n_bytes = sum(len(event.get("text_output", "")) for event in events)
    assert n_bytes <= 16 * 1024 * 1024 and "more than" in events[-1]["error"]
    status, (refused,) = ask(f"{words.url}invocations", {"inputs": [["endless"]]})
    assert (status, refused["code"]) == (500, "model-failed")


def test_a_slow_reader_makes_nothing_pile_up_and_holds_up_nobody(house: Running, token: str, words: rn.Endpoint) -> None:
    def n_pieces() -> int:
        return sum(line.startswith("piece") for line in logs(house, token))

    host, port = house.url.removeprefix("http://").split(":")
    body = b'{"text": "many"}'
    n_closed = sum(line == "closed" for line in logs(house, token))
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((host, int(port)))
        head = f"POST /endpoints/alice/words/v2/models/words/generate_stream HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        slow.sendall(head.encode() + body)
        assert slow.recv(15) == b"HTTP/1.1 200 OK"
        until(n_pieces)
        # Others are answered by the same process meanwhile.
        for _ in range(20):
            assert ask(f"{words.url}v2/models/words/generate", {"text": "quick"})[0] == 200
        assert n_pieces() < 150
    # It has gone, and the generator is closed in its middle.
    until(lambda: sum(line == "closed" for line in logs(house, token)) > n_closed + 20)
    assert n_pieces() < 150


def test_a_link_leads_to_pieces_too_and_counts_them_once(house: Running, token: str, words: rn.Endpoint) -> None:
    link = rn.share("alice/words", anonymous=True, calls=2, url=house.url, token=token)
    url = f"{link.url}/v2/models/model/generate_stream"
    assert ask(url, {"text": ""})[0] == 400
    for _ in range(2):
        status, events = ask(url, {"text": "a b c d"})
        assert (status, len(events)) == (200, 4)
        assert "alice" not in json.dumps(events) and "words" not in json.dumps(events)
    assert ask(url, {"text": "a"})[0] == 429
    request = urllib.request.Request(f"{house.url}/api/v1/links/{link.id}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as shown:
        told = json.load(shown)
    # Pieces are questions like others: whoever copies a model by them is seen.
    assert (told["calls"], told["asked"]["rows"], told["asked"]["distinct"]) == (2, 2, 1)


@pytest.fixture(scope="module")
def linear(house: Running, token: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[rn.Endpoint, LinearRegression]:
    folder = tmp_path_factory.mktemp("linear")
    rows = np.array([[20, 0.1], [30, 0.4], [40, 0.2], [50, 0.9]])
    model = LinearRegression().fit(rows, rows @ [2.0, -3.0] + 7)
    joblib.dump(model, folder / "model.joblib")
    (folder / "predict.py").write_text(LINEAR)
    (folder / "requirements.txt").write_text("scikit-learn==1.9.*\njoblib\n")
    rn.push(folder, "alice/linear", public=True, url=house.url, token=token)
    return rn.deploy("alice/linear", url=house.url, token=token), model


def test_a_linear_model_explains_itself(house: Running, token: str, linear: tuple[rn.Endpoint, LinearRegression]) -> None:
    endpoint, model = linear
    row = [35.0, 0.5]
    status, (answer,) = ask(f"{endpoint.url}v1/models/linear:explain", {"instances": [row, {"rate": 0.5, "age": 35}]})
    assert status == 200
    first, second = answer["explanations"]
    assert first == second
    assert first["contributions"] == {"age": model.coef_[0] * 35.0, "rate": model.coef_[1] * 0.5}
    total = first["base"] + sum(first["contributions"].values())
    assert np.isclose(total, model.predict([row])[0])
    status, (answer,) = ask(f"{endpoint.url}v1/models/linear:predict", {"instances": [row]})
    assert np.isclose(answer["predictions"][0], total)
    # A model that answers whole gives its answer as the only piece.
    assert np.isclose(float("".join(endpoint.stream(*row))), total)
    described = urllib.request.urlopen(f"{house.url}/api/v1/models/alice/linear", timeout=30)
    assert json.load(described)["facts"]["python"]["explains"] is True
    assert ask(f"{endpoint.url}v1/models/linear:explain", {"instances": [["x", 1]]})[0] == 400


def test_what_does_not_explain_says_so(
    house: Running, token: str, words: rn.Endpoint, linear: tuple[rn.Endpoint, LinearRegression]
) -> None:
    status, (refused,) = ask(f"{words.url}v1/models/words:explain", {"instances": [["a"]]})
    assert (status, refused["code"]) == (404, "not-offered") and "explain" in refused["hint"]
    there = {"url": house.url, "token": token}
    open_link, blunt = rn.share("alice/linear", **there), rn.share("alice/linear", round=2, **there)
    asked = {"instances": [[35.0, 0.5]]}
    assert ask(f"{open_link.url}/v1/models/model:explain", asked)[0] == 200
    # It would tell the digits that the link leaves out.
    assert ask(f"{blunt.url}/v1/models/model:explain", asked)[0] == 404


@pytest.fixture
def signed_in(house: Running, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REENACT_URL", house.url)
    monkeypatch.setenv("REENACT_TOKEN", token)


def test_a_generator_that_was_pushed_as_an_object_streams(signed_in: None) -> None:
    def spell(text: str) -> Iterator[str]:
        if not text:
            raise ValueError("say something")
        for letter in text:
            yield letter.upper()

    rn.push(spell, "alice/spell", example=["ab"], requirements=[], public=True)
    endpoint = rn.deploy("alice/spell")
    assert list(endpoint.stream("abc")) == ["A", "B", "C"]
    _, events = ask(f"{endpoint.url}v2/models/spell/generate_stream", {"text": "xy"})
    assert [event["text_output"] for event in events] == ["X", "Y"]
    assert list(endpoint.predict(["abc"])) == ["ABC"]
    with pytest.raises(rn.ReenactError, match="say something"):
        list(endpoint.stream(""))


def test_a_generator_of_anything_but_text_is_refused_before_anything_is_sent() -> None:
    def counting(text: str) -> Iterator[int]:
        yield len(text)

    def wrong(text):
        yield len(text)

    with pytest.raises(ArgumentError, match="what comes piece by piece is text"):
        rn.push(counting, "alice/counting", requirements=[], url="http://127.0.0.1:1", token="t")
    with pytest.raises(ArgumentError, match="the function fails on the example"):
        nowhere = {"url": "http://127.0.0.1:1", "token": "t"}
        rn.push(wrong, "alice/wrong", input="text", example=["ab"], requirements=[], **nowhere)


def test_a_class_that_was_pushed_explains_what_it_predicts(signed_in: None) -> None:
    class Loan:
        def __init__(self) -> None:
            self.weights = {"age": 2.0, "income": 0.5}

        def predict(self, age: float, income: float) -> float:
            return self.weights["age"] * age + self.weights["income"] * income

        def explain(self, age: float, income: float) -> dict:
            return {"age": self.weights["age"] * age, "income": self.weights["income"] * income}

    rn.push(Loan, "alice/loan", example=[[1.0, 2.0]], requirements=[], public=True)
    endpoint = rn.deploy("alice/loan")
    assert list(endpoint.predict([[1.0, 4.0]])) == [4.0]
    status, (answer,) = ask(f"{endpoint.url}v1/models/loan:explain", {"instances": [[1.0, 4.0]]})
    assert (status, answer) == (200, {"explanations": [{"age": 2.0, "income": 2.0}]})
    Loan.explain = lambda self, age, income: 1 / 0
    with pytest.raises(ArgumentError, match="`explain` fails on the example"):
        rn.push(Loan(), "alice/loan", example=[[1.0, 2.0]], requirements=[])


def test_an_object_that_takes_all_rows_explains_all_rows(signed_in: None) -> None:
    class Sums:
        def predict(self, rows):
            return rows.sum(axis=1)

        def explain(self, rows):
            return [{"largest": float(row.max())} for row in rows]

    rn.push(Sums(), "alice/sums", example=np.ones((3, 2)), public=True)
    endpoint = rn.deploy("alice/sums")
    status, (answer,) = ask(f"{endpoint.url}v1/models/sums:explain", {"instances": [[1.0, 4.0], [2.0, 0.0]]})
    assert (status, answer["explanations"]) == (200, [{"largest": 4.0}, {"largest": 2.0}])
