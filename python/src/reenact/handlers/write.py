"""Writes the folder of a model that stays Python: the packed object, `predict.py`, lock, manifest, examples, card.

Ties the parts together and knows no server. Invariant: the model has answered its own example here, or has none,
before anything is written for the server.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import bundle
from ..bundle import Bundle, Request
from ..convert import estimator
from ..convert.output import Output, class_text, names_for
from ..convert.schema import columns_of, complete, is_frame, plain, plain_row, rows_of
from ..errors import ArgumentError
from . import carry, code, described, packages, pictures
from .described import Described, Tensor

_DATATYPES = {"f4": "FP32", "f2": "FP16", "f": "FP64", "i": "INT64", "u": "INT64", "b": "BOOL"}


@dataclass(frozen=True)
class Wanted:
    """What the caller said of a model that stays Python."""

    input: Any = None
    output: Any = None
    requirements: Sequence[str] | None = None
    preprocess: Callable[..., Any] | None = None
    postprocess: Callable[..., Any] | None = None
    interpreter: str | None = None
    """One that the server's operator keeps, by its name there."""

    @property
    def steps(self) -> dict[str, Any]:
        """The functions around the model, by name."""
        named = {"preprocess": self.preprocess, "postprocess": self.postprocess}
        return {name: step for name, step in named.items() if step is not None}


def write_function(model: Any, request: Request, wanted: Wanted, folder: Path) -> Bundle:
    """Writes a function, a class with `predict`, or an object that has it."""
    if wanted.steps:
        raise ArgumentError("a function needs no steps around it", hint="call them inside the function")
    instance = model() if isinstance(model, type) else model
    call = getattr(instance, "predict", instance)
    explain = getattr(instance, "explain", None) if call is not instance else None
    explains, streams = callable(explain), described.streams(call)
    is_silent = wanted.input is None and not described.is_hinted(call) and not streams
    if is_silent and request.example is not None:
        opened = Open(instance, call, code.ESTIMATOR, explains=explains)
        return write_rows(opened, request, wanted, folder)
    schema = described.of_function(call, wanted.input, wanted.output, request.wishes.labels)
    rows = [] if request.example is None else [_row_of(value, len(schema.inputs)) for value in request.example]
    answers = [_answer(call, row) for row in rows]
    for row in rows if explains else []:
        _answer(explain, row, what="`explain`")
    carried = carry.dump(model, folder / "model.pkl", getattr(model, "__name__", type(model).__name__))
    text = code.for_function([tensor.name for tensor in schema.inputs], streams=streams, explains=explains)
    (folder / "predict.py").write_text(text, encoding="utf-8")
    files = {"original": "model.pkl"}
    if rows:
        shown = [[_written(value) for value in row] for row in rows[: bundle.MOST_EXAMPLES]]
        bundle.write_example_rows(folder, shown, answers[: bundle.MOST_EXAMPLES])
        files["examples"] = "examples.json"
    return finish(folder, request, (files, schema), needs_of(wanted, carried.modules))


def write_estimator(model: Any, request: Request, wanted: Wanted, folder: Path) -> Bundle:
    """Writes an estimator as it is, with the steps around it."""
    if wanted.postprocess is not None or wanted.preprocess is not None:
        return write_rows(Open(model, model.predict, code.ESTIMATOR), request, wanted, folder)
    rows = rows_of(request.example)
    known = estimator.of(model, rows)
    outputs, view = _estimator_outputs(known, request, model.predict(rows))
    answers = known.answers(rows)
    ask = _asking(model, answers) if known.has_probabilities else code.ESTIMATOR
    expected = answers.numbers if answers.labels is None else [view.name_of(label) for label in answers.labels]
    opened = Open(model, model.predict, ask, outputs, view, expected)
    return write_rows(opened, request, wanted, folder)


@dataclass(frozen=True)
class Open:
    """A model that is asked all rows at once: how it is asked here, and how on the server.

    `packed` is what goes along as `model.pkl`, `code` the lines that open it and set `_ask`.
    """

    packed: Any
    ask: Callable[[Any], Any]
    code: str
    outputs: tuple[Tensor, ...] | None = None
    view: Output | None = None
    expected: Any = None
    modules: frozenset[str] | set[str] = frozenset()
    original: str = "model.pkl"
    explains: bool = False
    """Whether the packed model has `explain`, which takes the same rows."""


def write_rows(opened: Open, request: Request, wanted: Wanted, folder: Path) -> Bundle:
    """Writes a model that gives one answer for each of the example's rows."""
    if pictures.are_given(request):
        return _write_pictures(opened, request, wanted, folder)
    rows = _rows(request.example)
    gives = _gives(opened, request, wanted, rows)
    inputs, input_view, columns = _inputs(rows, request, wanted)
    schema = Described("rows", inputs, gives.outputs, input_view, gives.view)
    modules = _pack(opened, wanted, folder) | ({"pandas"} if columns is not None else {"numpy"})
    steps = (*wanted.steps, *gives.steps)
    text = code.for_rows(opened.code + gives.code, columns, steps, explains=opened.explains)
    (folder / "predict.py").write_text(text, encoding="utf-8")
    positions = _complete(rows)[: bundle.MOST_EXAMPLES]
    expected = [] if gives.expected is None else [_plain(gives.expected[index]) for index in positions]
    bundle.write_example_rows(folder, [_plain_row(rows, index) for index in positions], expected)
    files = {"original": opened.original, "examples": "examples.json"}
    return finish(folder, request, (files, schema), needs_of(wanted, modules))


def _write_pictures(opened: Open, request: Request, wanted: Wanted, folder: Path) -> Bundle:
    """The same for whole pictures, of which `preprocess` makes what the model takes."""
    preprocess = wanted.preprocess
    if preprocess is None:
        raise ArgumentError(
            "a picture is not what a model takes: something has to make numbers of it",
            hint="give `preprocess`, a function of one picture, such as the transforms that the model was tested with",
        )
    files = pictures.files_of(request.example)
    asked = replace(wanted, preprocess=lambda given: pictures.prepared(preprocess, given))
    gives = _gives(opened, request, asked, files)
    part = {"name": pictures.NAME, "kind": "image"}
    schema = Described(
        "rows", (Tensor(pictures.NAME, "BYTES"),), gives.outputs, {"kind": "parts", "parts": [part]}, gives.view
    )
    hint = pictures.hint_for(preprocess)
    modules = _pack(opened, wanted, folder) | {"numpy"} | (set() if hint is None else {"PIL"})
    text = code.for_pictures(opened.code + gives.code, hint, (*wanted.steps, *gives.steps))
    (folder / "predict.py").write_text(text, encoding="utf-8")
    n_shown = min(len(files), bundle.MOST_EXAMPLES)
    expected = [] if gives.expected is None else [_plain(gives.expected[index]) for index in range(n_shown)]
    bundle.write_example_rows(folder, [[_written(file)] for file in files[:n_shown]], expected)
    named = {"original": opened.original, "examples": "examples.json"}
    return finish(folder, request, (named, schema), needs_of(wanted, modules))


def _pack(opened: Open, wanted: Wanted, folder: Path) -> set[str]:
    """Writes the model and the steps around it; gives the modules that they need."""
    modules = set(opened.modules)
    if opened.packed is not None:
        modules |= carry.dump(opened.packed, folder / "model.pkl", type(opened.packed).__name__).modules
    for name, step in wanted.steps.items():
        modules |= carry.dump(step, folder / f"{name}.pkl", name).modules
    return modules


@dataclass(frozen=True)
class _Gives:
    """What a model gives, and further lines and steps that make it so."""

    outputs: tuple[Tensor, ...]
    view: Output
    expected: Any = None
    code: str = ""
    steps: tuple[str, ...] = ()


def _gives(opened: Open, request: Request, wanted: Wanted, rows: Any) -> _Gives:
    """What the model gives to its example, which it is asked here."""
    answer = _try(opened, wanted, rows)
    if opened.outputs is not None and opened.view is not None:
        return _Gives(opened.outputs, opened.view, opened.expected)
    labels = request.wishes.labels
    if _are_scores(answer, wanted.output, labels):
        return _scored(answer, labels if labels is not None else wanted.output)
    outputs, view = _inferred(answer, len(rows), wanted.output, labels)
    is_plain = not isinstance(answer, (dict, tuple)) and getattr(answer, "ndim", 1) == 1
    return _Gives(outputs, view, answer if opened.expected is None and is_plain else opened.expected)


def _are_scores(answer: Any, wanted: Any, labels: Sequence[Any] | None) -> bool:
    """Whether a label is wanted, and a score for each class is given."""
    is_label = labels is not None or wanted == "label" or isinstance(wanted, (list, tuple))
    shape = getattr(answer, "shape", ())
    return is_label and len(shape) == 2 and shape[1] > 1 and getattr(answer.dtype, "kind", "") == "f"


def _scored(scores: Any, names: Any) -> _Gives:
    """The likeliest class of each row, with what all are given; probabilities by softmax where the scores are none."""
    import numpy as np

    n_classes = scores.shape[1]
    classes = tuple(map(class_text, names if isinstance(names, (list, tuple)) else range(n_classes)))
    if len(classes) != n_classes:
        raise ArgumentError(
            f"there are {len(classes)} labels, and the model gives {n_classes} scores for each row",
            hint="give one label for each score, in their order",
        )
    are_probabilities = bool((scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-3))
    outputs = (Tensor("label", "BYTES"), Tensor("probabilities", "FP64", (n_classes,)))
    view = Output("label", label="label", probabilities="probabilities", classes=classes)
    expected = [classes[place] for place in scores.argmax(axis=1)]
    return _Gives(outputs, view, expected, code.for_scores(classes, are_probabilities=are_probabilities), ("named",))


def _try(opened: Open, wanted: Wanted, rows: Any) -> Any:
    try:
        prepared = wanted.preprocess(rows) if wanted.preprocess else rows
        answer = opened.ask(prepared)
        return wanted.postprocess(answer) if wanted.postprocess else answer
    except Exception as error:  # Whatever a foreign model raises is the reason.
        raise ArgumentError(
            f"the model itself fails on the example: {type(error).__name__}: {str(error).partition(chr(10))[0][:300]}",
            hint="give rows as the model takes them, before `preprocess` where there is one",
        ) from error


@dataclass(frozen=True)
class Needs:
    """The packages of a model, and their lock where it was made here."""

    requirements: list[str]
    lock: str | None
    interpreter: str | None = None


def needs_of(wanted: Wanted, modules: Any) -> Needs:
    """What a model needs that uses these modules."""
    if wanted.interpreter is not None:
        # What it has is known where it is, so that the rest is chosen there.
        return Needs(packages.beside(modules, wanted.requirements), None, wanted.interpreter)
    requirements = packages.required(modules, wanted.requirements)
    return Needs(requirements, packages.lock(requirements))


def finish(folder: Path, request: Request, made: tuple[Mapping[str, str], Described], needs: Needs) -> Bundle:
    """Writes lock, manifest and card."""
    files, schema = made
    environment: dict[str, Any] = {"python": packages.python_version()}
    if needs.interpreter is not None:
        environment = {"interpreter": needs.interpreter}
    if needs.lock is None:
        environment["requirements"] = needs.requirements
    else:
        (folder / "requirements.lock").write_text(needs.lock, encoding="utf-8")
        environment["lock"] = "requirements.lock"
    tables = {
        "serve": {"handler": "predict.py:predict", "takes": schema.takes},
        "environment": environment,
        "schema": schema.as_manifest(),
    }
    bundle.write_manifest(folder, request, files, tables)
    bundle.write_card(folder, request, {"requirements": needs.requirements})
    n = len(needs.requirements)
    where = "locked here" if needs.lock is not None else "to be locked by the server"
    return Bundle(f"kept as Python, with {n} package{'' if n == 1 else 's'} {where}")


_BY_PROBABILITY = {
    "sklearn.ensemble._forest.ForestClassifier",
    "sklearn.ensemble._bagging.BaggingClassifier",
    "sklearn.tree._classes.DecisionTreeClassifier",
    "sklearn.calibration.CalibratedClassifierCV",
}
"""Classes whose `predict` is by its definition the class of largest probability; of others it is only nearly so."""


def _asking(model: Any, answers: Any) -> str:
    """How a classifier is asked: once for both answers, where one follows from the other."""
    import numpy as np

    steps = getattr(model, "steps", None) if type(model).__name__ == "Pipeline" else None
    last = type(steps[-1][1] if steps else model)
    of = next((kind for kind in last.__mro__ if "predict" in vars(kind)), last)
    if f"{of.__module__}.{of.__qualname__}" not in _BY_PROBABILITY:
        return code.CLASSIFIER
    likeliest = np.asarray(model.classes_)[np.argmax(answers.probabilities, axis=1)]
    is_same = [str(a) for a in likeliest] == [str(a) for a in answers.labels]
    return code.CLASSIFIER_BY_PROBABILITY if is_same else code.CLASSIFIER


def _estimator_outputs(known: Any, request: Request, predicted: Any) -> tuple[tuple[Tensor, ...], Output]:
    import numpy as np

    predicted = np.asarray(predicted)
    row_shape = tuple(predicted.shape[1:])
    if known.kind == "label":
        labels = names_for(known.classes, request.wishes.labels, known.raw_classes)
        label = Tensor("label", "INT64" if predicted.dtype.kind in "biuf" else "BYTES", row_shape)
        name = "probabilities" if known.has_probabilities else None
        view = Output("label", label="label", probabilities=name, classes=known.classes, labels=labels)
        scores = (Tensor("probabilities", "FP64", (len(known.classes),)),) if name else ()
        return (label, *scores), view
    outputs = (Tensor("output", "FP64", row_shape),)
    if known.kind == "number":
        return outputs, Output("number", number="output", title=request.wishes.output_title)
    return outputs, Output("tensors")


def _inferred(answer: Any, n_rows: int, wanted: Any, labels: Sequence[Any] | None) -> tuple[tuple[Tensor, ...], Output]:
    """The outputs, from what was answered to the example."""
    import numpy as np

    if isinstance(answer, dict):
        named = {name: np.asarray(value) for name, value in answer.items()}
    else:
        named = {"output": np.asarray(answer)}
    for name, value in named.items():
        if value.ndim == 0 or len(value) != n_rows:
            raise ArgumentError(
                f"the model gave `{name}` the shape {value.shape} for {n_rows} rows",
                hint="what is given back needs one entry for each row that was asked",
            )
    outputs = tuple(Tensor(name, _datatype(value), tuple(value.shape[1:])) for name, value in named.items())
    (first, *others) = outputs
    if not others and first.row_shape in ((), (1,)):
        if wanted == "label" or labels is not None or isinstance(wanted, (list, tuple)):
            known = labels if labels is not None else wanted if isinstance(wanted, (list, tuple)) else ()
            label = replace(first, name="label")
            return (label,), Output("label", label="label", classes=tuple(map(class_text, known)))
        if first.datatype.startswith(("FP", "INT")):
            return outputs, Output("number", number="output")
    return outputs, Output("tensors")


def _inputs(
    rows: Any, request: Request, wanted: Wanted
) -> tuple[tuple[Tensor, ...], Mapping[str, Any], list[tuple[str, str]] | None]:
    """The inputs, the view of them, and for a table its columns with their types."""
    if _is_texts(rows):
        name = "text"
        return (
            (Tensor(name, "BYTES"),),
            {"kind": "table", "features": [{"name": name, "datatype": "BYTES"}]},
            None,
        )
    if is_frame(rows):
        columns = columns_of(rows, request.wishes.hints)
        types = [str(rows[name].dtype) for name in rows.columns]
        typed = [replace(column, datatype=_datatype(rows.iloc[:, index])) for index, column in enumerate(columns)]
        view = {"kind": "table", "features": [column.as_manifest() for column in typed]}
        inputs = tuple(Tensor(column.name, column.datatype) for column in typed)
        return inputs, view, list(zip([str(name) for name in rows.columns], types, strict=True))
    tensor = Tensor("rows", _datatype(rows), tuple(rows.shape[1:]))
    image = bundle.image_of_rows(rows, request.picture)
    if image is not None:
        layout = "flat" if rows.ndim == 2 else "nhwc"
        return (tensor,), replace(image, layout=layout).as_manifest(), None
    if rows.ndim == 2:
        columns = columns_of(rows, request.wishes.hints)
        features = [replace(column, datatype=tensor.datatype).as_manifest() for column in columns]
        return (tensor,), {"kind": "table", "features": features}, None
    return (tensor,), {"kind": "tensors"}, None


def _datatype(values: Any) -> str:
    kind = getattr(values.dtype, "kind", "O")
    return _DATATYPES.get(f"{kind}{getattr(values.dtype, 'itemsize', '')}") or _DATATYPES.get(kind, "BYTES")


def _rows(example: Any) -> Any:
    import numpy as np

    if example is None:
        raise ArgumentError("the model needs example rows", hint="give a few, such as `example=X_test[:5]`")
    if not is_frame(example) and len(example) and all(isinstance(value, str) for value in example):
        return np.array(list(example), dtype=object)
    return rows_of(example)


def _is_texts(rows: Any) -> bool:
    return not is_frame(rows) and rows.dtype.kind == "O"


def _complete(rows: Any) -> list[int]:
    return list(range(len(rows))) if _is_texts(rows) else complete(rows)


def _plain_row(rows: Any, index: int) -> list[Any]:
    return [rows[index]] if _is_texts(rows) else plain_row(rows, index)


def _plain(value: Any) -> Any:
    return value.tolist() if getattr(value, "ndim", 0) else plain(value)


def _written(value: Any) -> Any:
    """An example's value as JSON has it: files by their bytes, pictures as PNG, objects as text."""
    if hasattr(value, "save") and hasattr(value, "getbands"):
        file = io.BytesIO()
        value.save(file, "PNG")
        value = file.getvalue()
    if isinstance(value, (bytes, bytearray)):
        return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping) or (isinstance(value, list) and value and isinstance(value[0], Mapping)):
        return json.dumps(value)
    return _plain(value)


def _row_of(value: Any, n_inputs: int) -> list[Any]:
    """One example as the values of a row."""
    if n_inputs == 1:
        return [value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value]
    if isinstance(value, Mapping):
        return list(value.values())
    if not isinstance(value, (list, tuple)) or len(value) != n_inputs:
        raise ArgumentError(
            f"an example is `{value!r:.80}`, and the function takes {n_inputs} inputs",
            hint="give each example as a list of its inputs, in the order of the parameters",
        )
    return list(value)


def _answer(call: Any, row: Sequence[Any], what: str = "the function") -> Any:
    try:
        answer = call(*row)
        if isinstance(answer, Iterator):
            answer = "".join(answer)
    except Exception as error:  # Whatever a foreign function raises is the reason.
        raise ArgumentError(
            f"{what} fails on the example `{row!r:.80}`: {type(error).__name__}: {error}",
            hint="give examples as the function takes them",
        ) from error
    return answer if isinstance(answer, (str, bool, int, float)) else None
