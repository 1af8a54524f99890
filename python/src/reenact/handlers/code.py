"""The `predict.py` of a model that was pushed as an object.

Plain text for people to read: it runs on the server without this package. Invariant: it opens only files that lie
beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

_HEAD = '''"""Answers with the model that was pushed along with it. Written by `reenact.push`."""

{imports}

_HERE = pathlib.Path(__file__).parent


def _open(name):
    with open(_HERE / name, "rb") as file:
        return cloudpickle.load(file)

'''

_IMPORTS = "import os\nimport pathlib\n\nimport cloudpickle"

_FUNCTION = """
_model = _open("model.pkl")
if isinstance(_model, type):
    _model = _model()
_call = getattr(_model, "predict", _model)


def predict({parameters}):
    return _call({parameters})
"""

_JSON = """
_model = _open("model.pkl")
if isinstance(_model, type):
    _model = _model()
_call = getattr(_model, "predict", _model)


def predict({parameters}):
    return _call({arguments})
"""

_PREPARE = """_preprocess = _open("preprocess.pkl")
"""
_FINISH = """_postprocess = _open("postprocess.pkl")
"""


def for_function(parameters: Sequence[str], as_json: Sequence[str]) -> str:
    """Calls the function with its own parameters; those named in `as_json` come as JSON."""
    names = ", ".join(parameters)
    if not as_json:
        return _HEAD.format(imports=_IMPORTS) + _FUNCTION.format(parameters=names)
    arguments = ", ".join(f"json.loads({name})" if name in as_json else name for name in parameters)
    return _HEAD.format(imports="import json\n" + _IMPORTS) + _JSON.format(parameters=names, arguments=arguments)


def for_rows(open_model: str, columns: Sequence[tuple[str, str]] | None, steps: Sequence[str]) -> str:
    """Calls `_ask` with all rows at once: an array, or a table of these columns with their types.

    `open_model` are the lines that set `_ask`. `steps` may hold `preprocess` and `postprocess`.
    """
    imports = _IMPORTS + ("\nimport pandas" if columns is not None else "")
    text = _HEAD.format(imports=imports) + "\n" + open_model.strip("\n") + "\n"
    text += _PREPARE if "preprocess" in steps else ""
    text += _FINISH if "postprocess" in steps else ""
    if columns is not None:
        listed = "".join(f"    ({name!r}, {kind!r}),\n" for name, kind in columns)
        text += f"_COLUMNS = [\n{listed}]\n"
    text += "\n\n"
    text += "def predict(*inputs):\n" if columns is not None else "def predict(rows):\n"
    if columns is not None:
        text += "    rows = pandas.DataFrame({name: column for (name, _), column in zip(_COLUMNS, inputs)})\n"
        text += "    rows = rows.astype(dict(_COLUMNS))\n"
    asked = "_preprocess(rows)" if "preprocess" in steps else "rows"
    text += f"    answer = _ask({asked})\n"
    text += "    return _postprocess(answer)\n" if "postprocess" in steps else "    return answer\n"
    return text


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
