"""Writes the digits forest as an MLflow model: `mlflow_model.py FOREST.joblib FOLDER`.

Without a signature, so that the server does not spend time on checking one.
"""

from __future__ import annotations

import sys

import joblib
import mlflow.sklearn

# MLflow will not load back a pickle that nobody vouched for; this one was made a moment ago.
mlflow.sklearn.save_model(joblib.load(sys.argv[1]), sys.argv[2], serialization_format="cloudpickle")
