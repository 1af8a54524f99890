"""Forests and repeated evaluations spread by joblib over loky's workers, each drawing numbers of its own. Nothing is seeded."""

import numpy as np
from joblib import Parallel, delayed
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier


def resampled(rows, kinds):
    """How well a tree does that saw a random half of the rows, and which of them."""
    chosen = np.random.permutation(len(rows))[: len(rows) // 2]
    tree = DecisionTreeClassifier(max_features=3, max_depth=4).fit(rows[chosen], kinds[chosen])
    return tree.score(rows, kinds), chosen, tree.predict(rows)


def main():
    rows, kinds = load_breast_cancer(return_X_y=True)
    told = Parallel(n_jobs=2)(delayed(resampled)(rows, kinds) for _ in range(8))
    scores = cross_val_score(DecisionTreeClassifier(max_features=3), rows, kinds, n_jobs=2)
    print("accuracy:", np.mean([score for score, _, _ in told]), "cross_validated:", scores.mean())
    np.savez("resampled.npz", chosen=np.array([chosen for _, chosen, _ in told]), scores=scores)
    np.save("predictions.npy", np.mean([kinds for _, _, kinds in told], axis=0) > 0.5)


if __name__ == "__main__":
    main()
