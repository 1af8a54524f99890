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


def for_function(parameters: Sequence[str]) -> str:
    """Calls the function with its own parameters."""
    return _module(_FUNCTION.format(parameters=", ".join(parameters)))


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
    packages = [f"import {name}" for name in ("cloudpickle", "pandas") if f"{name}." in text]
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

KERAS = """
os.environ["KERAS_BACKEND"] = {backend!r}

import keras  # noqa: E402  The backend is chosen by then.

_model = keras.saving.load_model(_HERE / "model.keras", compile=False)


def _ask(rows):
    return _model.predict(rows, verbose=0)

"""

TORCH = """
import torch

_model = _open("model.pkl").eval()


def _ask(rows):
    with torch.no_grad():
        return _model(torch.as_tensor(rows))

"""

TORCHSCRIPT = """
import torch

_model = torch.jit.load(str(_HERE / "model.pt"), map_location="cpu").eval()


def _ask(rows):
    with torch.no_grad():
        return _model(torch.as_tensor(rows))

"""
