"""LeNet-5 in Keras on JAX, on handwritten digits. Nothing is seeded; Keras itself says the loss of each epoch."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from sklearn.datasets import load_digits

images, digits = load_digits(return_X_y=True)
images = np.kron(images.reshape(-1, 8, 8, 1) / 16, np.ones((1, 3, 3, 1))).astype("float32")

network = keras.Sequential(
    [
        keras.layers.Input((24, 24, 1)),
        keras.layers.Conv2D(6, 5, padding="same", activation="relu"),
        keras.layers.AveragePooling2D(2),
        keras.layers.Conv2D(16, 5, activation="relu"),
        keras.layers.AveragePooling2D(2),
        keras.layers.Flatten(),
        keras.layers.Dense(120, activation="relu"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(84, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
network.fit(images, digits, batch_size=128, epochs=2, verbose=0)

np.save("predictions.npy", network.predict(images, verbose=0).argmax(axis=1))
network.save("lenet.keras")
