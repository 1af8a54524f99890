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


def predict({parameters}):
    return _call({parameters})


# Whose hints say what it takes.
predict.__wrapped__ = _call
"""


_PIPELINE = """
os.environ["HF_HUB_OFFLINE"] = "1"

import transformers  # noqa: E402  It is told by then to look for nothing elsewhere.

transformers.logging.set_verbosity_error()
_pipeline = transformers.pipeline({task!r}, model=str(_HERE), tokenizer=str(_HERE), device=-1)


{body}
"""


def for_function(parameters: Sequence[str]) -> str:
    """Calls the function with its own parameters."""
    return _module(_FUNCTION.format(parameters=", ".join(parameters)))


def for_pipeline(task: str, body: str) -> str:
    """Calls a pipeline of transformers, opened from the files beside it."""
    return _module(_PIPELINE.format(task=task, body=body.strip("\n")))


def for_rows(open_model: str, columns: Sequence[tuple[str, str]] | None, steps: Sequence[str]) -> str:
    """Calls `_ask` with all rows at once: an array, or a table of these columns with their types.

    `open_model` are the lines that set `_ask`. `steps` may hold `preprocess` and `postprocess`.
    """
    lines = [f'_{step} = _open("{step}.pkl")' for step in ("preprocess", "postprocess") if step in steps]
    if columns is not None:
        lines += ["_COLUMNS = [", *(f"    ({name!r}, {kind!r})," for name, kind in columns), "]"]
    lines.append(open_model.strip("\n"))
    lines += ["", "", "def predict(rows):" if columns is None else "def predict(*inputs):"]
    if columns is not None:
        lines.append("    rows = pandas.DataFrame({name: column for (name, _), column in zip(_COLUMNS, inputs)})")
        lines.append("    rows = rows.astype(dict(_COLUMNS))")
    lines.append(f"    answer = _ask({'_preprocess(rows)' if 'preprocess' in steps else 'rows'})")
    lines.append("    return _postprocess(answer)" if "postprocess" in steps else "    return answer")
    return _module("\n" + "\n".join(lines) + "\n")


def _module(body: str) -> str:
    """A whole file: what it is, the modules that it names, and how it opens what lies beside it."""
    opening = _OPEN + "\n" if "_open(" in body else ""
    text = f"{_HERE}\n\n{opening}{body}"
    standard = [f"import {name}" for name in ("os", "pathlib") if f"{name}." in text]
    packages = [f"import {name}" for name in ("cloudpickle", "numpy", "pandas") if f"{name}." in text]
    imports = "\n".join(standard) + ("\n\n" + "\n".join(packages) if packages else "")
    return f"{_HEAD}\n\n{imports}\n\n{text}"


ESTIMATOR = """
_model = _open("model.pkl")
_ask = getattr(_model, "predict", _model)
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
