"""The proof of a conversion: original and converted model are asked the same rows and must agree.

Knows arrays and DataFrames, nothing of frameworks or files. Invariant: nothing is called proven that was not
asked of both; the original is asked the rows as they are, the converted model what an endpoint would receive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import ConversionError
from .schema import is_frame

N_VARIED = 1024
"""Rows made from the example beyond its own."""
MOST_DATA = 512
"""Rows taken from the caller's data, where it was given."""
_SEED = 20_260_101
_NEAR, _FAR = 0.05, 1.0
"""How far a value is moved, as a share of its column's range."""
_MOST_DECIMALS = 6


@dataclass(frozen=True)
class Answers:
    """A model's answers, row by row: labels as text with their probabilities, or numbers."""

    labels: Any = None
    probabilities: Any = None
    numbers: Any = None


class Answering(Protocol):
    """What can be asked rows."""

    def answers(self, rows: Any) -> Answers: ...


@dataclass(frozen=True)
class Rows:
    """The rows to ask, the example's first, and how many of them are what."""

    rows: Any
    n_example: int
    n_data: int = 0
    n_varied: int = 0


@dataclass(frozen=True)
class Proof:
    """How well the two agree. Differences are absolute; `equal_labels` is None for a regression."""

    n_rows: int
    n_example: int
    n_tied: int
    equal_labels: int | None
    largest_difference: float
    tolerance: float

    def sentence(self) -> str:
        asked = f"{self.n_rows} rows, {self.n_example} of them yours"
        tied = f"; {self.n_tied} more set aside because the model itself is undecided there" if self.n_tied else ""
        labels = "every label equal, " if self.equal_labels is not None else ""
        largest = f"largest difference {self.largest_difference:.2g} of at most {self.tolerance:.2g}"
        return f"proven on {asked}: {labels}{largest}{tied}"


def rows_to_ask(example: Any, data: Any, original: Answering) -> Rows:
    """The example, rows of the data, and copies of them with values varied and exchanged between rows.

    Where the original itself refuses a varied row (a category it has never seen together with another), only
    rows that were given are asked.
    """
    import numpy as np

    generator = np.random.default_rng(_SEED)
    given, n_data = example, 0
    if data is not None and len(data):
        picked = np.sort(generator.permutation(len(data))[:MOST_DATA])
        given, n_data = _joined(example, _picked(data, picked)), len(picked)
    varied = _unique(_varied(given, generator))
    try:
        original.answers(varied)
    except Exception:  # Whatever a foreign model raises, the rows that were given remain.
        return Rows(given, len(example), n_data)
    return Rows(_joined(given, varied), len(example), n_data, len(varied))


def prove(original: Answering, converted: Answering, asked: Rows, *, tolerance: float) -> Proof:
    """Asks both. `tolerance` is absolute for probabilities and relative to the largest answer for numbers.

    Raises `ConversionError` with the rows that differ and by how much.
    """
    import numpy as np

    wanted = original.answers(asked.rows)
    tied = _tied(wanted, tolerance)
    got = converted.answers(asked.rows)
    compared = np.flatnonzero(~tied)
    if len(compared) == 0:
        raise ConversionError(
            "the model is undecided between two classes on every row asked, so that nothing can be compared",
            hint="give more rows as `example=` or the training data as `data=`",
        )
    equal, allowed = None, tolerance
    is_equal = np.ones(len(tied), dtype=bool)
    if wanted.labels is not None:
        is_equal = np.asarray(wanted.labels) == np.asarray(got.labels)
        equal = int(is_equal[compared].sum())
    else:
        finite = np.abs(wanted.numbers[np.isfinite(wanted.numbers)])
        allowed = tolerance * (float(finite.max()) if finite.size and finite.max() > 0 else 1.0)
    difference = _differences(wanted, got)
    largest = float(difference[compared].max()) if len(compared) else 0.0
    wrong = compared[~is_equal[compared] | ~(difference[compared] <= allowed)]
    n_example = int((compared < asked.n_example).sum())
    proof = Proof(len(compared), n_example, int(tied.sum()), equal, largest, allowed)
    if len(wrong):
        raise _disagreement(wanted, got, wrong, proof)
    return proof


def _disagreement(wanted: Answers, got: Answers, wrong: Any, proof: Proof) -> ConversionError:
    rows = ", ".join(str(int(row)) for row in wrong[:5]) + (", …" if len(wrong) > 5 else "")
    first = int(wrong[0])
    one, other = (answers.numbers if wanted.labels is None else answers.labels for answers in (wanted, got))
    if wanted.labels is not None and one[first] == other[first]:
        both = f"both say `{one[first]}` in row {first}, but with another probability"
    else:
        both = f"in row {first} the original says `{one[first]}` and the converted model `{other[first]}`"
    return ConversionError(
        f"the converted model does not agree with the original in {len(wrong)} of {proof.n_rows} rows ({rows};"
        f" the first {proof.n_example} are yours): {both}; the largest difference is"
        f" {proof.largest_difference:.3g}, and {proof.tolerance:.3g} is allowed",
        hint="push the original alone with `convert=False` (it will be shown, but not served), or allow a larger"
        " difference of numbers with `tolerance=` if you can say why it is harmless",
    )


def _differences(wanted: Answers, got: Answers) -> Any:
    """The largest difference in each row; infinite where one has a number and the other has none."""
    import numpy as np

    pairs = [(wanted.probabilities, got.probabilities), (wanted.numbers, got.numbers)]
    largest = np.zeros(len(wanted.labels if wanted.labels is not None else wanted.numbers))
    for one, other in pairs:
        if one is None or other is None:
            continue
        one, other = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
        if one.size != other.size:
            return np.full(len(largest), np.inf)
        difference = np.abs(one.reshape(len(one), -1) - other.reshape(len(one), -1))
        same = (one == other) | ((one != one) & (other != other)) if one.shape == other.shape else None
        if same is not None:
            difference = np.where(same.reshape(difference.shape), 0.0, difference)
        largest = np.maximum(largest, np.nan_to_num(difference, nan=np.inf).max(axis=1))
    return largest


def _tied(answers: Answers, tolerance: float) -> Any:
    """Rows in which the original's two best classes are closer than the tolerance: either label is right there."""
    import numpy as np

    if answers.labels is None or answers.probabilities is None or np.shape(answers.probabilities)[1] < 2:
        n_rows = len(answers.labels if answers.labels is not None else answers.numbers)
        return np.zeros(n_rows, dtype=bool)
    best = np.sort(np.asarray(answers.probabilities), axis=1)
    return best[:, -1] - best[:, -2] <= tolerance


def _varied(rows: Any, generator: Any) -> Any:
    """Rows whose every value is some row's own value of that column; floats are moved in three rows of four."""
    import numpy as np

    picks = generator.integers(0, len(rows), size=(N_VARIED, rows.shape[1] if is_frame(rows) else rows[0].size))
    if not is_frame(rows):
        flat = rows.reshape(len(rows), -1)
        columns = [_varied_column(flat[:, index], picks[:, index], generator) for index in range(flat.shape[1])]
        return np.stack(columns, axis=1).reshape(N_VARIED, *rows.shape[1:])
    names = list(rows.columns)
    varied = {}
    for index, name in enumerate(names):
        column = rows.iloc[:, index]
        varied[name] = column.take(picks[:, index]).reset_index(drop=True)
        if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
            varied[name] = _varied_column(column.to_numpy(), picks[:, index], generator)
    return type(rows)(varied, columns=names)


def _varied_column(values: Any, picks: Any, generator: Any) -> Any:
    """Values picked from a column and, where they are floats, moved: two in four a little, one in four far.

    They keep the column's number of decimals: thresholds of trees stand where the data's own values are, and that
    is where a conversion goes wrong.
    """
    import numpy as np

    picked = values[picks]
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values[:0]
    if finite.size == 0:
        return picked
    spread = float(finite.max() - finite.min()) or abs(float(finite.max()))
    reach = np.resize([0.0, _NEAR * spread, _NEAR * spread, _FAR * max(spread, abs(float(finite.max())))], len(picks))
    moved = picked + generator.uniform(-1.0, 1.0, size=len(picks)) * reach
    decimals = next((n for n in range(_MOST_DECIMALS + 1) if np.array_equal(np.round(finite, n), finite)), None)
    rounded = moved.astype(np.float32) if decimals is None else np.round(moved, decimals)
    return np.where(reach > 0, rounded, picked).astype(values.dtype)


def _unique(rows: Any) -> Any:
    import numpy as np

    return rows.drop_duplicates(ignore_index=True) if is_frame(rows) else np.unique(rows, axis=0)


def _picked(rows: Any, indices: Any) -> Any:
    return rows.iloc[indices].reset_index(drop=True) if is_frame(rows) else rows[indices]


def _joined(one: Any, other: Any) -> Any:
    import numpy as np

    if is_frame(one):
        import pandas

        return pandas.concat([one, other], ignore_index=True)
    return np.concatenate([one, other])
