"""An estimator with scikit-learn's interface: what it is, and what it answers.

Knows the interface, not the classes behind it. Invariant: the estimator is only asked, never changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConversionError
from .output import class_text
from .proof import Answers


@dataclass(frozen=True)
class Estimator:
    """A fitted model, its kind (`label`, `number` or `tensors`), and its classes in its own words."""

    model: Any
    kind: str
    raw_classes: tuple[Any, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(map(class_text, self.raw_classes))

    @property
    def has_probabilities(self) -> bool:
        return self.kind == "label" and hasattr(self.model, "predict_proba")

    def answers(self, rows: Any) -> Answers:
        import numpy as np

        predicted = np.asarray(self.model.predict(rows))
        if self.kind == "label":
            labels = np.array([class_text(value) for value in predicted.reshape(-1)], dtype=object)
            probabilities = np.asarray(self.model.predict_proba(rows)) if self.has_probabilities else None
            return Answers(labels=labels, probabilities=probabilities)
        return Answers(numbers=predicted if predicted.ndim > 1 and predicted.shape[1] > 1 else predicted.reshape(-1))


def is_estimator(model: Any) -> bool:
    """Whether this has scikit-learn's interface, told without importing anything."""
    return not isinstance(model, type) and hasattr(model, "predict") and hasattr(model, "get_params")


def of(model: Any, rows: Any) -> Estimator:
    """Tells what the model is; raises `ConversionError` where it is not fitted or gives what no schema describes."""
    kind = _kind(model)
    raw = getattr(model, "classes_", None)
    if kind == "label" and isinstance(raw, list):
        raise ConversionError(
            f"the model predicts {len(raw)} labels at once", hint="push one model for each label, or `convert=False`"
        )
    try:
        predicted = model.predict(rows)
    except Exception as error:  # Whatever a foreign model raises is the reason.
        raise ConversionError(
            f"the model itself fails on the example: {type(error).__name__}: {str(error).splitlines()[0][:300]}",
            hint="give rows as `model.predict` takes them, and a model that is fitted",
        ) from error
    shape: tuple[int, ...] = getattr(predicted, "shape", (len(predicted),))
    if kind == "number" and len(shape) > 1 and shape[1] > 1:
        return Estimator(model, "tensors")
    return Estimator(model, kind, _classes(model, kind, raw))


def public_name(model: Any) -> str:
    """The class by the shortest module that offers it, such as `sklearn.ensemble.RandomForestClassifier`."""
    kind = type(getattr(model, "reenact_original", model))
    parts = kind.__module__.split(".")
    for end in range(1, len(parts) + 1):
        module = ".".join(parts[:end])
        if getattr(sys.modules.get(module), kind.__name__, None) is kind:
            return f"{module}.{kind.__name__}"
    return f"{kind.__module__}.{kind.__qualname__}"


def _kind(model: Any) -> str:
    declared = getattr(model, "reenact_kind", None)
    if declared is not None:
        return str(declared)
    from sklearn.base import is_classifier, is_clusterer, is_outlier_detector

    return "label" if is_classifier(model) or is_clusterer(model) or is_outlier_detector(model) else "number"


def _classes(model: Any, kind: str, raw: Sequence[Any] | None) -> tuple[Any, ...]:
    if kind != "label":
        return ()
    if raw is not None:
        return tuple(raw)
    from sklearn.base import is_outlier_detector

    if is_outlier_detector(model):
        return (-1, 1)
    centres = getattr(model, "cluster_centers_", None)
    n_clusters = len(centres) if centres is not None else getattr(model, "n_clusters", 0)
    if not n_clusters:
        raise ConversionError(
            f"`{public_name(model)}` does not say which classes it has", hint="push it with `convert=False`"
        )
    return tuple(range(n_clusters))
