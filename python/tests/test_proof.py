"""The proof catches what differs, and sets aside only what the model itself has not decided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from reenact import ConversionError
from reenact.convert.proof import Answers, Rows, prove, rows_to_ask


@dataclass
class Says:
    """A model that gives fixed answers."""

    given: Answers

    def answers(self, rows):
        return self.given


def labelled(labels, probabilities=None):
    probabilities = None if probabilities is None else np.array(probabilities)
    return Says(Answers(labels=np.array(list(labels), dtype=object), probabilities=probabilities))


def numbers(*values):
    return Says(Answers(numbers=np.array(values, dtype=float)))


def asked(n):
    return Rows(np.zeros((n, 1)), n_example=n)


def test_one_wrong_label_is_enough():
    with pytest.raises(ConversionError, match="in 1 of 3 rows .1;.*in row 1 the original says `b`"):
        prove(labelled("abc"), labelled("aac"), asked(3), tolerance=1e-4)


def test_a_probability_beyond_the_tolerance_is_refused_though_the_labels_agree():
    one, other = labelled("aa", [[0.9, 0.1], [0.8, 0.2]]), labelled("aa", [[0.9, 0.1], [0.79, 0.21]])
    with pytest.raises(ConversionError, match="both say `a` in row 1, but with another probability"):
        prove(one, other, asked(2), tolerance=1e-4)
    assert prove(one, other, asked(2), tolerance=0.02).largest_difference == pytest.approx(0.01)


def test_a_row_on_which_the_model_is_undecided_is_set_aside_and_counted():
    one, other = labelled("ab", [[0.9, 0.1], [0.5, 0.5]]), labelled("aa", [[0.9, 0.1], [0.5, 0.5]])
    proof = prove(one, other, asked(2), tolerance=1e-4)
    assert (proof.n_rows, proof.equal_labels, proof.n_tied) == (1, 1, 1)
    assert "1 more set aside" in proof.sentence()


def test_nothing_is_proven_where_every_row_is_undecided():
    undecided = labelled("a", [[0.5, 0.5]])
    with pytest.raises(ConversionError, match="undecided"):
        prove(undecided, undecided, asked(1), tolerance=1e-4)


def test_numbers_are_compared_relative_to_the_largest():
    assert prove(numbers(1000, 0), numbers(1000.05, 0.05), asked(2), tolerance=1e-4).tolerance == pytest.approx(0.1)
    with pytest.raises(ConversionError):
        prove(numbers(1000, 0), numbers(1000, 0.2), asked(2), tolerance=1e-4)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_number_that_is_none_never_agrees(wrong):
    with pytest.raises(ConversionError):
        prove(numbers(1.0, 2.0), numbers(1.0, wrong), asked(2), tolerance=1e9)


def test_answers_of_another_shape_never_agree():
    with pytest.raises(ConversionError):
        prove(labelled("a", [[0.9, 0.1]]), labelled("a", [[0.9, 0.05, 0.05]]), asked(1), tolerance=1e-4)


def test_varied_rows_keep_decimals_and_whole_numbers():
    rows = np.array([[5.1, 3.0], [4.9, 8.0], [6.25, 1.0]])
    more = rows_to_ask(rows, None, numbers(0.0)).rows
    assert len(more) > 100
    assert np.array_equal(more[:3], rows)
    assert np.array_equal(np.round(more[:, 0], 2), more[:, 0])
    assert np.array_equal(np.round(more[:, 1]), more[:, 1])


def test_varied_rows_of_a_table_hold_its_own_texts_and_types():
    rows = pd.DataFrame({"city": ["Bern", "Rome"], "n": [1, 2], "x": [0.5, 1.5], "b": [True, False]})
    more = rows_to_ask(rows, None, numbers(0.0)).rows
    assert set(more["city"]) == {"Bern", "Rome"}
    assert set(more["n"]) == {1, 2}
    assert list(more.dtypes) == list(rows.dtypes)
    assert len(set(more["x"])) > 10


def test_the_same_rows_are_asked_every_time():
    rows = np.random.default_rng(1).normal(size=(5, 3))
    assert np.array_equal(rows_to_ask(rows, None, numbers(0.0)).rows, rows_to_ask(rows, None, numbers(0.0)).rows)


def test_only_given_rows_are_asked_where_the_model_refuses_others():
    class Refuses:
        def answers(self, rows):
            raise ValueError("unknown category")

    rows = rows_to_ask(np.eye(3), np.eye(3) * 2, Refuses())
    assert (len(rows.rows), rows.n_example, rows.n_data, rows.n_varied) == (6, 3, 3, 0)
