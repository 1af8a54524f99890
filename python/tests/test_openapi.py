"""The OpenAPI documents of endpoints and links: valid by a validator that others wrote, and true.

Invariant: what a document's own example asks is answered, and the answer fits what the document says of it.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import jsonschema
import numpy as np
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from sklearn.linear_model import LogisticRegression

import reenact as rn

NAMES = ["setosa", "versicolor", "virginica"]


def fetch(url: str, document: Any = None, token: str = "") -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if document is None else json.dumps(document).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture(scope="module")
def there(server, alice, iris) -> dict[str, str]:
    import pandas as pd

    rows, classes = iris
    table = pd.DataFrame(rows, columns=["sepal length", "sepal width", "petal length", "petal width"])
    model = LogisticRegression(max_iter=500).fit(table, classes)
    there = {"url": server.url, "token": alice.token}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REENACT_BINARY", str(server.binary))
        for name, public in (("described", True), ("described-private", False)):
            rn.push(model, f"alice/{name}", example=table[::30], labels=NAMES, public=public, **there)
            rn.deploy(f"alice/{name}", **there)
    return there


def check(document: dict[str, Any], token: str = "", n_least: int = 3) -> None:
    """Every operation that has an example is asked it, and every answer compared with what is said of it."""
    OpenAPIV31SpecValidator(document).validate()
    (base,) = [server["url"] for server in document["servers"]]
    components = {"components": document["components"]}
    n_asked = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "post":
                assert fetch(base + path, token=token)[0] == 200, path
                continue
            content = operation["requestBody"]["content"]["application/json"]
            if "example" not in content:
                continue
            jsonschema.validate(content["example"], {**content["schema"], **components})
            status, answer = fetch(base + path, content["example"], token)
            assert status == 200, (path, content["example"], answer)
            said = operation["responses"]["200"]["content"]["application/json"]["schema"]
            jsonschema.validate(answer, {**said, **components})
            n_asked += 1
    assert n_asked >= n_least


def test_a_public_models_document_is_valid_and_true(there) -> None:
    status, document = fetch(f"{there['url']}/endpoints/alice/described/openapi.json")
    assert status == 200
    check(document)
    row = document["components"]["schemas"]["Row"]
    assert row["required"] == ["sepal length", "sepal width", "petal length", "petal width"]
    assert row["properties"]["petal width"]["type"] == "number"
    assert "in the example data" in row["properties"]["petal width"]["description"]
    assert document["components"]["schemas"]["Predictions"]["properties"]["predictions"]["items"]["enum"] == NAMES
    for wrong in ({"dataframe_records": [{"sepal length": 1}]}, {"dataframe_records": []}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, {"$ref": "#/components/schemas/Rows", "components": document["components"]})
        assert fetch(f"{there['url']}/endpoints/alice/described/invocations", wrong)[0] == 400


def test_a_private_models_document_is_for_those_who_may_ask_it(there, bob) -> None:
    url = f"{there['url']}/endpoints/alice/described-private/openapi.json"
    assert fetch(url)[0] == 404 and fetch(url, token=bob.token)[0] == 404
    status, document = fetch(url, token=there["token"])
    assert (status, document["security"]) == (200, [{"token": []}])
    check(document, there["token"])


def test_a_links_document_names_nobody(there) -> None:
    link = rn.share("alice/described-private", anonymous=True, calls=100, **there)
    status, document = fetch(f"{link.url}/openapi.json")
    assert status == 200 and "security" not in document
    check(document)
    told = json.dumps(document).replace(link.url, "")
    assert "alice" not in told and "described-private" not in told
    assert fetch(f"{there['url']}/r/no-such-link/openapi.json")[0] == 404


def test_a_handlers_document_has_its_choices_and_what_it_offers(there, tmp_path) -> None:
    folder = tmp_path / "choosing"
    folder.mkdir()
    (folder / "predict.py").write_text(
        "from typing import Literal\n\n"
        "def predict(age: int, member: bool, city: Literal['Rome', 'Oslo']) -> float:\n    return age / 2\n\n"
        "def explain(age: int, member: bool, city: str) -> dict:\n    return {'age': age}\n"
    )
    rn.push(folder, "alice/choosing", public=True, **there)
    rn.deploy("alice/choosing", **there)
    _, document = fetch(f"{there['url']}/endpoints/alice/choosing/openapi.json")
    check(document)
    assert "/v1/models/choosing:explain" in document["paths"]
    properties = document["components"]["schemas"]["Row"]["properties"]
    assert properties["city"]["enum"] == ["Rome", "Oslo"] and properties["age"]["type"] == "integer"
    assert np.isclose(fetch(f"{there['url']}/endpoints/alice/choosing/invocations", {"inputs": [[4, True, "Rome"]]})[1]["predictions"][0], 2.0)


KINDS = """
import io
import wave
from typing import Annotated

def predict(
    photo: Annotated[bytes, "image"], scan: Annotated[bytes, "image/jpeg"], voice: Annotated[bytes, "audio/wav"],
    film: Annotated[bytes, "video"], raw: bytes, table: Annotated[str, "table"], options: dict, note: str, gain: float,
) -> str:
    with wave.open(io.BytesIO(voice)) as sound:
        n_frames = sound.getnframes()
    return f"{photo[1:4].decode()} {scan[:2].hex()} {n_frames} {film[4:8].decode()} {note}"
"""


def test_the_example_of_every_kind_of_input_is_answered(there, tmp_path) -> None:
    folder = tmp_path / "kinds"
    folder.mkdir()
    (folder / "predict.py").write_text(KINDS)
    rn.push(folder, "alice/kinds", public=True, **there)
    rn.deploy("alice/kinds", **there)
    _, document = fetch(f"{there['url']}/endpoints/alice/kinds/openapi.json")
    check(document)
    example = document["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]["example"]
    _, answer = fetch(f"{there['url']}/endpoints/alice/kinds/invocations", example)
    assert answer["predictions"] == ["PNG ffd8 160 ftyp …"]


def test_a_file_that_cannot_be_made_up_and_a_series_leave_examples_out(there, tmp_path) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    (folder / "predict.py").write_text("def predict(beats: list[float]) -> float:\n    return sum(beats)\n")
    rn.push(folder, "alice/beats", public=True, **there)
    rn.deploy("alice/beats", **there)
    check(fetch(f"{there['url']}/endpoints/alice/beats/openapi.json")[1], n_least=1)
