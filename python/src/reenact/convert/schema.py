"""The schema, read from example rows: names, types, ranges, categories, shapes.

Knows numpy and pandas when they are there, but no framework and no file. Invariant: `Columns` are in the order
in which the model takes them, and a view built here describes exactly those columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ArgumentError

MOST_CATEGORIES = 200
"""A text column with more different values than this is left free."""


@dataclass(frozen=True)
class Column:
    """One feature. `datatype` is in the words of the Open Inference Protocol."""

    name: str
    datatype: str
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    description: str = ""

    def as_manifest(self) -> dict[str, Any]:
        written: dict[str, Any] = {"name": self.name, "datatype": self.datatype}
        if self.minimum is not None and self.maximum is not None:
            written |= {"minimum": float(self.minimum), "maximum": float(self.maximum)}
        if self.categories:
            written["categories"] = list(self.categories)
        if self.description:
            written["description"] = self.description
        return written


@dataclass(frozen=True)
class Image:
    """A picture as the model wants it: `layout` is `flat`, `nhwc` or `nchw`."""

    width: int
    height: int
    channels: int
    black: float
    white: float
    layout: str = "flat"

    def as_manifest(self) -> dict[str, Any]:
        return {
            "kind": "image",
            "width": self.width,
            "height": self.height,
            "channels": self.channels,
            "black": float(self.black),
            "white": float(self.white),
            "layout": self.layout,
        }


@dataclass(frozen=True)
class Hints:
    """What the caller says of the inputs beyond the example."""

    data: Any = None
    feature_names: Sequence[str] | None = None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)


def is_frame(rows: Any) -> bool:
    """Whether these are rows of a pandas DataFrame."""
    return hasattr(rows, "iloc") and hasattr(rows, "columns")


def rows_of(example: Any) -> Any:
    """The rows as the model takes them: a DataFrame as it is, all else as an array with a first axis of rows."""
    import numpy as np

    if is_frame(example):
        rows = example.reset_index(drop=True)
    else:
        rows = np.asarray(example)
        if rows.ndim == 1:
            raise ArgumentError(
                f"the example has shape {rows.shape}; it needs rows and columns",
                hint="give several rows, such as `example=X_test[:5]`; for one row, `example=[row]`",
            )
        if rows.dtype.kind not in "biuf":
            raise ArgumentError(
                f"the example is an array of `{rows.dtype}`",
                hint="give a pandas DataFrame where columns have different types, else an array of numbers",
            )
    if len(rows) == 0:
        raise ArgumentError("the example has no rows", hint="give a few rows, such as `example=X_test[:5]`")
    return rows


def columns_of(rows: Any, hints: Hints, *, model: Any = None) -> tuple[Column, ...]:
    """The features of these rows, with ranges from `hints.ranges`, else the data, else the example."""
    frame = is_frame(rows)
    n_columns = rows.shape[1] if frame else int(rows[0].size)
    names = _names(rows, hints, model, n_columns)
    seen = rows if hints.data is None else rows_of(hints.data)
    known = _categories_of(model)
    columns = []
    for index, name in enumerate(names):
        values = rows.iloc[:, index] if frame else rows.reshape(len(rows), -1)[:, index]
        observed = seen.iloc[:, index] if is_frame(seen) else seen.reshape(len(seen), -1)[:, index]
        column = _column(name, values, observed, known.get(name, known.get(str(index), ())))
        if column.datatype == "BYTES" and not column.categories and hints.data is not None:
            column = replace(column, categories=_distinct(observed))
        low_high = hints.ranges.get(name)
        if low_high is not None:
            column = replace(column, minimum=float(low_high[0]), maximum=float(low_high[1]))
        columns.append(replace(column, description=hints.descriptions.get(name, "")))
    _check_known(names, hints)
    return tuple(columns)


def image_of(rows: Any, *, shape: Sequence[int] | None, black: float | None, white: float | None) -> Image:
    """The picture in each row. `shape` is height, width and, unless it is 1, the number of channels."""
    if shape is None or len(shape) not in (2, 3):
        raise ArgumentError("an image needs its shape", hint="give `shape=(height, width)` or `(height, width, 3)`")
    height, width, channels = (*map(int, shape), 1)[:3]
    if int(rows[0].size) != height * width * channels:
        raise ArgumentError(
            f"an image of shape {tuple(shape)} has {height * width * channels} values and a row of the example"
            f" has {rows[0].size}",
            hint="correct `shape`, or give the example as the model takes it",
        )
    if black is None or white is None:
        largest = float(rows.max())
        if not (largest <= 1.0 or 128.0 <= largest <= 255.0):
            raise ArgumentError(
                f"the example's largest value is {largest}, which tells neither black nor white",
                hint="give the value of a black and of a white pixel, such as `black=16, white=0` where ink is high",
            )
        black, white = (
            (0.0 if black is None else black),
            ((255.0 if largest > 1.0 else 1.0) if white is None else white),
        )
    return Image(width=width, height=height, channels=channels, black=float(black), white=float(white))


def plain_row(rows: Any, index: int) -> list[Any]:
    """One row as plain values, flattened; None for what is missing."""
    values = list(rows.iloc[index]) if is_frame(rows) else list(rows[index].reshape(-1))
    return [plain(value) for value in values]


def complete(rows: Any) -> list[int]:
    """The positions of the rows without missing values, which are those that JSON can say."""
    import numpy as np

    if is_frame(rows):
        missing = rows.isna().to_numpy().any(axis=1)
    else:
        missing = ~np.isfinite(rows.reshape(len(rows), -1).astype(np.float64)).all(axis=1)
    return [int(index) for index in np.flatnonzero(~missing)]


def plain(value: Any) -> Any:
    """A value as JSON has it; None for what is missing. A float32 is written with its own few digits."""
    if value is None or value != value:
        return None
    if isinstance(value, str):
        return value
    if type(value).__name__ == "float32":
        return float(str(value))
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float) and plain in (float("inf"), float("-inf")):
        return None
    return plain if isinstance(plain, (bool, int, float)) else str(plain)


def _names(rows: Any, hints: Hints, model: Any, n_columns: int) -> list[str]:
    if is_frame(rows):
        return [str(name) for name in rows.columns]
    names = hints.feature_names
    if names is None:
        names = getattr(model, "feature_names_in_", None)
    if names is None:
        return [f"x{index}" for index in range(n_columns)]
    if len(names) != n_columns:
        raise ArgumentError(
            f"there are {len(names)} feature names and {n_columns} columns",
            hint="give one name for each column of the example",
        )
    return [str(name) for name in names]


def _check_known(names: Sequence[str], hints: Hints) -> None:
    for argument, given in (("ranges", hints.ranges), ("descriptions", hints.descriptions)):
        unknown = [name for name in given if name not in names]
        if unknown:
            raise ArgumentError(
                f"`{argument}` names `{unknown[0]}`, which is no feature",
                hint=f"the features are {', '.join(f'`{name}`' for name in names[:10])}",
            )


def _column(name: str, values: Any, observed: Any, known: Sequence[str]) -> Column:
    datatype = _datatype(values)
    if datatype == "BYTES":
        return Column(name, datatype, categories=tuple(known) or _pandas_categories(values))
    if datatype == "BOOL":
        return Column(name, datatype)
    numbers = observed[observed == observed]
    if len(numbers) == 0:
        return Column(name, datatype)
    return Column(name, datatype, minimum=plain(numbers.min()), maximum=plain(numbers.max()))


def _datatype(values: Any) -> str:
    kind = getattr(values.dtype, "kind", "O")
    if kind in "iu":
        return "INT64"
    if kind == "f":
        return "FP32"
    return "BOOL" if kind == "b" else "BYTES"


def _pandas_categories(values: Any) -> tuple[str, ...]:
    categories = getattr(getattr(values, "cat", None), "categories", None)
    return () if categories is None else tuple(str(category) for category in categories)


def _distinct(values: Any) -> tuple[str, ...]:
    found = sorted({str(value) for value in values if value == value and value is not None})
    return tuple(found) if len(found) <= MOST_CATEGORIES else ()


def _categories_of(model: Any) -> dict[str, tuple[str, ...]]:
    """The categories that the model's own encoders learned, by column: by its name, or its position as text."""
    found: dict[str, tuple[str, ...]] = {}
    for _, step in getattr(model, "steps", ()):
        for _, transformer, columns in getattr(step, "transformers_", ()):
            encoder = transformer.steps[-1][1] if hasattr(transformer, "steps") else transformer
            learned = getattr(encoder, "categories_", ())
            if isinstance(columns, str) or not isinstance(columns, Sequence) or len(columns) != len(learned):
                continue
            for column, categories in zip(columns, learned, strict=True):
                if len(categories) <= MOST_CATEGORIES:
                    found[str(column)] = tuple(str(value) for value in categories if value == value)
    return found
