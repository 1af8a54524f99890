"""Seeds what a program leaves unseeded, and sets the switches of its frameworks. Written by `reenact doctor --patch`.

The file `env` beside it puts it on `PYTHONPATH`. A seed that the program sets itself wins, as it comes later.
`REENACT_PATCH_SEED` chooses another seed.
"""

import os
import random
import sys

SEED = int(os.environ.get("REENACT_PATCH_SEED", "0"))
_path = []
_n_children = 0


def _numpy(module):
    default_rng, n_made = module.default_rng, 0

    def seeded(seed=None):
        nonlocal n_made
        if seed is None:
            n_made += 1
            seed = module.SeedSequence(SEED, spawn_key=tuple(_path) + (n_made,))
        return default_rng(seed)

    module.default_rng = seeded
    module.seed(SEED)


def _torch(module):
    module.manual_seed(SEED)
    module.backends.cudnn.benchmark = False
    try:
        module.use_deterministic_algorithms(True, warn_only=True)
    except TypeError:
        module.use_deterministic_algorithms(True)


def _tensorflow(module):
    module.random.set_seed(SEED)
    switch = getattr(module.config.experimental, "enable_op_determinism", None)
    # Versions before 2.8 read `TF_DETERMINISTIC_OPS`, which stands in `env`.
    if switch is not None:
        switch()


class _Finder:
    hooks = {"numpy.random": _numpy, "tensorflow": _tensorflow, "torch": _torch}

    def find_spec(self, name, path=None, target=None):
        hook = self.hooks.pop(name, None)
        for finder in sys.meta_path if hook else ():
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = _Loader(spec.loader, hook)
                return spec
        return None


class _Loader:
    def __init__(self, loader, hook):
        self.loader, self.hook = loader, hook

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        self.hook(module)


def _before_fork():
    global _n_children
    _n_children += 1


def _in_child():
    # Python seeds a child's generator anew, from the system.
    global _n_children
    _path.append(_n_children)
    _n_children = 0
    random.seed("%d %s" % (SEED, _path))


random.seed(SEED)
os.register_at_fork(before=_before_fork, after_in_child=_in_child)
sys.meta_path.insert(0, _Finder())

_here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != _here]
_own = sys.modules.pop("sitecustomize")
try:
    import sitecustomize  # noqa: F401
except ImportError as _error:
    if _error.name != "sitecustomize":
        raise
    # Whoever imports us looks for us there.
    sys.modules["sitecustomize"] = _own
