"""Boosted trees by XGBoost and LightGBM on a regression, each seeing a random share of the rows. The seeds are drawn."""

import secrets

import lightgbm
import numpy as np
import xgboost
from sklearn.datasets import load_diabetes

rows, targets = load_diabetes(return_X_y=True)
share = {"subsample": 0.7, "n_jobs": 2, "n_estimators": 25}

trees = xgboost.XGBRegressor(random_state=secrets.randbelow(2**31), **share).fit(rows, targets)
trees.save_model("trees.ubj")
leaves = lightgbm.LGBMRegressor(
    random_state=secrets.randbelow(2**31), subsample_freq=1, deterministic=True, verbose=-1, **share
).fit(rows, targets)
leaves.booster_.save_model("leaves.model")

predictions = np.stack([trees.predict(rows), leaves.predict(rows)], axis=1)
print("MAE:", np.abs(predictions.mean(axis=1) - targets).mean())
np.save("predictions.npy", predictions)
