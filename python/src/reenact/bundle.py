"""The folder that a push of a model sends: the model, the original beside it, manifest, examples, card.

Knows files and frameworks, no server. Invariant: the manifest names only files that the folder holds, and the
expected answers in the examples are the original model's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import _toml, card
from .convert import Converted, Wishes, convert, estimator, lightgbm, xgboost
from .convert.onnx_model import OnnxModel
from .convert.schema import Column, Image, columns_of, complete, image_of, is_frame, plain, plain_row, rows_of
from .errors import ArgumentError

MOST_EXAMPLES = 20


@dataclass(frozen=True)
class Picture:
    """That a row is a picture, and how to see it."""

    shape: Sequence[int] | None = None
    black: float | None = None
    white: float | None = None


@dataclass(frozen=True)
class Request:
    """What the caller of `push` asked for, checked no further."""

    title: str
    example: Any = None
    wishes: Wishes = field(default_factory=Wishes)
    picture: Picture | None = None
    is_converted: bool = True
    description: str = ""
    license: str | None = None
    task: str | None = None
    tags: Sequence[str] = ()
    card: str | None = None


@dataclass(frozen=True)
class Bundle:
    """What was written, in one sentence for the caller; empty where nothing was proven."""

    sentence: str = ""


def write_estimator(model: Any, request: Request, folder: Path) -> Bundle:
    """Writes an estimator: converted, proven and described, or the original alone."""
    model = _with_interface(model)
    original = _save_original(model, folder)
    facts: dict[str, Any] = {
        "original_class": estimator.public_name(model),
        "original_file": original,
        "library": _library(model),
    }
    if not request.is_converted:
        write_manifest(folder, request, {"model": original}, {})
        write_card(folder, request, facts)
        return Bundle()
    if request.example is None:
        raise ArgumentError(
            "a model is converted only if the conversion can be proven, and for that it needs example rows",
            hint="give a few, such as `example=X_test[:5]`, or push the original alone with `convert=False`",
        )
    converted = convert(model, request.example, request.wishes)
    (folder / "model.onnx").write_bytes(converted.content)
    rows = rows_of(request.example)
    image = image_of_rows(rows, request.picture)
    _write_examples(folder, rows, _expected(model, rows, converted))
    view = {"input": _input_view(converted.columns, image), "output": converted.output.as_manifest()}
    files = {"model": "model.onnx", "original": original, "examples": "examples.json"}
    task = request.task or _task(converted.output.kind, image)
    write_manifest(folder, request, files, {"conversion": converted.as_manifest(), "schema": view}, task=task)
    write_card(
        folder, request, facts | {"converted": converted, "image": image, "columns": converted.columns}, task=task
    )
    return Bundle(f"`{facts['original_class']}` converted by {converted.tool} and {converted.proof.sentence()}")


def write_onnx(content: bytes, request: Request, folder: Path) -> Bundle:
    """Writes an ONNX model as it is; the example, where there is one, describes its inputs."""
    (folder / "model.onnx").write_bytes(content)
    files, tables = {"model": "model.onnx"}, {}
    facts: dict[str, Any] = {"library": "onnx"}
    if request.example is not None:
        rows = rows_of(request.example)
        onnx = OnnxModel(content)
        onnx.run(rows)  # An example that the model refuses is no example.
        image = image_of_rows(rows, request.picture, onnx)
        columns = columns_of(rows, request.wishes.hints)
        _write_examples(folder, rows, [])
        files["examples"] = "examples.json"
        if image is not None or _is_table(onnx, rows):
            tables["schema"] = {"input": _input_view(_typed(columns, onnx), image)}
            facts |= {"image": image, "columns": _typed(columns, onnx)}
    write_manifest(folder, request, files, tables)
    write_card(folder, request, facts)
    return Bundle()


def _with_interface(model: Any) -> Any:
    """A bare booster with scikit-learn's interface put around it."""
    if xgboost.is_booster(model):
        return xgboost.from_booster(model)
    return lightgbm.BoosterModel(model) if lightgbm.is_booster(model) else model


def _save_original(model: Any, folder: Path) -> str:
    if xgboost.is_model(model):
        return xgboost.save(model, folder)
    if lightgbm.is_model(model) or isinstance(model, lightgbm.BoosterModel):
        return lightgbm.save(model, folder)
    import joblib

    # Not compressed: versions that differ a little then share most of their chunks in the store.
    joblib.dump(model, folder / "model.joblib")
    return "model.joblib"


def _library(model: Any) -> str:
    module = estimator.public_name(model).partition(".")[0]
    return module if module in ("sklearn", "xgboost", "lightgbm") else ""


def _task(kind: str, image: Image | None) -> str | None:
    if kind == "label":
        return "image-classification" if image is not None else "tabular-classification"
    return "tabular-regression" if kind == "number" and image is None else None


def image_of_rows(rows: Any, picture: Picture | None, onnx: OnnxModel | None = None) -> Image | None:
    """The picture in each row, where the caller said that there is one."""
    if picture is None:
        return None
    if is_frame(rows):
        raise ArgumentError("a DataFrame holds no pictures", hint="give the example as an array")
    image = image_of(rows, shape=picture.shape, black=picture.black, white=picture.white)
    if onnx is None or len(onnx.inputs[0].shape) < 3:
        return image
    is_channels_first = len(onnx.inputs[0].shape) == 4 and onnx.inputs[0].shape[1] == image.channels
    return replace(image, layout="nchw" if is_channels_first else "nhwc")


def _is_table(onnx: OnnxModel, rows: Any) -> bool:
    return len(onnx.inputs) > 1 or (len(onnx.inputs[0].shape) == 2 and len(rows.shape) == 2)


def _typed(columns: Sequence[Column], onnx: OnnxModel) -> tuple[Column, ...]:
    if len(onnx.inputs) == 1:
        return tuple(replace(column, datatype=onnx.inputs[0].datatype) for column in columns)
    datatypes = {tensor.name: tensor.datatype for tensor in onnx.inputs}
    return tuple(replace(column, datatype=datatypes.get(column.name, column.datatype)) for column in columns)


def _input_view(columns: Sequence[Column], image: Image | None) -> dict[str, Any]:
    if image is not None:
        return image.as_manifest()
    return {"kind": "table", "features": [column.as_manifest() for column in columns]}


def _expected(model: Any, rows: Any, converted: Converted) -> list[Any]:
    """The original's answers: the names of classes, or numbers."""
    answers = estimator.of(model, rows).answers(rows)
    if answers.labels is not None:
        return [converted.output.name_of(label) for label in answers.labels]
    return [plain(number) if getattr(number, "ndim", 0) == 0 else number.tolist() for number in answers.numbers]


def _write_examples(folder: Path, rows: Any, expected: Sequence[Any]) -> None:
    indices = complete(rows)[:MOST_EXAMPLES]
    answers = [expected[index] for index in indices] if len(expected) else []
    write_example_rows(folder, [plain_row(rows, index) for index in indices], answers)


def write_example_rows(folder: Path, rows: Sequence[Sequence[Any]], expected: Sequence[Any]) -> None:
    """Writes rows as JSON has them, and what the model answers to each."""
    document: dict[str, Any] = {"rows": list(rows)}
    if len(expected):
        document["expected"] = list(expected)
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    (folder / "examples.json").write_text(text + "\n", encoding="utf-8")


def write_manifest(
    folder: Path, request: Request, files: Mapping[str, str], tables: Mapping[str, Any], *, task: str | None = None
) -> None:
    """Writes `reenact.toml`: what the caller said, the files by what they are, and further tables."""
    said = {"description": request.description, "task": task or request.task, "license": request.license}
    document = {key: value for key, value in said.items() if value} | dict(files) | dict(tables)
    (folder / "reenact.toml").write_text(_toml.dumps(document), encoding="utf-8")


def write_card(folder: Path, request: Request, facts: Mapping[str, Any], *, task: str | None = None) -> None:
    """Writes the caller's card, or one that says what is known."""
    text = request.card
    if text is None:
        text = card.write(
            card.Facts(
                title=request.title,
                description=request.description,
                license=request.license,
                task=task or request.task,
                tags=request.tags,
                **facts,
            )
        )
    (folder / "README.md").write_text(text, encoding="utf-8")
