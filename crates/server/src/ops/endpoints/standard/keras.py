"""Answers with a Keras archive, whose folder has no handler of its own.

Written by the server, which fixed the names below. Invariant: only what is part of Keras is loaded.
"""

import importlib.util
import os
import pathlib

FILE = None
INPUTS = None
OUTPUTS = None

# What Keras can compute on; it needs nothing but itself for the last.
_BACKENDS = [name for name in ("jax", "tensorflow", "torch") if importlib.util.find_spec(name)] + ["numpy"]
os.environ["KERAS_BACKEND"] = _BACKENDS[0]

import keras  # noqa: E402  The backend is chosen by then.

_model = keras.saving.load_model(pathlib.Path(__file__).parent / FILE, compile=False)


def predict(*columns):
    rows = columns[0] if len(INPUTS) == 1 else dict(zip(INPUTS, columns))
    answer = _model.predict(rows, verbose=0)
    if isinstance(answer, dict) and set(answer) == set(OUTPUTS):
        return answer
    answers = list(answer.values()) if isinstance(answer, dict) else answer
    answers = answers if isinstance(answers, (list, tuple)) else [answers]
    if len(answers) != len(OUTPUTS):
        raise RuntimeError(f"the network gives {len(answers)} outputs, and the schema names {len(OUTPUTS)}")
    return dict(zip(OUTPUTS, answers))
