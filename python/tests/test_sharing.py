"""Links, grants and organisations as those who use them meet them: over HTTP, with the real commands.

Invariant: of an anonymous link every answer, header and file is looked through for the names that it hides.
"""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import Running, running, until
from sklearn.linear_model import LogisticRegression

import reenact as rn

NAMES = ("alice", "liddell", "wonderland")
CARD = """---
authors:
- Alice Liddell
license: mit
---
# Three kinds of iris

By Alice Liddell of Wonderland University, alice@wonderland.example. Trained in /data/alice/iris.
![A picture](flower.png) and [notes](notes.txt), from https://example.org/alice.
"""

SLOW = """
import time


def predict(x: float) -> float:
    time.sleep(1.5)
    return 2 * x
"""


@dataclass(frozen=True)
class Seen:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return "\n".join([*(f"{key}: {value}" for key, value in self.headers.items()), self.body.decode("utf-8", "replace")])


def fetch(url: str, body: object = None, *, form: str | None = None) -> Seen:
    data = form.encode() if form is not None else None if body is None else json.dumps(body).encode()
    kind = "application/x-www-form-urlencoded" if form is not None else "application/json"
    request = urllib.request.Request(url, data=data, headers={"content-type": kind} if data else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return Seen(response.status, dict(response.headers.items()), response.read())
    except urllib.error.HTTPError as error:
        return Seen(error.code, dict(error.headers.items()), error.read())


def ask(link: str, rows: list[list[float]]) -> Seen:
    return fetch(f"{link}/v1/models/model:predict", {"instances": rows})


def infer(link: str, rows: np.ndarray) -> Seen:
    tensor = {"name": "X", "shape": list(rows.shape), "datatype": "FP32", "data": rows.ravel().tolist()}
    return fetch(f"{link}/v2/models/model/infer", {"inputs": [tensor]})


@pytest.fixture(scope="module")
def hub(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(binary, tmp_path_factory.mktemp("sharing")) as server:
        yield server


@pytest.fixture(scope="module")
def tokens(hub: Running) -> dict[str, str]:
    return {name: hub.token(name) for name in ("alice", "bob", "carol")}


@pytest.fixture
def signed_in(hub: Running, tokens: dict[str, str], own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    monkeypatch.setenv("REENACT_URL", hub.url)
    monkeypatch.setenv("REENACT_TOKEN", tokens["alice"])
    monkeypatch.setenv("REENACT_BINARY", str(hub.binary))
    return hub


@pytest.fixture
def iris_model(signed_in: Running, iris: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> str:
    """A private model of alice's that tells in every way whose it is."""
    name = f"alice/iris-{tmp_path.name.replace('_', '-').strip('-').lower()}"[:80].rstrip("-")
    rows, classes = iris
    labels = ["setosa", "versicolor", "virginica"]
    rn.push(LogisticRegression(max_iter=500).fit(rows, classes), name, example=rows[::30], labels=labels)
    (folder := tmp_path / "more").mkdir()
    (folder / "README.md").write_text(CARD)
    (folder / "notes.txt").write_text("Alice measured them.\nNobody else did.\n")
    (folder / "plain.txt").write_text("Three kinds.\n")
    (folder / "alice.bin").write_bytes(b"\x00\x01/data/alice/iris\x00")
    (folder / "flower.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    run(signed_in, "push", str(folder), name)
    return name


def run(server: Running, *arguments: str, token: str | None = None) -> str:
    import os

    environment = {**os.environ, **({"REENACT_TOKEN": token} if token else {})}
    done = subprocess.run([str(server.binary), *arguments], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_anonymous_link_tells_nothing_of_whose_the_model_is(iris_model, iris):
    link = rn.share(iris_model, anonymous=True, hide=["Wonderland"], calls=100, expires="90d")
    found = {trace.word.lower() for trace in link.traces}
    assert {"alice liddell", "wonderland", "alice@wonderland.example"} <= found
    assert all(trace.hidden for trace in link.traces)
    row = iris[0][0].tolist()
    seen = [fetch(f"{link.url}{path}") for path in ("", "/try", "/use", "/try?example=0")]
    seen += [fetch(f"{link.url}/{path}") for path in ("v2", "v2/models/model", "v1/models", "v1/models/model", "ping")]
    seen += [ask(link.url, [row]), infer(link.url, iris[0][:1].astype(np.float32)), fetch(f"{link.url}/try", form="f0=5&f1=3&f2=1&f3=0")]
    seen += [fetch(f"{link.url}/invocations", {"inputs": [row]}), fetch(f"{link.url}/resolve/main/flower.png")]
    assert [answer.status for answer in seen] == [200] * len(seen)
    # What goes wrong tells no more.
    seen += [ask(link.url, [[1.0]]), fetch(f"{link.url}/v2/models/iris"), fetch(f"{link.url}/files"), fetch(f"{link.url}/nothing")]
    seen += [fetch(f"{link.url}/resolve/main/{path}") for path in ("notes.txt", "README.md", "model.onnx", "reenact.toml")]
    assert all(answer.status >= 400 for answer in seen[-8:])
    assert fetch(f"{link.url}/resolve/main/alice.bin").status == 404
    for answer in seen:
        lowered = answer.text.lower()
        assert not [name for name in NAMES if name in lowered], answer.text


MANIFEST = """
[schema]
inputs = [{ name = "note", datatype = "BYTES", shape = [-1] }]
outputs = [{ name = "answer", datatype = "BYTES", shape = [-1] }]

[schema.input]
kind = "parts"

[[schema.input.parts]]
name = "note"
kind = "text"
description = "A note as Alice wrote it"

[schema.output]
kind = "parts"

[[schema.output.parts]]
name = "answer"
kind = "text"
title = "What Alice would say"
"""


def test_a_schema_and_examples_tell_nothing_either(signed_in, tmp_path):
    import pickle

    name = "alice/telling"
    (folder := tmp_path / "telling").mkdir()
    (folder / "predict.py").write_text('def predict(note: str) -> str:\n    if note == "fail":\n        raise ValueError("no file in /data/alice/notes")\n    return note.upper()\n')
    (folder / "reenact.toml").write_text(MANIFEST)
    (folder / "examples.json").write_text(json.dumps({"rows": [["hello from Alice"]], "expected": ["HELLO FROM ALICE"]}))
    (folder / "alice.pkl").write_bytes(pickle.dumps(subprocess.run))
    run(signed_in, "push", str(folder), name)
    rn.deploy(name)
    link = rn.share(name, anonymous=True)
    places = {trace.place: (trace.hidden, trace.shown) for trace in link.traces}
    for place in ("the description of the input `note`", "the title of the output `answer`", "example 1"):
        assert places.get(place) == (True, False), places
    paths = ("", "/try", "/try?example=0", "/embed", "/use", "/openapi.json", "/v2/models/model")
    seen = [fetch(f"{link.url}{path}") for path in paths]
    seen += [fetch(f"{link.url}/{page}", form=form) for page in ("try", "embed") for form in ("p0=hi", "example=0")]
    assert [answer.status for answer in seen] == [200] * len(seen)
    shared = fetch(f"{link.url}/try", form="p0=hi&share=1")
    failed = [fetch(f"{link.url}/try", form="p0=fail"), ask(link.url, [["fail"]])]
    assert shared.status == 200 and all(answer.status >= 400 and "[hidden]" in answer.text for answer in failed)
    for answer in (*seen, shared, *failed):
        assert "alice" not in answer.text.lower(), answer.text


def test_a_page_within_another_page_offers_what_works_there(iris_model):
    link = rn.share(iris_model)
    alone, framed = fetch(f"{link.url}/try"), fetch(f"{link.url}/embed")
    assert 'name="share"' in alone.text and 'name="share"' not in framed.text
    policies = [dict(part.split(" ", 1) for part in seen.headers["content-security-policy"].split("; ")) for seen in (alone, framed)]
    assert [policy.pop("frame-ancestors") for policy in policies] == ["'none'", "*"]
    assert policies[0] == policies[1] and "media-src" in policies[0]


def test_rows_that_were_answered_are_shown_where_others_were_not(iris_model, iris):
    link = rn.share(iris_model, calls_per_minute=2)
    page = fetch(f"{link.url}/try").text
    header = page.split('id="csv"', 1)[1].split('placeholder="', 1)[1].split("\n", 1)[0].split("&#10;", 1)[0]
    lines = "\n".join([header, *(",".join(map(str, row)) for row in iris[0][:5])])
    partial = fetch(f"{link.url}/try", form=urllib.parse.urlencode({"csv": lines}))
    assert partial.status == 429 and "2 of 5 rows in" in partial.text and "calls a minute" in partial.text
    assert rows_of(link)["calls"] == 2


def test_rows_of_whoever_gives_up_are_given_back(signed_in, tmp_path):
    name = "alice/slow-to-answer"
    (folder := tmp_path / "slow").mkdir()
    (folder / "predict.py").write_text(SLOW)
    run(signed_in, "push", str(folder), name)
    rn.deploy(name)
    link = rn.share(name, calls=1)
    request = urllib.request.Request(f"{link.url}/v1/models/model:predict", b'{"instances": [[2.0]]}')
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(request, timeout=0.5)
    until(lambda: rows_of(link)["calls"] == 0)
    assert ask(link.url, [[2.0]]).json == {"predictions": [4.0]}


def test_names_are_taken_out_of_files_or_the_files_are_not_given(iris_model):
    link = rn.share(iris_model, anonymous=True, hide=["Wonderland"], files=True)
    page = fetch(f"{link.url}/files").text
    addresses = {part.split('"')[0].rsplit("/", 1)[1]: part.split('"')[0] for part in page.split('href="') if "/files/" in part}
    assert {"notes%2Etxt", "plain%2Etxt", "README%2Emd", "model%2Eonnx"} <= set(addresses)
    server = link.url.split("/r/")[0]
    files = {name: fetch(server + address) for name, address in addresses.items()}
    assert files["notes%2Etxt"].body.decode() == "[hidden] measured them.\nNobody else did.\n"
    assert files["plain%2Etxt"].body == b"Three kinds.\n"
    for answer in (*files.values(), fetch(f"{link.url}/files")):
        assert answer.status == 200 and not [name for name in NAMES if name in answer.text.lower()]
    assert not any("bin" in name for name in addresses)
    telling = [trace for trace in link.traces if "alice.bin, byte" in trace.place]
    assert telling and not telling[0].hidden


def test_a_link_stays_at_its_revision(iris_model, iris):
    link = rn.share(iris_model)
    before = infer(link.url, iris[0][:3].astype(np.float32))
    rows, classes = iris
    rn.push(LogisticRegression(C=0.001).fit(rows, classes), iris_model, example=rows[::30])
    after = infer(link.url, iris[0][:3].astype(np.float32))
    assert before.status == 200 and after.body == before.body
    assert after.headers["x-reenact-revision"] == link.revision


def test_a_budget_is_kept_exactly_however_many_ask_at_once(iris_model, iris):
    link = rn.share(iris_model, calls=200)
    row = iris[0][0].tolist()
    with ThreadPoolExecutor(32) as pool:
        statuses = [answer.status for answer in pool.map(lambda _: ask(link.url, [row]), range(400))]
    assert (statuses.count(200), statuses.count(429)) == (200, 200)
    assert fetch(link.url).status == 200
    shown = rows_of(link)
    assert (shown["calls"], shown["state"]) == (200, "used up")


def test_rows_are_counted_and_what_was_not_answered_is_given_back(iris_model, iris):
    link = rn.share(iris_model, calls=10)
    rows = iris[0][:4].tolist()
    assert ask(link.url, rows).status == 200
    assert ask(link.url, [[1.0, 2.0]]).status == 400
    assert ask(link.url, iris[0][:7].tolist()).status == 429
    assert rows_of(link)["calls"] == 4
    assert ask(link.url, iris[0][:6].tolist()).status == 200


def test_a_rate_is_kept(iris_model, iris):
    link = rn.share(iris_model, calls_per_minute=3)
    row = iris[0][0].tolist()
    statuses = [ask(link.url, [row]).status for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    refused = ask(link.url, [row])
    assert int(refused.headers["retry-after"]) > 0


def test_answers_are_rounded_and_only_the_best_classes_told(iris_model, iris):
    rows = iris[0][::50].astype(np.float32)
    whole = infer(rn.share(iris_model).url, rows).json
    blunt = infer(rn.share(iris_model, round=2, top_k=1).url, rows).json
    values = {name: np.reshape(output["data"], output["shape"]) for name, output in outputs(blunt).items()}
    exact = {name: np.reshape(output["data"], output["shape"]) for name, output in outputs(whole).items()}
    assert np.array_equal(values["label"], exact["label"])
    best = exact["probabilities"].max(axis=1)
    assert np.allclose(values["probabilities"].max(axis=1), np.round(best, 2), atol=1e-6)
    assert ((values["probabilities"] > 0).sum(axis=1) == 1).all()


def test_a_link_is_extended_and_revoked(signed_in, iris_model, iris):
    link = rn.share(iris_model, calls=1)
    row = iris[0][0].tolist()
    assert [ask(link.url, [row]).status for _ in range(2)] == [200, 429]
    run(signed_in, "share", "extend", str(link.id), "--calls", "2", "--expires", "30d")
    assert ask(link.url, [row]).status == 200
    run(signed_in, "share", "revoke", str(link.id))
    for answer in (ask(link.url, [row]), fetch(link.url), fetch(f"{link.url}/v2/models/model")):
        assert answer.status == 410
    listed = json.loads(run(signed_in, "share", "list", iris_model, "--json"))
    assert [entry["state"] for entry in listed] == ["revoked"]


def test_a_request_that_is_under_way_when_its_link_is_revoked_comes_to_its_end(signed_in, tmp_path):
    name = "alice/slow"
    (folder := tmp_path / "slow").mkdir()
    (folder / "predict.py").write_text(SLOW)
    run(signed_in, "push", str(folder), name)
    rn.deploy(name)
    link = rn.share(name)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, link.url, [[2.0]])
        until(lambda: rows_of(link)["calls"] == 1)
        run(signed_in, "share", "revoke", str(link.id))
        assert (asked.result().status, asked.result().json) == (200, {"predictions": [4.0]})
    assert ask(link.url, [[2.0]]).status == 410


def test_a_link_is_for_its_own_model_alone(iris_model, signed_in, iris):
    rows, classes = iris
    other = "alice/another-iris"
    rn.push(LogisticRegression(max_iter=500).fit(rows, classes), other, example=rows[::30])
    link = rn.share(other).url
    body = {"instances": [rows[0].tolist()]}
    for model in (iris_model.split("/")[1], "another-iris", f"..%2F..%2Fr%2F{other}"):
        assert fetch(f"{link}/v1/models/{model}:predict", body).status == 404
    assert ask(link, [rows[0].tolist()]).headers["x-reenact-repository"] == other


def test_whoever_made_a_link_is_told_before_it_ends(signed_in, iris_model):
    rn.share(iris_model, expires="3d")
    rn.share(iris_model, expires="90d")
    listed = run(signed_in, "share", "list", iris_model).splitlines()
    assert "[ends in 2 days]" in listed[2] and "[ends" not in listed[1]


def test_questions_like_those_of_a_copyist_are_warned_of(signed_in, iris_model):
    honest, copied = rn.share(iris_model), rn.share(iris_model)
    generator = np.random.default_rng(0)
    rows = generator.uniform(0, 8, (150, 4)).astype(np.float32)
    for part in np.split(rows, 3):
        assert infer(copied.url, part).status == 200
    assert infer(honest.url, np.repeat(rows[:5], 30, axis=0)).status == 200
    asked = rows_of(copied)["asked"]
    assert asked["rows"] == 150 and 135 <= asked["distinct"] <= 150 and asked["busiest_hour"] >= 50
    assert "rule of thumb" in asked["warning"] and "parameters (15)" in asked["warning"]
    asked = rows_of(honest)["asked"]
    assert asked["rows"] == 150 and asked["distinct"] == 5 and "warning" not in asked
    # Only what was asked through a link is counted, and of that only how much.
    assert set(asked) == {"days", "rows", "distinct", "busiest_hour"}


def test_a_guessed_link_is_not_there(hub, iris_model):
    good = rn.share(iris_model).url
    for guess in (good[:-1] + ("a" if good[-1] != "a" else "b"), f"{hub.url}/r/rl_", f"{hub.url}/r/%00", f"{hub.url}/r/1"):
        assert fetch(guess).status == 404
        assert ask(guess, [[1.0, 2.0, 3.0, 4.0]]).status == 404


def test_a_link_is_no_key_to_anything_else(hub, iris_model):
    secret = rn.share(iris_model, files=True).url.rsplit("/", 1)[1]
    for path in (f"/endpoints/{iris_model}/v2/models/{iris_model.split('/')[1]}", f"/api/models/{iris_model}", "/api/v1/me"):
        request = urllib.request.Request(hub.url + path, headers={"authorization": f"Bearer {secret}"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        assert refused.value.code == 401


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"expires": "yesterday"}, "no end"),
        ({"expires": "2020-01-01"}, "over"),
        ({"calls": 0}, "at least one"),
        ({"round": 99}, "15 digits"),
        ({"top_k": 0}, "at least one class"),
        ({"hide": ["x" * 5] * 101, "anonymous": True}, "at most 100"),
    ],
)
def test_a_link_that_makes_no_sense_is_refused_in_words(iris_model, wanted, says):
    with pytest.raises(rn.ServerError, match=says):
        rn.share(iris_model, **wanted)


def test_a_right_to_ask_is_no_right_to_the_weights(signed_in, tokens, iris_model, tmp_path):
    rn.deploy(iris_model)
    base = f"{signed_in.url}/endpoints/{iris_model}/v2"
    asked = {"authorization": f"Bearer {tokens['bob']}"}

    def status(url: str) -> int:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=asked), timeout=30) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    weights = f"{signed_in.url}/{iris_model}/resolve/main/model.onnx"
    assert (status(f"{base}/health/ready"), status(weights)) == (404, 404)
    run(signed_in, "grant", iris_model, "bob", "predict")
    assert (status(f"{base}/health/ready"), status(weights)) == (200, 403)
    run(signed_in, "grant", iris_model, "bob", "read")
    assert status(weights) == 200
    run(signed_in, "revoke", iris_model, "bob")
    assert (status(f"{base}/health/ready"), status(weights)) == (404, 404)


def test_an_organisation_owns_models_that_its_members_use(signed_in, tokens, iris, tmp_path):
    organisation = "the-lab"
    run(signed_in, "org", "create", organisation)
    rows, classes = iris
    rn.push(LogisticRegression(max_iter=500).fit(rows, classes), "the-lab/iris", example=rows[::30])
    with pytest.raises(AssertionError, match="no repository"):
        run(signed_in, "info", "the-lab/iris", token=tokens["carol"])
    run(signed_in, "org", "members", organisation, "--add", "carol", "--role", "read")
    assert "the-lab/iris" in run(signed_in, "info", "the-lab/iris", token=tokens["carol"])
    (file := tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(AssertionError, match="may not"):
        run(signed_in, "push", str(file), "the-lab/iris", token=tokens["carol"])
    run(signed_in, "org", "members", organisation, "--add", "carol", "--role", "write")
    run(signed_in, "push", str(file), "the-lab/iris", token=tokens["carol"])
    with pytest.raises(AssertionError, match="at least one member"):
        run(signed_in, "org", "members", organisation, "--remove", "alice")


def test_a_token_does_no_more_than_it_is_for(signed_in, iris_model):
    token = run(signed_in, "token", "create", "app", "--scope", "predict", "--repository", iris_model, "--expires", "1d")
    rn.deploy(iris_model)
    asked = urllib.request.Request(
        f"{signed_in.url}/endpoints/{iris_model}/v2/health/ready", headers={"authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(asked, timeout=30) as response:
        assert response.status == 200
    with pytest.raises(rn.ReenactError):
        rn.pull(iris_model, token=token)
    with pytest.raises(AssertionError, match="may not"):
        run(signed_in, "token", "create", "more", "--scope", "write")


def outputs(answer: dict) -> dict[str, dict]:
    return {output["name"]: output for output in answer["outputs"]}


def rows_of(link: rn.SharedLink) -> dict:
    import os

    request = urllib.request.Request(
        f"{os.environ['REENACT_URL']}/api/v1/links/{link.id}",
        headers={"authorization": f"Bearer {os.environ['REENACT_TOKEN']}"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_an_invitation_makes_one_account_and_one_member(signed_in):
    run(signed_in, "org", "create", "invited-lab")
    address = run(signed_in, "org", "invite", "invited-lab", "--role", "read")
    page = fetch(address)
    assert page.status == 200 and "Join invited-lab" in page.text
    origin = {"origin": signed_in.url, "content-type": "application/x-www-form-urlencoded"}

    def post(fields: str) -> int:
        request = urllib.request.Request(address, data=fields.encode(), headers=origin)
        try:
            with urllib.request.build_opener(Stay()).open(request, timeout=30) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    assert post("name=alice&password=long-enough") == 409
    assert post("name=grace&password=short") == 400
    assert post("name=grace&password=long-enough") == 303
    assert post("name=heidi&password=long-enough") == 410
    members = json.loads(run(signed_in, "org", "members", "invited-lab", "--json"))
    assert {member["name"]: member["role"] for member in members} == {"alice": "admin", "grace": "read"}


class Stay(urllib.request.HTTPRedirectHandler):
    """Does not go where an answer leads."""

    def redirect_request(self, *arguments: object) -> None:
        return None
