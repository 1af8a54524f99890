"""Networks of PyTorch and models of `transformers`, pushed by a Python that has them and served on a real server.

The server runs them by an interpreter that its operator keeps, here Debian's with its own PyTorch. Invariant: every
answer is compared with what the same network gave at home.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import environments
import numpy as np
import pytest
from conftest import Running, running

import reenact as rn
from reenact import _client, _credentials

SOURCES = Path(rn.__file__).parents[1]
PUSHING_S = 300.0
WANTED = ["cloudpickle", "pillow==11.*", "safetensors", "transformers==4.40.2"]
KEPT = """
[environment]
interpreter = "debian"
requirements = ["transformers==4.40.2"]
"""
SCHEMA = """
[schema]
inputs = [{ name = "rows", datatype = "FP32", shape = [-1, 64] }]
outputs = [{ name = "scores", datatype = "FP32", shape = [-1, 10] }]
"""


@dataclass(frozen=True)
class House:
    server: Running
    known: Path
    """Folder with what the networks answered at home."""
    python: Path
    """The Python that has PyTorch."""
    environment: dict[str, str]
    """With which it speaks to the server."""


@pytest.fixture(scope="module")
def house(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    system = os.environ.get("REENACT_TEST_TORCH_PYTHON")
    if not system:
        pytest.skip("REENACT_TEST_TORCH_PYTHON is not set: no Python of this machine has PyTorch")
    place = tmp_path_factory.mktemp("networks")
    python = environments.over(system, place, WANTED)
    with running(binary, place / "data", f"--python-interpreters=debian={system}") as server:
        known = place / "known"
        known.mkdir()
        environment = {"REENACT_URL": server.url, "REENACT_TOKEN": server.token("alice"), "REENACT_BINARY": str(binary)}
        environment |= {"PYTHONPATH": str(SOURCES), "HOME": str(place), "PATH": os.environ["PATH"]}
        command = [str(python), str(Path(__file__).parent / "network_client.py"), str(known), "debian"]
        pushed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PUSHING_S)
        assert pushed.returncode == 0, pushed.stderr
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REENACT_URL", server.url)
            patch.setenv("REENACT_TOKEN", environment["REENACT_TOKEN"])
            yield House(server, known, python, environment)


@pytest.mark.parametrize("name", ["module", "script", "described-script"])
def test_a_network_of_pytorch_answers_the_same_bytes_as_at_home(house: House, name: str) -> None:
    if name == "described-script":
        # The archive as it is, in a folder that only says what goes in and comes out.
        upload(house, house.known / "script", "alice/described-script", KEPT + SCHEMA)
    endpoint = rn.deploy(f"alice/{name}", timeout_s=120)
    known = np.load(house.known / "module.npz")
    got = np.asarray(endpoint.predict(known["rows"]))
    assert got.dtype == np.float32 and got.shape == (24, 10)
    ways = {way: np.array_equal(got, known[way]) for way in ("alone", "sixteen", "together")}
    assert any(ways.values()), np.abs(got - known["alone"]).max()
    one_by_one = [np.asarray(endpoint.predict(known["rows"][place : place + 1])) for place in range(6)]
    assert np.array_equal(np.concatenate(one_by_one), got[:6]), "a row gets the same bytes whoever is asked along"


def test_the_weights_of_a_network_lie_apart_from_its_code(house: House) -> None:
    known = _client.facts(_credentials.server(), _client.parse_repository("alice/module"))
    files = {file["path"]: file for file in known["facts"]["files"]}
    tensors = {tensor["name"] for tensor in files["model.safetensors"]["tensors"]}
    assert "first.weight" in tensors and "features.1.running_mean" in tensors
    assert "second.weight" not in tensors, "what two names share is kept once"


def test_a_pipeline_answers_with_its_labels_and_scores(house: House) -> None:
    endpoint = rn.deploy("alice/classifier", timeout_s=120)
    known = json.loads((house.known / "pipelines.json").read_text())
    assert endpoint.classes == ["negative", "positive", "neutral"]
    assert np.array_equal(endpoint.predict_proba(known["texts"]), np.asarray(known["scores"]))
    likeliest = [endpoint.classes[int(np.argmax(scores))] for scores in known["scores"]]
    assert list(endpoint.predict(known["texts"])) == likeliest


def test_a_folder_that_transformers_saved_gets_the_handler_of_its_task(house: House) -> None:
    endpoint = rn.deploy("alice/filler", timeout_s=120)
    known = json.loads((house.known / "pipelines.json").read_text())
    (filled,) = endpoint.predict(["a good [MASK]"])
    assert [one["token_str"] for one in json.loads(filled)] == known["filled"]


def test_a_folder_that_nobody_described_is_served_by_the_servers_own_handler(house: House) -> None:
    known = json.loads((house.known / "pipelines.json").read_text())
    upload(house, house.known / "saved", "alice/saved", KEPT)
    endpoint = rn.deploy("alice/saved", timeout_s=120)
    assert endpoint.classes == ["negative", "positive", "neutral"]
    assert np.array_equal(endpoint.predict_proba(known["texts"]), np.asarray(known["scores"]))
    upload(house, house.known / "filler", "alice/saved-filler", KEPT)
    (filled,) = rn.deploy("alice/saved-filler", timeout_s=120).predict(["a good [MASK]"])
    assert [one["token_str"] for one in json.loads(filled)] == known["filled"]
    with urllib.request.urlopen(f"{house.server.url}/alice/saved/about", timeout=60) as page:
        text = page.read().decode()
    assert "Served by the handler for transformers of this server" in text
    assert "<code>BertForSequenceClassification</code>" in text


def test_torchscript_alone_says_what_has_to_be_added(house: House) -> None:
    upload(house, house.known / "script", "alice/bare-script", "")
    with pytest.raises(rn.ReenactError, match="name the `inputs` and `outputs`"):
        rn.deploy("alice/bare-script")


def test_a_classifier_of_pictures_is_shown_real_pictures(house: House) -> None:
    known = json.loads((house.known / "pictures.json").read_text())
    endpoint = rn.deploy("alice/pets", timeout_s=120)
    likeliest = [known["names"][int(np.argmax(scores))] for scores in known["scores"]]
    assert list(endpoint.predict(known["paths"])) == likeliest
    assert np.allclose(endpoint.predict_proba(known["paths"]), known["scores"], atol=1e-6)
    # What the page's form sends.
    picture = Path(known["paths"][3]).read_bytes()
    body = (
        b'--x\r\nContent-Disposition: form-data; name="p0"; filename="gray.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        + picture
        + b"\r\n--x--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{house.server.url}/alice/pets/try", body, headers), timeout=60
    ) as page:
        text = page.read().decode()
    assert all(name in text for name in known["names"]) and likeliest[3] in text


def upload(house: House, folder: Path, name: str, manifest: str) -> None:
    """Sends a folder by the client of the Hub, with a manifest that somebody wrote by hand."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=house.server.url, token=house.environment["REENACT_TOKEN"])
    api.create_repo(name, private=False)
    api.upload_folder(repo_id=name, folder_path=folder)
    if manifest:
        api.upload_file(path_or_fileobj=manifest.encode(), path_in_repo="reenact.toml", repo_id=name)


def test_the_part_of_the_guide_about_pytorch_runs(house: House, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "share-a-model.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(sh|python) torch\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert [language for language, _ in blocks] == ["python", "sh"]
    (tmp_path / "reenact").symlink_to(house.environment["REENACT_BINARY"])
    environment = {**house.environment, "PATH": f"{tmp_path}:{house.environment['PATH']}"}
    for language, text in blocks:
        command = [str(house.python), "-c", text] if language == "python" else ["bash", "-euc", text]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PUSHING_S, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    link = next(word for word in done.stdout.split() if "/r/" in word)
    with urllib.request.urlopen(link, timeout=60) as answer:
        shown = answer.read().decode()
    assert "alice" not in shown


def test_an_interpreter_that_the_server_does_not_have_is_named(house: House, tmp_path: Path) -> None:
    (tmp_path / "predict.py").write_text("def predict(a: float) -> float:\n    return a\n")
    (tmp_path / "reenact.toml").write_text('[environment]\ninterpreter = "conda"\n')
    rn.push(tmp_path, "alice/elsewhere", public=True)
    with pytest.raises(rn.ReenactError, match="the interpreter `conda` is not on this server, which has `debian`"):
        rn.deploy("alice/elsewhere")
