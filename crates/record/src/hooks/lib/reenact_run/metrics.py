"""What trainings measure, taken from the frameworks as they compute it.

It knows where each framework has its numbers, and nothing of what they mean. Invariants: a number is passed on as
it is, in as many digits as tell it from all others; no training is asked to measure what it would not have.
"""

import functools

from . import lines


# What a framework measures of the machine and not of the model; it differs in any two runs.
_OF_THE_CLOCK = ("_runtime", "_per_second")


def log(name, value, **more):
    """Passes one number on, where it is one."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return
    lines.write(dict(more, metric=str(name), value=repr(number)))


def _after(owner, name, then):
    """Has `then` called with what a method was called with, once it came to its end."""
    method = getattr(owner, name)

    @functools.wraps(method)
    def hooked(self, *args, **kwargs):
        result = method(self, *args, **kwargs)
        _try(owner, then, self, *args, **kwargs)
        return result

    setattr(owner, name, hooked)


def _before(owner, name, first):
    """Has `first` called with what a method is about to be called with."""
    method = getattr(owner, name)

    @functools.wraps(method)
    def hooked(self, *args, **kwargs):
        _try(owner, first, self, *args, **kwargs)
        return method(self, *args, **kwargs)

    setattr(owner, name, hooked)


def _try(owner, tell, *args, **kwargs):
    try:
        tell(*args, **kwargs)
    except Exception as error:
        lines.write({"warning": "no metrics of `%s`: %s" % (owner.__name__, error)})


def hook_keras(module):
    def then(_callbacks, _epoch, logs=None):
        for name, value in (logs or {}).items():
            log(name, value)

    _after(module.CallbackList, "on_epoch_end", then)


def hook_perceptron(module):
    base = module.BaseMultilayerPerceptron
    fit = base._fit

    @functools.wraps(fit)
    def hooked(self, X, y, *args, **kwargs):
        is_incremental = kwargs.get("incremental") or (len(args) > 1 and args[1])
        seen = len(getattr(self, "loss_curve_", ())) if is_incremental else 0
        result = fit(self, X, y, *args, **kwargs)
        for value in getattr(self, "loss_curve_", ())[seen:]:
            log("loss", value)
        for value in (getattr(self, "validation_scores_", None) or ())[seen:]:
            log("validation_score", value)
        return result

    base._fit = hooked


def hook_boosting(module):
    def then(estimator, *_args, **_kwargs):
        for value in estimator.train_score_:
            log("train_score", value)

    _after(module.BaseGradientBoosting, "fit", then)


def hook_histograms(module):
    def then(estimator, *_args, **_kwargs):
        for name in ("train_score_", "validation_score_"):
            for value in getattr(estimator, name, ()):
                log(name.rstrip("_"), value)

    _after(module.BaseHistGradientBoosting, "fit", then)


def hook_xgboost(module):
    def then(container, *_args, **_kwargs):
        for data, series in container.history.items():
            for name, values in series.items():
                last = values[-1]
                log("%s_%s" % (data, name), last[0] if isinstance(last, tuple) else last)

    _after(module.CallbackContainer, "after_iteration", then)


def hook_lightgbm(module):
    train = module.train

    def report(env):
        for data, name, value, *_rest in env.evaluation_result_list or []:
            log("%s_%s" % (data, name), value)

    # Before those that stop a training early, which leave the round.
    report.order = 1

    @functools.wraps(train)
    def hooked(*args, **kwargs):
        if len(args) < 9:
            kwargs["callbacks"] = list(kwargs.get("callbacks") or []) + [report]
        return train(*args, **kwargs)

    module.train = hooked


def hook_lightning(module):
    def then(_connector, metrics, _step=None, **_kwargs):
        for name, value in metrics.items():
            if name not in ("epoch", "step"):
                log(name, value)

    owners = [getattr(module, name, None) for name in ("_LoggerConnector", "LoggerConnector")]
    _after(next(owner for owner in owners if owner is not None), "log_metrics", then)


def hook_transformers(module):
    def then(_trainer, logs, *_args, **_kwargs):
        for name, value in logs.items():
            if name not in ("epoch", "total_flos") and not name.endswith(_OF_THE_CLOCK):
                log(name, value)

    _after(module.Trainer, "log", then)


def hook_mlflow(module):
    """Before MLflow stores them, so that it does not matter where, or whether that is there."""

    def of_metric(name, value):
        if not name.startswith("system/"):
            log(name, value, told="mlflow")

    def first(_client, _run_id, key, value, *_args, **_kwargs):
        of_metric(key, value)

    def first_of_many(_client, _run_id=None, metrics=(), *_args, **_kwargs):
        for metric in metrics:
            of_metric(metric.key, metric.value)

    _before(module.TrackingServiceClient, "log_metric", first)
    _before(module.TrackingServiceClient, "log_batch", first_of_many)
