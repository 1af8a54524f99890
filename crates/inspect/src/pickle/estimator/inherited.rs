//! Attributes of scikit-learn's estimators that look like hyperparameters and are none: a base class sets them, and
//! the constructor of the class itself does not take them.
//!
//! Knows names only. Invariant: whatever a constructor takes is not listed for its class; a test compares the table
//! with every estimator of the scikit-learn that is installed.

/// Whether an attribute of a class of scikit-learn was set by a base class and not given by whoever made it.
pub(super) fn is_inherited(class: &str, attribute: &str) -> bool {
    // What an ensemble hands on to its parts.
    attribute == "estimator_params"
        || INHERITED.iter().any(|(classes, names)| classes.contains(&class) && names.contains(&attribute))
}

/// Classes, and what each of them inherits.
const INHERITED: &[(&[&str], &[&str])] = &[
    (&["CCA", "PLSRegression"], &["algorithm", "deflation_mode", "mode"]),
    (&["DecisionTreeRegressor", "ExtraTreeRegressor"], &["class_weight"]),
    (&["ExtraTreesClassifier", "RandomForestClassifier"], &["estimator"]),
    (&["ExtraTreesRegressor", "RandomForestRegressor"], &["class_weight", "estimator"]),
    (&["GradientBoostingClassifier", "LabelPropagation"], &["alpha"]),
    (&["GraphicalLasso", "GraphicalLassoCV"], &["store_precision"]),
    (&["HalvingGridSearchCV", "HalvingRandomSearchCV"], &["pre_dispatch"]),
    (&["IsolationForest"], &["bootstrap_features", "estimator", "oob_score"]),
    (
        &["KNeighborsClassifier", "KNeighborsRegressor", "KNeighborsTransformer", "LocalOutlierFactor"],
        &["radius"],
    ),
    (&["LarsCV"], &["fit_path", "jitter", "n_nonzero_coefs", "random_state"]),
    (&["Lasso", "MultiTaskLasso"], &["l1_ratio"]),
    (&["LassoLarsIC"], &["fit_path"]),
    (&["MLPClassifier"], &["loss"]),
    (&["MultiTaskLassoCV"], &["positive", "precompute"]),
    (&["NuSVC"], &["C", "epsilon"]),
    (&["NuSVR"], &["class_weight", "epsilon", "probability", "random_state"]),
    (&["OneClassSVM"], &["C", "class_weight", "epsilon", "probability", "random_state"]),
    (&["PLSCanonical"], &["deflation_mode", "mode"]),
    (
        &["PassiveAggressiveClassifier"],
        &["alpha", "epsilon", "eta0", "l1_ratio", "learning_rate", "penalty", "power_t"],
    ),
    (&["PassiveAggressiveRegressor"], &["alpha", "eta0", "l1_ratio", "learning_rate", "penalty", "power_t"]),
    (&["Perceptron"], &["average", "epsilon", "learning_rate", "loss", "power_t"]),
    (
        &["RadiusNeighborsClassifier", "RadiusNeighborsRegressor", "RadiusNeighborsTransformer"],
        &["n_neighbors"],
    ),
    (&["RandomTreesEmbedding"], &["bootstrap", "class_weight", "estimator", "max_samples", "oob_score"]),
    (&["RidgeClassifierCV"], &["alpha_per_target", "gcv_mode"]),
    (
        &["SGDOneClassSVM"],
        &[
            "alpha",
            "early_stopping",
            "epsilon",
            "l1_ratio",
            "loss",
            "n_iter_no_change",
            "penalty",
            "validation_fraction",
        ],
    ),
    (&["SVC"], &["epsilon", "nu"]),
    (&["SVR"], &["class_weight", "nu", "probability", "random_state"]),
    (&["StackingRegressor"], &["stack_method"]),
];
