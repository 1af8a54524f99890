"""The schema comes from the example: names, types, ranges, categories, pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reenact import ArgumentError
from reenact.convert.schema import Hints, columns_of, complete, image_of, plain, plain_row, rows_of

ROWS = np.array([[1.0, 20.0], [3.0, 10.0]])


def test_names_come_from_the_frame_the_argument_the_model_or_are_counted():
    class Named:
        feature_names_in_ = ["p", "q"]

    frame = pd.DataFrame(ROWS, columns=["a", "b c"])
    assert [c.name for c in columns_of(frame, Hints())] == ["a", "b c"]
    assert [c.name for c in columns_of(ROWS, Hints(feature_names=["u", "v"]), model=Named())] == ["u", "v"]
    assert [c.name for c in columns_of(ROWS, Hints(), model=Named())] == ["p", "q"]
    assert [c.name for c in columns_of(ROWS, Hints())] == ["x0", "x1"]
    with pytest.raises(ArgumentError, match="1 feature names and 2 columns"):
        columns_of(ROWS, Hints(feature_names=["u"]))


def test_ranges_come_from_the_argument_the_data_or_the_example():
    assert (columns_of(ROWS, Hints())[1].minimum, columns_of(ROWS, Hints())[1].maximum) == (10.0, 20.0)
    data = np.array([[0.0, 5.0], [9.0, np.nan]])
    assert [(c.minimum, c.maximum) for c in columns_of(ROWS, Hints(data=data))] == [(0.0, 9.0), (5.0, 5.0)]
    assert columns_of(ROWS, Hints(data=data, ranges={"x1": (-1, 100)}))[1].maximum == 100.0
    with pytest.raises(ArgumentError, match="`ranges` names `size`"):
        columns_of(ROWS, Hints(ranges={"size": (0, 1)}))


def test_types_follow_the_columns():
    frame = pd.DataFrame({"n": [1, 2], "x": [0.5, 1.0], "b": [True, False], "t": ["u", "v"]})
    assert [c.datatype for c in columns_of(frame, Hints())] == ["INT64", "FP32", "BOOL", "BYTES"]


def test_categories_are_claimed_only_where_they_are_known():
    frame = pd.DataFrame({"t": ["u", "v"]})
    assert columns_of(frame, Hints())[0].categories == (), "five rows of an example do not show every text"
    assert columns_of(frame, Hints(data=pd.DataFrame({"t": ["u", "v", "w"]})))[0].categories == ("u", "v", "w")
    typed = frame.astype(pd.CategoricalDtype(["u", "v", "w", "x"]))
    assert columns_of(typed, Hints())[0].categories == ("u", "v", "w", "x")


def test_a_picture_needs_its_shape_and_what_black_and_white_are():
    rows = np.full((2, 64), 16.0)
    image = image_of(rows, shape=(8, 8), black=16, white=0)
    assert (image.width, image.height, image.channels, image.black, image.white) == (8, 8, 1, 16.0, 0.0)
    with pytest.raises(ArgumentError, match="largest value is 16.0, which tells neither"):
        image_of(rows, shape=(8, 8), black=None, white=None)
    with pytest.raises(ArgumentError, match="has 63 values and a row of the example has 64"):
        image_of(rows, shape=(9, 7), black=0, white=1)
    usual = image_of(np.full((1, 64), 255.0), shape=(8, 8), black=None, white=None)
    assert (usual.black, usual.white) == (0.0, 255.0)


@pytest.mark.parametrize("example", [[1.0, 2.0], [["a", "b"]], np.zeros((0, 2))])
def test_what_is_no_table_of_numbers_is_refused_with_a_hint(example):
    with pytest.raises(ArgumentError) as caught:
        rows_of(example)
    assert "example" in caught.value.hint or "DataFrame" in caught.value.hint


def test_values_are_written_as_people_wrote_them():
    assert plain(np.float32(0.1)) == 0.1
    assert plain(np.int64(3)) == 3 and isinstance(plain(np.int64(3)), int)
    assert plain(np.bool_(True)) is True
    assert plain(float("nan")) is None and plain(float("inf")) is None
    assert plain_row(pd.DataFrame({"a": [1], "t": ["x"]}), 0) == [1, "x"]


def test_rows_with_missing_values_are_no_examples():
    assert complete(np.array([[1.0, np.nan], [1.0, 2.0], [np.inf, 0.0]])) == [1]
    assert complete(pd.DataFrame({"a": [None, 1.0], "t": ["x", "y"]})) == [1]
