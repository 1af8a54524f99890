"""The `predict.py` of a model that was pushed as an object.

Plain text for people to read: it runs on the server without this package. Invariant: it opens only files that lie
beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

_HEAD = '"""Answers with the model that was pushed along with it. Written by `reenact.push`."""'
_HERE = "_HERE = pathlib.Path(__file__).parent"

_OPEN = """
def _open(name):
    with open(_HERE / name, "rb") as file:
        return cloudpickle.load(file)
"""

_FUNCTION = """
_model = _open("model.pkl")
if isinstance(_model, type):
    _model = _model()
_call = getattr(_model, "predict", _model)


def predict({parameters}){gives}:
    return _call({parameters})


# Whose hints say what it takes.
predict.__wrapped__ = _call
"""

_STREAM = " -> Iterator[str]"
"""By which the server knows that an answer comes piece by piece."""

_EXPLAIN = """

def explain({parameters}):
    return _model.explain({parameters})
"""

_PIPELINE = """
os.environ["HF_HUB_OFFLINE"] = "1"

import transformers  # noqa: E402  It is told by then to look for nothing elsewhere.

transformers.logging.set_verbosity_error()
_pipeline = transformers.pipeline({task!r}, model=str(_HERE), tokenizer=str(_HERE), device=-1)


{body}
"""


def for_function(parameters: Sequence[str], *, streams: bool = False, explains: bool = False) -> str:
    """Calls the function with its own parameters, and beside it what explains."""
    given = ", ".join(parameters)
    text = _FUNCTION.format(parameters=given, gives=_STREAM if streams else "")
    return _module(text + (_EXPLAIN.format(parameters=given) if explains else ""))


def for_pipeline(task: str, body: str) -> str:
    """Calls a pipeline of transformers, opened from the files beside it."""
    return _module(_PIPELINE.format(task=task, body=body.strip("\n")))


def for_rows(
    open_model: str, columns: Sequence[tuple[str, str]] | None, steps: Sequence[str], *, explains: bool = False
) -> str:
    """Calls `_ask` with all rows at once: an array, or a table of these columns with their types.

    `open_model` are the lines that set `_ask`, and `_model` where that explains. `steps` may hold `preprocess`,
    `postprocess` and `named`, which the lines set then.
    """
    lines = _opened(steps)
    if columns is not None:
        lines += ["_COLUMNS = [", *(f"    ({name!r}, {kind!r})," for name, kind in columns), "]"]
    lines.append(open_model.strip("\n"))
    given = "_preprocess(rows)" if "preprocess" in steps else "rows"
    lines += _asked_with_rows("predict", columns)
    lines += _answered(given, steps)
    if explains:
        lines += [*_asked_with_rows("explain", columns), f"    return _model.explain({given})"]
    return _module("\n" + "\n".join(lines) + "\n")


def for_pictures(open_model: str, hint: str | None, steps: Sequence[str]) -> str:
    """Calls `_ask` with what `preprocess` makes of each picture; `hint` says how that takes one."""
    given = "numpy.stack([numpy.asarray(_preprocess(picture)) for picture in pictures])"
    lines = [*_opened(steps), open_model.strip("\n"), "", ""]
    lines.append(f"def predict(pictures{'' if hint is None else f': {hint}'}):")
    return _module("\n" + "\n".join([*lines, *_answered(given, steps)]) + "\n")


def for_scores(classes: Sequence[str], *, are_probabilities: bool) -> str:
    """Lines that name the class of each row of scores."""
    return _SCORES.format(classes=list(classes), softmax="" if are_probabilities else _SOFTMAX)


def _opened(steps: Sequence[str]) -> list[str]:
    return [f'_{step} = _open("{step}.pkl")' for step in ("preprocess", "postprocess") if step in steps]


def _answered(given: str, steps: Sequence[str]) -> list[str]:
    """The lines that answer with what was given."""
    lines = [f"    answer = _ask({given})"]
    lines += ["    answer = _postprocess(answer)"] if "postprocess" in steps else []
    return [*lines, "    return _named(answer)" if "named" in steps else "    return answer"]


def _asked_with_rows(name: str, columns: Sequence[tuple[str, str]] | None) -> list[str]:
    """The head of a function that has all rows as `rows`."""
    if columns is None:
        return ["", "", f"def {name}(rows):"]
    return [
        "",
        "",
        f"def {name}(*inputs):",
        "    rows = pandas.DataFrame({name: column for (name, _), column in zip(_COLUMNS, inputs)})",
        "    rows = rows.astype(dict(_COLUMNS))",
    ]


def _module(body: str) -> str:
    """A whole file: what it is, the modules that it names, and how it opens what lies beside it."""
    opening = _OPEN + "\n" if "_open(" in body else ""
    text = f"{_HERE}\n\n{opening}{body}"
    standard = [f"import {name}" for name in ("os", "pathlib") if f"{name}." in text]
    packages = [f"import {name}" for name in ("cloudpickle", "numpy", "pandas") if f"{name}." in text]
    standard += ["from collections.abc import Iterator"] if _STREAM in text else []
    imports = "\n".join(standard) + ("\n\n" + "\n".join(packages) if packages else "")
    return f"{_HEAD}\n\n{imports}\n\n{text}"


ESTIMATOR = """
_model = _open("model.pkl")
_ask = getattr(_model, "predict", _model)
"""

_SCORES = """
_CLASSES = {classes!r}


def _named(scores):
    scores = numpy.asarray(scores, dtype="float64")
{softmax}    return {{"label": [_CLASSES[place] for place in scores.argmax(axis=1)], "probabilities": scores}}
"""

_SOFTMAX = """\
    scores = numpy.exp(scores - scores.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
"""

CLASSIFIER = """
_model = _open("model.pkl")


def _ask(rows):
    return {"label": _model.predict(rows), "probabilities": _model.predict_proba(rows)}

"""

CLASSIFIER_BY_PROBABILITY = """
_model = _open("model.pkl")
_classes = numpy.asarray(_model.classes_)


def _ask(rows):
    # A model of this kind predicts the class that it gives the largest probability.
    probabilities = _model.predict_proba(rows)
    return {"label": _classes[probabilities.argmax(axis=1)], "probabilities": probabilities}

"""

KERAS = """
os.environ["KERAS_BACKEND"] = {backend!r}

import keras  # noqa: E402  The backend is chosen by then.

_model = keras.saving.load_model(_HERE / "model.keras", compile=False)


def _ask(rows):
    return _model.predict(rows, verbose=0)

"""

TORCH_OPENER = """
import pickle

import safetensors.torch
import torch


class _Opener(pickle.Unpickler):
    # The pickle names the tensors that lie in the other file. One that is named twice is one.
    def persistent_load(self, named):
        kind, name, wants_gradient = named
        if kind == "parameter" and not isinstance(self.tensors[name], torch.nn.Parameter):
            self.tensors[name] = torch.nn.Parameter(self.tensors[name], requires_grad=wants_gradient)
        return self.tensors[name]


def _open_network(folder):
    with open(folder / "network.pkl", "rb") as file:
        opener = _Opener(file)
        opener.tensors = safetensors.torch.load_file(str(folder / "model.safetensors"))
        return opener.load()
"""

_TORCH_ASK = """

def _ask(rows):
    with torch.inference_mode():
        answer = _network(torch.as_tensor(rows))
    if isinstance(answer, (tuple, list)):
        return {f"output{index}": value for index, value in enumerate(answer)}
    return answer

"""

TORCH = TORCH_OPENER + """

_network = _open_network(_HERE).eval()
""" + _TORCH_ASK

TORCHSCRIPT = """
import torch

_network = torch.jit.load(str(_HERE / "model.pt"), map_location="cpu").eval()
""" + _TORCH_ASK
