"""The demo: two real classifiers on data that ships with scikit-learn, pushed, deployed and asked.

Run by the command `reenact demo` as `python -m reenact._demo --url URL --owner NAME`, with the token in the
environment. Knows the public calls of this package alone. Invariant: one line of JSON on standard output for each
model, nothing else, and every figure in it was measured in this run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reenact as rn

_SEED = 0


@dataclass(frozen=True)
class Model:
    """A trained model with what a push of it says, and a held-out row to ask."""

    name: str
    estimator: Any
    says: dict[str, Any]
    accuracy: float
    row: Any
    expected: str


def digits() -> Model:
    """Handwritten digits of 8 x 8 pixels, by a random forest."""
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import train_test_split

    data = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        data.data, data.target, test_size=0.25, random_state=_SEED, stratify=data.target
    )
    estimator = RandomForestClassifier(n_estimators=100, random_state=_SEED, n_jobs=1).fit(x_train, y_train)
    accuracy = float(estimator.score(x_test, y_test))
    says = {
        "example": _one_of_each(x_test, y_test, n_classes=10, n_each=2),
        "labels": [str(digit) for digit in range(10)],
        "data": x_train,
        "input": "image",
        "shape": (8, 8),
        "black": 16.0,
        "white": 0.0,
        "description": "Reads a handwritten digit. Draw one and see.",
        "card": _card(
            "Handwritten digits",
            "image-classification",
            "A random forest of 100 trees that reads a handwritten digit of 8 x 8 grey values.",
            "the *Optical Recognition of Handwritten Digits* data of the UCI Machine Learning Repository, as it ships"
            f" with scikit-learn (`load_digits`): {len(data.data)} scans, ink from 0 (none) to 16 (full)",
            (len(x_train), len(x_test), accuracy),
        ),
    }
    return Model("digits", estimator, says, accuracy, x_test[:1], str(y_test[0]))


def breast_cancer() -> Model:
    """Tumours described by thirty numbers, by a logistic regression on standardised values."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data = load_breast_cancer()
    x_train, x_test, y_train, y_test = train_test_split(
        data.data, data.target, test_size=0.25, random_state=_SEED, stratify=data.target
    )
    estimator = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x_train, y_train)
    accuracy = float(estimator.score(x_test, y_test))
    labels = [str(name) for name in data.target_names]
    says = {
        "example": _one_of_each(x_test, y_test, n_classes=2, n_each=5),
        "labels": labels,
        "data": x_train,
        "feature_names": [str(name) for name in data.feature_names],
        "description": "Tells malignant from benign breast tumours by thirty measurements of cell nuclei.",
        "card": _card(
            "Breast cancer",
            "tabular-classification",
            "A logistic regression on standardised values that tells malignant from benign tumours by thirty"
            " measurements of cell nuclei. **A demonstration, not a medical device.**",
            "the *Breast Cancer Wisconsin (Diagnostic)* data of the UCI Machine Learning Repository, as it ships with"
            f" scikit-learn (`load_breast_cancer`): {len(data.data)} tumours",
            (len(x_train), len(x_test), accuracy),
        ),
    }
    return Model("breast-cancer", estimator, says, accuracy, x_test[:1], labels[int(y_test[0])])


MODELS: dict[str, Callable[[], Model]] = {"digits": digits, "breast-cancer": breast_cancer}


def main() -> None:
    arguments = _arguments()
    for name in arguments.only or MODELS:
        print(json.dumps(show(MODELS[name](), owner=arguments.owner, url=arguments.url)), flush=True)


def show(model: Model, *, owner: str, url: str) -> dict[str, Any]:
    """Pushes, deploys and asks one model; says where it is and what it answered."""
    repository = f"{owner}/{model.name}"
    with contextlib.redirect_stdout(sys.stderr):
        pushed = rn.push(model.estimator, repository, public=True, message=f"Train {model.name}", url=url, **model.says)
    endpoint = rn.deploy(repository, url=url)
    started = time.perf_counter()
    prediction = endpoint.predict(model.row)[0]
    latency_ms = (time.perf_counter() - started) * 1000
    return {
        "repository": repository,
        "page": pushed.url,
        "try": f"{url.rstrip('/')}/{repository}/try",
        "endpoint": endpoint.url,
        "accuracy": round(model.accuracy, 4),
        "prediction": str(prediction),
        "expected": model.expected,
        "latency_ms": round(latency_ms, 2),
    }


def _one_of_each(rows: Any, classes: Any, *, n_classes: int, n_each: int) -> Any:
    """The first rows of each class, in the order of the classes."""
    import numpy as np

    return rows[np.concatenate([np.flatnonzero(classes == label)[:n_each] for label in range(n_classes)])]


def _card(title: str, task: str, what: str, source: str, measured: tuple[int, int, float]) -> str:
    n_train, n_test, accuracy = measured
    return (
        f"---\nlibrary_name: sklearn\npipeline_tag: {task}\ntags:\n- demo\n---\n\n"
        f"# {title}\n\n{what}\n\n"
        f"## Data\n\nTrained on {source}.\n\n"
        "## Accuracy\n\n"
        f"{accuracy:.1%} of {n_test} held-out rows that the training did not see (it saw {n_train}; one split with a"
        " fixed seed). Measured by the demo when it trained the model; not checked by anyone else.\n"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reenact._demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", required=True, help="address of the server")
    parser.add_argument("--owner", default="demo", help="account that the models are pushed to")
    parser.add_argument("--only", nargs="+", choices=list(MODELS), help="these models alone")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except rn.ReenactError as error:
        sys.exit(f"error: {error}")
