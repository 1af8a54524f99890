"""Tables that ship with scikit-learn: tumours told apart by linear models and trees, diabetes as a regression. Nothing is seeded."""

import warnings

import joblib
import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("ignore")
seen, hidden, seen_kinds, hidden_kinds = train_test_split(*load_breast_cancer(return_X_y=True))
linear = make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss")).fit(seen, seen_kinds)
trees = GradientBoostingClassifier(n_estimators=20, subsample=0.5, max_features=6).fit(seen, seen_kinds)
print("linear_accuracy:", linear.score(hidden, hidden_kinds))
print("trees_accuracy:", trees.score(hidden, hidden_kinds))

rows, targets = load_diabetes(return_X_y=True)
network = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(16,), max_iter=40, learning_rate_init=0.05)).fit(rows, targets)
print("MAE:", np.abs(network.predict(rows) - targets).mean())

joblib.dump({"linear": linear, "trees": trees, "network": network}, "models.joblib")
np.save("kinds_predicted.npy", trees.predict(hidden))
np.save("diabetes_predicted.npy", network.predict(rows))
