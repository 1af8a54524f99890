"""Calls a hook once a module has been imported, and imports none by itself.

It knows which hook belongs to which module, and not what hooks do. Invariant: a module is loaded by its own
loader and keeps it; a hook that fails is told to the recorder and to nobody else.
"""

import os
import sys


def _wanted():
    from . import metrics, tasks

    hooks = {
        "concurrent.futures.process": tasks.hook_futures,
        "joblib.parallel": tasks.hook_joblib,
        "multiprocessing.pool": tasks.hook_pool,
        "keras.src.callbacks.callback_list": metrics.hook_keras,
        "lightgbm.engine": metrics.hook_lightgbm,
        "mlflow.tracking._tracking_service.client": metrics.hook_mlflow,
        "transformers.trainer": metrics.hook_transformers,
        "sklearn.ensemble._gb": metrics.hook_boosting,
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": metrics.hook_histograms,
        "sklearn.neural_network._multilayer_perceptron": metrics.hook_perceptron,
        "xgboost.callback": metrics.hook_xgboost,
    }
    # Lightning is published under two names, and a program may use both.
    for lightning in ("lightning.pytorch", "pytorch_lightning"):
        hooks[lightning + ".trainer.connectors.logger_connector.logger_connector"] = metrics.hook_lightning
    if "REENACT_RUN_PROFILE" in os.environ:
        from . import profile

        hooks.update(profile.start())
    return hooks


def install():
    sys.meta_path.insert(0, _Finder(_wanted()))


class _Finder:
    """Finds nothing by itself: asks the others, and has the loader that they name call the hook."""

    def __init__(self, hooks):
        self.hooks = hooks

    def find_spec(self, name, path=None, target=None):
        hook = self.hooks.pop(name, None)
        if hook is None:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, hook)
                return spec
        return None


class _Loader:
    def __init__(self, loader, hook):
        self.loader = loader
        self.hook = hook

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        try:
            self.hook(module)
        except Exception as error:
            from . import lines

            lines.write({"warning": "could not hook into `%s`: %s" % (module.__name__, error)})
