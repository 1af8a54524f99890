"""A module of the tests' own, which no package index has. Invariant: nothing of it is installed."""

from __future__ import annotations

from sklearn.base import BaseEstimator, TransformerMixin

FACTOR = 2.0


class Doubled(BaseEstimator, TransformerMixin):
    """A step of a pipeline that no converter knows."""

    def fit(self, rows, classes=None):
        return self

    def transform(self, rows):
        return rows * FACTOR


def shout(text: str) -> str:
    return text.upper() + "!"
