"""A network of two layers in NumPy, trained on points it draws itself. Nothing is seeded."""

import numpy as np

rng = np.random.default_rng()
points = rng.normal(size=(512, 8))
labels = (points.sum(axis=1) > 0).astype(float)
inner = rng.normal(size=(8, 16)) * 0.3
outer = rng.normal(size=16) * 0.3

for epoch in range(30):
    order = rng.permutation(len(points))
    for batch in np.array_split(order, 8):
        hidden = np.tanh(points[batch] @ inner)
        probability = 1 / (1 + np.exp(-(hidden @ outer)))
        error = (probability - labels[batch]) / len(batch)
        outer_step = hidden.T @ error
        inner -= 0.5 * points[batch].T @ (np.outer(error, outer) * (1 - hidden**2))
        outer -= 0.5 * outer_step
    probability = 1 / (1 + np.exp(-(np.tanh(points @ inner) @ outer)))
    loss = -np.mean(labels * np.log(probability) + (1 - labels) * np.log(1 - probability))
    print(f"epoch {epoch} loss={float(loss)!r}")

np.savez("model.npz", inner=inner, outer=outer)
np.save("predictions.npy", probability > 0.5)
