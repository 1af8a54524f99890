"""`reenact.push`: a trained model, a function, an ONNX model or a folder becomes a page.

Knows what kinds of things can be pushed and hands each to its writer; the transfer is the command's. Invariant:
nothing is sent before the conversion is proven, or the model has answered its own example.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import _binary, _credentials, bundle
from ._client import Repository, parse_repository
from ._credentials import Server
from .convert import Wishes, estimator, lightgbm, onnx_model, xgboost
from .convert.schema import Hints, rows_of
from .errors import ArgumentError, ConversionError
from .handlers import described, network, pipelines
from .handlers import write as handlers


@dataclass(frozen=True)
class Pushed:
    """What was pushed and the address of its page."""

    repository: str
    url: str


def push(
    model: Any,
    repository: str,
    *,
    example: Any = None,
    labels: Sequence[Any] | None = None,
    public: bool = False,
    message: str | None = None,
    data: Any = None,
    feature_names: Sequence[str] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    descriptions: Mapping[str, str] | None = None,
    input: Any = None,
    output: Any = None,
    requirements: Sequence[str] | None = None,
    preprocess: Callable[..., Any] | None = None,
    postprocess: Callable[..., Any] | None = None,
    interpreter: str | None = None,
    shape: Sequence[int] | None = None,
    black: float | None = None,
    white: float | None = None,
    output_title: str = "",
    description: str = "",
    license: str | None = None,
    task: str | None = None,
    tags: Sequence[str] = (),
    card: str | os.PathLike[str] | None = None,
    tolerance: float = 1e-4,
    convert: bool = True,
    url: str | None = None,
    token: str | None = None,
) -> Pushed:
    """Pushes a model and returns its page.

    `model` is a fitted scikit-learn, XGBoost or LightGBM model, a network of Keras or PyTorch, a pipeline of
    `transformers` for texts, any function or any class or object with `predict`, an ONNX model as an object or a path,
    or the path of a folder or file, which is pushed as it is. A folder that `save_pretrained` of `transformers` filled
    and, with `example`, a TorchScript archive get a handler.

    A fitted model is converted to ONNX, and the conversion is proven on `example` (rows as `model.predict` takes
    them), on rows of `data` and on rows varied from both: labels equal, probabilities within `tolerance`, numbers
    within `tolerance` times the largest. What cannot be converted or proven, all with `convert=False`, and whatever
    has a `preprocess` or `postprocess` function around it stays Python: it is packed with all that it closes over
    and runs on the server in an environment of `requirements`, or else of the packages that it uses, in the versions
    installed here. One printed line says which of the two was done, and why. `interpreter` names one that the server's
    operator keeps, with packages that no index has; `requirements` are then what it lacks.

    The schema comes from `example`; that of a function from its type hints, or from `input` and `output`: `"text"`,
    `"number"`, `"integer"`, `"truth"`, `"image"`, `"audio"`, `"video"`, `"file"`, `"series"`, `"table"`, `"json"`, a
    media type, a type, a list of texts of which one is meant, or for several inputs a dictionary of those by
    parameter; an output may also be `"boxes"` or `"masks"` over the picture that went in. `labels` are the people's names of the classes, in the order of
    `model.classes_`. Smallest and largest values are hints for forms: from `ranges`, else from `data` (such as the
    training data), else from `example`. `input="image"` with `shape` and the values of a `black` and a `white`
    pixel makes each row a picture; with pictures as `example` (files, paths, images of Pillow) and `preprocess`, a
    function of one of them, people and programs send whole pictures. A network that gives a score for each class
    answers with the likeliest where `labels` or `output="label"` ask for it, and with probabilities, by softmax where
    the scores are none. A generator of texts answers piece by piece, and `explain` beside the `predict` of a class or
    object explains. `card` is the text of the card, or the path of a file with it.

    Raises `ConversionError`, `ArgumentError`, `BinaryError` or `CredentialsError`.
    """
    target = _target(repository)
    server = _credentials.server(url=url, token=token)
    ranges, descriptions = dict(ranges or {}), dict(descriptions or {})
    hints = Hints(data=data, feature_names=feature_names, ranges=ranges, descriptions=descriptions)
    # Of a function `image` and `table` are whole files, of other models rows of values.
    is_function = not isinstance(model, (str, os.PathLike)) and _is_function(model)
    request = bundle.Request(
        title=target.name.partition("/")[2],
        example=example,
        wishes=Wishes(hints=hints, labels=labels, output_title=output_title, tolerance=tolerance),
        picture=None if is_function else _picture(_seen_as(input), shape, black, white),
        is_converted=convert,
        description=description,
        license=license,
        task=task,
        tags=tags,
        card=_card_text(card),
    )
    kind = None if not is_function and isinstance(input, str) and input in ("image", "table") else input
    wanted = handlers.Wanted(kind, output, requirements, preprocess, postprocess, interpreter)
    sending = _Sending(server, target, public, message)
    if isinstance(model, (str, os.PathLike)):
        return _push_path(Path(model), request, wanted, sending)
    with tempfile.TemporaryDirectory(prefix="reenact-") as folder:
        written = write(model, request, Path(folder), wanted)
        if written.sentence:
            print(written.sentence)
        return sending.send(Path(folder))


def write(model: Any, request: bundle.Request, folder: Path, wanted: handlers.Wanted | None = None) -> bundle.Bundle:
    """Writes into the folder what a push of this object sends."""
    wanted = wanted or handlers.Wanted()
    if onnx_model.is_onnx_object(model):
        return bundle.write_onnx(onnx_model.content_of(model), request, folder)
    if estimator.is_estimator(model) or xgboost.is_booster(model) or lightgbm.is_booster(model):
        return _write_estimator(model, request, folder, wanted)
    if network.is_keras(model) or network.is_torch(model):
        return network.write(model, request, wanted, folder)
    if pipelines.is_pipeline(model):
        return pipelines.write(model, request, wanted, folder)
    if _is_function(model):
        return handlers.write_function(model, request, wanted, folder)
    raise ArgumentError(
        f"a `{type(model).__module__}.{type(model).__qualname__}` cannot be pushed as an object",
        hint="give it a method `predict`, save it into a folder and push the path, or export it to ONNX",
    )


def _is_function(model: Any) -> bool:
    """Whether it is a function, or a class or object with `predict`, of no framework that is known here."""
    is_known = (
        onnx_model.is_onnx_object(model)
        or estimator.is_estimator(model)
        or xgboost.is_booster(model)
        or lightgbm.is_booster(model)
        or network.is_keras(model)
        or network.is_torch(model)
        or pipelines.is_pipeline(model)
    )
    return not is_known and (callable(model) or callable(getattr(model, "predict", None)))


def _write_estimator(model: Any, request: bundle.Request, folder: Path, wanted: handlers.Wanted) -> bundle.Bundle:
    """Converted and proven where that goes, else as it is, saying why."""
    asks_for_python = bool(wanted.steps) or not request.is_converted
    if asks_for_python and request.example is not None:
        return handlers.write_estimator(model, request, wanted, folder)
    try:
        return bundle.write_estimator(model, request, folder)
    except ConversionError as error:
        if request.example is None or not estimator.is_estimator(model):
            raise
        # A model that fails on its own example fails here once more, and this time for good.
        estimator.of(model, rows_of(request.example))
        for left in folder.iterdir():
            left.unlink()
        written = handlers.write_estimator(model, request, wanted, folder)
        return bundle.Bundle(f"{written.sentence}; it is not served as ONNX: {error.message}")


@dataclass(frozen=True)
class _Sending:
    """Where a folder goes, and how."""

    server: Server
    repository: Repository
    is_public: bool
    message: str | None

    def send(self, path: Path) -> Pushed:
        arguments = ["push", str(path), self.repository.name]
        arguments += ["--public"] if self.is_public else []
        arguments += ["-m", self.message] if self.message else []
        printed = _binary.run(arguments, server=self.server).split()
        address = next(
            (word for word in reversed(printed) if "://" in word), f"{self.server.url}/{self.repository.name}"
        )
        return Pushed(self.repository.name, address)


def _push_path(path: Path, request: bundle.Request, wanted: handlers.Wanted, sending: _Sending) -> Pushed:
    if not path.exists():
        raise ArgumentError(f"there is no `{path}`", hint="give the path of a file or folder")
    with tempfile.TemporaryDirectory(prefix="reenact-") as folder:
        if written := _write_path(path, request, wanted, Path(folder)):
            print(written.sentence)
            return sending.send(Path(folder))
    is_described = request.example is not None or request.card is not None or request.description
    if path.suffix.lower() != ".onnx" or not is_described:
        return sending.send(path)
    with tempfile.TemporaryDirectory(prefix="reenact-") as folder:
        bundle.write_onnx(path.read_bytes(), request, Path(folder))
        return sending.send(Path(folder))


def _write_path(
    path: Path, request: bundle.Request, wanted: handlers.Wanted, folder: Path
) -> bundle.Bundle | None:
    """Writes what a path means that gets a handler; nothing for all others."""
    if pipelines.is_folder(path):
        return pipelines.write_folder(path, request, wanted, folder)
    archive = network.script_in(path) if request.example is not None else None
    script = network.open_script(archive) if archive is not None else None
    return None if script is None else network.write(script, request, wanted, folder)


def _target(repository: str) -> Repository:
    target = parse_repository(repository)
    if target.revision is not None:
        raise ArgumentError(
            f"`{repository}` names a revision", hint="push to `owner/name`; a push makes a new revision of its own"
        )
    return target


def _seen_as(input: Any) -> str | None:
    """What `input` says of a row that is no value of a function's: `image`, `table`, or nothing."""
    words = [word for word in described.WORDS if word not in ("image", "table")]
    return None if not isinstance(input, str) or input in words or "/" in input else input


def _picture(
    kind: str | None, shape: Sequence[int] | None, black: float | None, white: float | None
) -> bundle.Picture | None:
    if kind not in (None, "table", "image"):
        raise ArgumentError(f"`input={kind!r}` is not known", hint='give `input="image"`, or leave it out for a table')
    if kind != "image":
        if shape is not None or black is not None or white is not None:
            raise ArgumentError("`shape`, `black` and `white` describe pictures", hint='add `input="image"`')
        return None
    return bundle.Picture(shape=shape, black=black, white=white)


def _card_text(card: str | os.PathLike[str] | None) -> str | None:
    """The card itself, or the text of the file that a path names: an object that is a path, or a name in `.md`."""
    if card is None:
        return None
    if isinstance(card, str) and ("\n" in card or not card.endswith(".md")):
        return card
    try:
        return Path(card).read_text(encoding="utf-8")
    except OSError as error:
        raise ArgumentError(
            f"the card `{card}` could not be read: {error.strerror}", hint="give its text or path"
        ) from error
