"""What this run does that another run of the same program might do otherwise, with the line that does it.

Only for a diagnosis: functions are wrapped, so it costs time. It judges nothing; it writes down facts. Invariants:
a line that is named belongs to the program and to none of its libraries; nothing draws more or less than before.
"""

import atexit
import functools
import importlib.util
import os
import sys

from . import lines

_STANDARD = os.path.dirname(os.__file__) + os.sep
_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_HERE = os.getcwd() + os.sep
_seeded = set()
_facts = {}
_is_own = {}


def note(fact, what, place="", **more):
    key = (fact, what, place)
    if key not in _facts:
        _facts[key] = dict(more, fact=fact, what=what, place=place, n=0)
    _facts[key]["n"] += 1


def is_own(path):
    """Whether a file belongs to the program, and not to Python, a library or us."""
    known = _is_own.get(path)
    if known is None:
        whole = os.path.abspath(path)
        known = path == "<string>" or not (
            path.startswith("<")
            # What TensorFlow makes of the program's functions.
            or os.path.basename(path).startswith("__autograph_generated_file")
            or whole.startswith((_STANDARD, _OURS))
            or os.sep + "site-packages" + os.sep in whole
            or os.sep + "dist-packages" + os.sep in whole
        )
        _is_own[path] = known
    return known


def shown(path, line):
    whole = path if path == "<string>" else os.path.abspath(path)
    return "%s:%d" % (whole[len(_HERE) :] if whole.startswith(_HERE) else whole, line)


def place(through=None):
    """The innermost line of the program that led here; with `through` only past files of these names."""
    frame = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if is_own(path):
            return shown(path, frame.f_lineno)
        whole = os.path.abspath(path)
        if through is not None and not whole.startswith(_OURS) and os.path.basename(path) not in through:
            return None
        frame = frame.f_back
    return None


def watch(owner, name, see):
    function = getattr(owner, name, None)
    if function is None or isinstance(function, type):
        return

    def watched(*args, **kwargs):
        see(*args, **kwargs)
        return function(*args, **kwargs)

    functools.update_wrapper(watched, function, [it for it in functools.WRAPPER_ASSIGNMENTS if hasattr(function, it)])
    setattr(owner, name, watched)


def _watch_generator(module, generator, seed, names):
    def seen_seed(*args, **kwargs):
        if any(value is not None for value in list(args) + list(kwargs.values())):
            _seeded.add(generator)

    def seen_draw(*_args, **_kwargs):
        if generator not in _seeded:
            where = place()
            if where is not None:
                note("unseeded", generator, where)

    watch(module, seed, seen_seed)
    for name in names:
        watch(module, name, seen_draw)


def hook_random(module):
    names = "betavariate choice choices expovariate gauss getrandbits normalvariate randbytes randint random randrange"
    _watch_generator(module, "random", "seed", names.split() + ["sample", "shuffle", "triangular", "uniform"])


def hook_numpy(module):
    names = "choice normal permutation rand randint randn random random_sample shuffle standard_normal uniform"
    _watch_generator(module, "numpy.random", "seed", names.split())

    def seen(seed=None, *_args):
        where = place() if seed is None else None
        if where is not None:
            note("unseeded", "numpy.random.default_rng", where)

    watch(module, "default_rng", seen)


def hook_sklearn(module):
    def seen(seed=None):
        where = place() if seed is None and "numpy.random" not in _seeded else None
        if where is not None:
            note("unseeded", "numpy.random", where)

    watch(module, "check_random_state", seen)


def hook_torch(module):
    names = "bernoulli multinomial normal rand rand_like randint randint_like randn randn_like randperm"
    _watch_generator(module, "torch", "manual_seed", names.split())
    initial = module.nn.init
    names = [name for name in dir(initial) if name.endswith("_") and not name.startswith("_")]
    random = [name for name in names if name.split("_")[0] in ("kaiming", "normal", "orthogonal", "trunc", "uniform", "xavier")]
    _watch_generator(initial, "torch", "", random)
    from . import operations

    operations.watch_torch(module)
    note("framework", "torch", version=str(module.__version__), is_on_gpu=module.cuda.is_available())


def hook_tensorflow(module):
    def seen_seed(seed=None, *_args):
        if seed is not None:
            _seeded.add("tensorflow")

    def seen_draw(*_args, **kwargs):
        if "tensorflow" not in _seeded and kwargs.get("seed") is None:
            where = place()
            if where is not None:
                note("unseeded", "tensorflow", where)

    watch(module.random, "set_seed", seen_seed)
    for name in "categorical gamma normal poisson shuffle truncated_normal uniform".split():
        watch(module.random, name, seen_draw)
    from . import operations

    is_on_gpu = bool(module.config.list_physical_devices("GPU"))
    operations.watch_tensorflow(module, is_on_gpu)
    note("framework", "tensorflow", version=str(module.__version__), is_on_gpu=is_on_gpu)


def hook_jax(module):
    # Its devices are not asked for: that would start them.
    plugins = ("jax_cuda12_plugin", "jax_cuda13_plugin", "jax_rocm7_plugin", "jax_rocm60_plugin")
    is_on_gpu = any(importlib.util.find_spec(plugin) for plugin in plugins)
    note("framework", "jax", version=str(module.__version__), is_on_gpu=is_on_gpu)


def start():
    def seen_urandom(_n):
        where = place(("random.py", "secrets.py", "uuid.py"))
        if where is not None:
            note("urandom", "os.urandom", where)

    watch(os, "urandom", seen_urandom)
    atexit.register(_write)
    return {
        "jax": hook_jax,
        "numpy.random": hook_numpy,
        "random": hook_random,
        "sklearn.utils.validation": hook_sklearn,
        "tensorflow": hook_tensorflow,
        "torch": hook_torch,
    }


def _write():
    from . import machine, scan

    for tell in (scan.sources, machine.libraries):
        try:
            tell()
        except Exception as error:
            lines.write({"warning": "the diagnosis is not whole: %s" % error})
    for fact in _facts.values():
        lines.write(fact)
