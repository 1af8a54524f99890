"""Trains small networks on pictures of digits and saves each as a `.keras` archive.

Run as a script and not imported, so that Keras and its backend stay out of the other tests' process. The pictures
come in an `.npz` with the arrays `pictures` and `digits`.

    KERAS_BACKEND=jax python keras_models.py <digits.npz> <folder>
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers


@keras.saving.register_keras_serializable(package="laboratory")
class Scaled(layers.Layer):
    """A layer of its own, as people write them: loading it needs this file."""

    def call(self, inputs):
        return inputs * 0.5


class Shifted(layers.Layer):
    """The same without a name of its own in Keras: it goes by that of its class."""

    def call(self, inputs):
        return inputs + 1


def main(data: Path, folder: Path) -> None:
    keras.utils.set_random_seed(0)
    arrays = np.load(data)
    pictures = arrays["pictures"].astype("float32").reshape(-1, 8, 8, 1) / 16
    digits = arrays["digits"]
    sequential = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="picture"),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(name="flat"),
            layers.Dropout(0.2, name="drop"),
            layers.Dense(10, activation="softmax", name="scores"),
        ],
        name="digits",
    )
    # One that is never told its input: it learns the shape from the first batch.
    unnamed = keras.Sequential([layers.Flatten(), layers.Dense(10, activation="softmax", name="scores")])
    for network in (sequential, unnamed):
        network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        network.fit(pictures, digits, epochs=1, batch_size=256, verbose=0)
    models = {"sequential": sequential, "unnamed": unnamed, "functional": two_inputs(), "own": own_layer()}
    models |= {"unregistered": own_layer(Shifted), "lambda": with_lambda()}
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    sequential.save(folder / "old.h5")
    known = {
        "version": keras.__version__,
        "n_parameters": sequential.count_params(),
    }
    (folder / "known.json").write_text(json.dumps(known))


def two_inputs() -> keras.Model:
    picture = keras.Input((8, 8, 1), name="picture")
    row = keras.Input((8,), name="row", dtype="float32")
    joined = layers.Concatenate(name="joined")([layers.Flatten(name="flat")(picture), row])
    return keras.Model([picture, row], layers.Dense(10, activation="softmax", name="scores")(joined), name="pair")


def own_layer(kind: type[layers.Layer] = Scaled) -> keras.Model:
    picture = keras.Input((8, 8, 1), name="picture")
    hidden = layers.Flatten(name="flat")(kind(name="own")(picture))
    return keras.Model(picture, layers.Dense(10, activation="softmax", name="scores")(hidden), name="own")


def with_lambda() -> keras.Model:
    picture = keras.Input((8, 8, 1), name="picture")
    hidden = layers.Flatten(name="flat")(layers.Lambda(lambda inputs: inputs * 2, name="twice")(picture))
    return keras.Model(picture, layers.Dense(10, activation="softmax", name="scores")(hidden), name="sly")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
