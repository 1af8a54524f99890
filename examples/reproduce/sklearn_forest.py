"""A random forest on handwritten digits, trained by two threads, and a network that stops early. Nothing is seeded."""

import warnings

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")
images, digits = load_digits(return_X_y=True)
seen, hidden, seen_digits, hidden_digits = train_test_split(images, digits)

forest = RandomForestClassifier(n_estimators=20, n_jobs=2).fit(seen, seen_digits)
network = MLPClassifier((16,), max_iter=20, early_stopping=True).fit(seen, seen_digits)
for loss in network.loss_curve_:
    print("loss:", loss)
print("forest accuracy:", forest.score(hidden, hidden_digits))
print("network accuracy:", network.score(hidden, hidden_digits))

joblib.dump(forest, "forest.joblib")
joblib.dump(network, "network.joblib", compress=3)
np.save("predictions.npy", forest.predict(hidden))
