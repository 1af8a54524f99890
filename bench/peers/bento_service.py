"""The same scikit-learn model as a BentoML service. `MODEL` names the file."""

from __future__ import annotations

import os

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1)
class Digits:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api(route="/predict")
    def predict(self, inputs: list[list[float]]) -> dict[str, list[int]]:
        return {"predictions": self.model.predict(np.asarray(inputs, dtype=np.float64)).tolist()}
