"""Every kind of input and output, through every protocol, on a real server with real files.

Invariant: what goes in arrives with the same bytes, and what cannot be read is refused with its name.
"""

from __future__ import annotations

import base64
import io
import json
import re
import struct
import urllib.error
import urllib.request
import wave
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from conftest import Running
from PIL import Image

import reenact as rn
from reenact.errors import ArgumentError
from reenact.handlers import described

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture(scope="module")
def house_flags() -> tuple[str, ...]:
    return ("--predict-limit=1MiB",)


def png(width: int = 6, height: int = 4) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(width * height * 3, dtype="uint8").reshape(height, width, 3)).save(file, "PNG")
    return file.getvalue()


def wav(seconds: float = 0.1, rate: int = 8000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        times = np.arange(int(seconds * rate)) / rate
        sound.writeframes((np.sin(times * 2 * np.pi * 440) * 20000).astype("<i2").tobytes())
    return file.getvalue()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def post(house: Running, path: str, document: object) -> tuple[int, dict]:
    body = json.dumps(document).encode()
    request = urllib.request.Request(house.url + path, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def element(name: str, value: object, datatype: str = "BYTES") -> dict:
    data = value if isinstance(value, list) else [value]
    shape = [1, len(data)] if isinstance(value, list) else [1]
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


EVERYTHING = """
import io
import wave
from typing import Annotated, Literal

def predict(
    photo: Annotated[bytes, "image"], voice: Annotated[bytes, "audio/wav"], beats: list[float], options: dict,
    table: Annotated[str, "table"], note: str, how: Literal["a", "b"], raw: bytes, gain: float = 1.0,
) -> tuple[
    Annotated[dict, "label"], Annotated[bytes, "image"], Annotated[bytes, "audio"], Annotated[list, "table"],
    Annotated[list, "boxes"], Annotated[list[float], "series"], dict, str, float,
]:
    if options.get("fail"):
        raise ValueError("asked to fail")
    with wave.open(io.BytesIO(voice)) as sound:
        rate = sound.getframerate()
    box = {"label": "all", "score": 0.5, "box": [0, 0, 3, float("nan") if options.get("nan") else 2]}
    rows = [{"line": line} for line in table.splitlines()]
    return (
        {how: 0.75, "other": 0.25}, photo, voice, rows, [box], [beat * gain for beat in beats],
        {"options": options, "n_raw": len(raw)}, note.upper(), float(rate),
    )
"""


@pytest.fixture(scope="module")
def everything(house: Running, token: str, tmp_path_factory: pytest.TempPathFactory) -> rn.Endpoint:
    folder = tmp_path_factory.mktemp("everything")
    (folder / "predict.py").write_text(EVERYTHING)
    row = [{"b64": text(png())}, {"b64": text(wav())}, [1.0, 2.0], "{}", "a,b\n1,2", "hi", "a", {"b64": "AAEC"}, 1.0]
    (folder / "examples.json").write_text(json.dumps({"rows": [row]}))
    rn.push(str(folder), "alice/everything", public=True, url=house.url, token=token)
    return rn.deploy("alice/everything", url=house.url, token=token)


def request(**other: object) -> dict:
    values: dict[str, object] = {
        "photo": text(png()), "voice": text(wav()), "beats": [1.0, 2.5], "options": '{"a": [1]}', "table": "a,b\n1,2",
        "note": "héllo", "how": "b", "raw": text(b"\xff\x00"), "gain": 2.0,
    }  # fmt: skip
    values |= other
    types = {"beats": "FP64", "gain": "FP64"}
    return {"inputs": [element(name, value, types.get(name, "BYTES")) for name, value in values.items()]}


INFER = "/endpoints/alice/everything/v2/models/everything/infer"


def test_every_kind_goes_in_and_comes_out_by_the_open_inference_protocol(house, everything):
    kinds = [part["kind"] for part in everything.schema["input"]["parts"]]
    assert kinds == ["image", "audio", "series", "json", "table", "text", "value", "file", "value"]
    status, answer = post(house, INFER, request())
    assert status == 200, answer
    found = {output["name"]: output["data"] for output in answer["outputs"]}
    assert json.loads(found["output_0"][0]) == {"b": 0.75, "other": 0.25}
    assert base64.b64decode(found["output_1"][0]) == png()
    assert base64.b64decode(found["output_2"][0]) == wav()
    assert json.loads(found["output_3"][0]) == {"columns": ["line"], "data": [["a,b"], ["1,2"]]}
    box = {"xmin": 0, "ymin": 0, "xmax": 3, "ymax": 2}
    assert json.loads(found["output_4"][0]) == [{"label": "all", "score": 0.5, "box": box}]
    assert found["output_5"] == [2.0, 5.0]
    assert json.loads(found["output_6"][0]) == {"options": {"a": [1]}, "n_raw": 2}
    assert (found["output_7"], found["output_8"]) == (["HÉLLO"], [8000.0])
    # What JSON cannot say is null in JSON.
    _, answer = post(house, INFER, request(options='{"nan": true}'))
    assert json.loads(answer["outputs"][4]["data"][0])[0]["box"]["ymax"] is None


def test_the_python_client_speaks_in_files_and_objects(everything, tmp_path):
    (tmp_path / "voice.wav").write_bytes(wav())
    row = [Image.open(io.BytesIO(png())), tmp_path / "voice.wav", [1, 2], {"deep": {"x": 1}}, "a\n1", "n", "a", b"\x00", 1]
    (answer,) = everything.predict([row])
    assert answer["output_0"] == {"a": 0.75, "other": 0.25}
    assert Image.open(io.BytesIO(answer["output_1"])).size == (6, 4)
    assert answer["output_2"] == wav()
    assert list(answer["output_5"]) == [1.0, 2.0]
    assert answer["output_6"] == {"options": {"deep": {"x": 1}}, "n_raw": 1}
    assert everything.predict(iter([row]), receipt=True).predictions[0]["output_6"] == answer["output_6"]
    for rows in [[row, row], []]:
        with pytest.raises(ArgumentError, match=f"for {len(rows)} rows"):
            everything.predict(rows, receipt=True)


def test_what_does_not_fit_is_refused_with_its_name(house, everything):
    for changed, words in [
        ({"photo": ""}, "`photo`: the file is empty"),
        ({"photo": text(b"<html>")}, "`photo`: what came is not known to be a file of image"),
        ({"photo": text(wav())}, "`photo`: audio/wav came, image is wanted"),
        ({"photo": "not base64!"}, "no base64"),
        ({"voice": text(png())}, "`voice`: image/png came, audio/wav is wanted"),
        ({"voice": text(wav()[:20])}, "EOFError|Error|end"),
        ({"options": '{"a": [}'}, "`options` is no JSON"),
        ({"options": '{"fail": 1}'}, "asked to fail"),
        ({"beats": ["x"]}, "`beats`"),
    ]:
        status, answer = post(house, INFER, request(**changed))
        assert status in (400, 500) and re.search(words, answer["message"]), (changed, status, answer)
        if "voice" not in changed:
            assert status == 400, (changed, answer)
    status, _ = post(house, INFER, request(raw=text(bytes(2_000_000))))
    assert status == 413
    assert post(house, INFER, request())[0] == 200


ECHO = """
from typing import Annotated

def predict(photo: Annotated[bytes, "image/png"]) -> Annotated[bytes, "image/png"]:
    return photo
"""


def test_an_only_file_is_asked_by_every_protocol(house, token, tmp_path):
    (tmp_path / "predict.py").write_text(ECHO)
    rn.push(str(tmp_path), "alice/echo", public=True)
    endpoint = rn.deploy("alice/echo")
    base = "/endpoints/alice/echo/"
    same = {"predictions": [text(png()), text(png(2, 2))]}
    for rows in (
        [text(png()), text(png(2, 2))],
        [{"b64": text(png())}, {"b64": text(png(2, 2))}],
        [{"photo": {"b64": text(png())}}, {"photo": text(png(2, 2))}],
    ):
        assert post(house, base + "v1/models/echo:predict", {"instances": rows}) == (200, same)
        assert post(house, base + "invocations", {"inputs": rows}) == (200, same)
    head = {"inputs": [{**element("photo", ""), "parameters": {"binary_data_size": 4 + len(png())}}]}
    head["inputs"][0].pop("data")
    written = json.dumps(head).encode()
    body = written + struct.pack("<I", len(png())) + png()
    asked = urllib.request.Request(
        house.url + base + "v2/models/echo/infer", body, {"Inference-Header-Content-Length": str(len(written))}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        assert json.loads(answer.read())["outputs"][0]["data"] == [text(png())]
    assert endpoint.predict([png(), png(3, 3)]) == [png(), png(3, 3)]
    status, answer = post(house, base + "v1/models/echo:predict", {"instances": [{"b64": text(b"GIF89a")}]})
    assert (status, "image/gif came, image/png is wanted" in answer["message"]) == (400, True)


def thirds(photo: Image.Image) -> Image.Image:
    return photo.resize((photo.width // 3 or 1, photo.height // 2))


def bright(photo: Annotated[np.ndarray, "image"], beats: Annotated[np.ndarray, "series"]) -> Annotated[list, "masks"]:
    return [{"label": "bright", "score": float(beats.mean()), "mask": photo.mean(axis=2) > 20}]


def test_pictures_and_arrays_are_opened_where_the_hints_ask(house, token):
    pillow = ["pillow", "numpy"]
    rn.push(thirds, "alice/thirds", requirements=pillow, example=[Image.open(io.BytesIO(png()))])
    (small,) = rn.deploy("alice/thirds").predict([png()])
    assert Image.open(io.BytesIO(small)).size == (2, 2)
    rn.push(bright, "alice/bright", requirements=pillow)
    endpoint = rn.deploy("alice/bright")
    ((found,),) = endpoint.predict([[png(), [0.25, 0.75]]])
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["mask"]))))
    wanted = np.asarray(Image.open(io.BytesIO(png()))).mean(axis=2) > 20
    assert found["score"] == 0.5 and np.array_equal(mask > 0, wanted)
    with pytest.raises(rn.ReenactError, match="cannot be read as a picture"):
        endpoint.predict([[png()[:40], [1.0]]])


def test_words_and_hints_become_the_same_schema():
    def hinted(
        photo: Annotated[bytes, "image/png"], how: Literal["a", "b"], beats: list[float], options: dict
    ) -> Annotated[list, "boxes"]: ...

    def bare(photo, how, beats, options): ...

    words = {"photo": "image/png", "how": ["a", "b"], "beats": "series", "options": "json"}
    spoken = described.of_function(bare, words, "boxes", None).as_manifest()
    assert described.of_function(hinted, None, None, None).as_manifest() == spoken
    assert spoken["input"]["parts"][0] == {"name": "photo", "kind": "image", "media_types": ["image/png"]}
    assert spoken["output"] == {"kind": "parts", "parts": [{"name": "output", "kind": "boxes"}]}
    with pytest.raises(ArgumentError, match="never goes in"):
        described.of_function(bare, words | {"options": "masks"}, "boxes", None)
