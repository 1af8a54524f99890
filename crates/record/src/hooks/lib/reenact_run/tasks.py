"""Pools that give a task to whichever worker is free: each task gets a seed of its own.

Where a task is made, a key is drawn, which the recorder sees; where a worker begins the task, all generators of
that worker are seeded from the key. It knows nothing of what tasks do. Invariant: a task that is computed in the
process that made it is left alone, and so is a pool of one worker, where order is no chance.
"""

import functools
import os
import sys


class Task:
    """A function that is seeded before it is called, where it is called in another process."""

    def __init__(self, key, index, function):
        self.key = key
        self.index = index
        self.function = function
        self.maker = os.getpid()
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args, **kwargs):
        if os.getpid() != self.maker:
            begin(self.key, self.index)
        return self.function(*args, **kwargs)

    def __reduce__(self):
        return _again, (self.key, self.index, self.function, self.maker)


def _again(key, index, function, maker):
    task = Task(key, index, function)
    task.maker = maker
    return task


def begin(key, index):
    """Seeds what this process draws from, until the next task."""
    import ctypes

    shim = ctypes.CDLL(os.environ["REENACT_SHIM_LIBRARY"])
    shim.reenact_begin_task.argtypes = [ctypes.c_char_p, ctypes.c_uint64]
    shim.reenact_begin_task.restype = None
    shim.reenact_begin_task(key, index)
    _load()
    # Once more, since what is drawn while modules load, in the first task of a worker alone, must not count.
    shim.reenact_begin_task(key, index)
    sys.modules["random"].seed()
    if "numpy" in sys.modules:
        # With words of a key, since without a seed NumPy keeps some of what it drew before.
        sys.modules["numpy.random"].seed(list(os.urandom(32)))
    if "torch" in sys.modules and hasattr(sys.modules["torch"], "manual_seed"):
        sys.modules["torch"].manual_seed(int.from_bytes(os.urandom(8), "little") >> 1)


def _load():
    import random  # noqa: F401

    if "numpy" in sys.modules:
        # NumPy loads it when it is asked for.
        import numpy.random  # noqa: F401


def _key():
    return os.urandom(32)


def hook_pool(module):
    pool = module.Pool
    is_of_threads = module.ThreadPool
    generation, apply_async = pool._guarded_task_generation, pool.apply_async

    def is_left_alone(self):
        return isinstance(self, is_of_threads) or self._processes == 1

    def seeded(key, tasks):
        for job, index, function, args, kwargs in tasks:
            if function is not module._helper_reraises_exception:
                function = Task(key, index, function)
            yield job, index, function, args, kwargs

    def _guarded_task_generation(self, result_job, func, iterable):
        tasks = generation(self, result_job, func, iterable)
        return tasks if is_left_alone(self) else seeded(_key(), tasks)

    def seeded_apply(self, func, args=(), kwds={}, callback=None, error_callback=None):
        function = func if is_left_alone(self) else Task(_key(), 0, func)
        return apply_async(self, function, args, kwds, callback, error_callback)

    pool._guarded_task_generation = _guarded_task_generation
    pool.apply_async = functools.wraps(apply_async)(seeded_apply)


def hook_futures(module):
    executor = module.ProcessPoolExecutor
    submit = executor.submit

    def seeded_submit(self, fn, *args, **kwargs):
        function = fn if self._max_workers == 1 else Task(_key(), 0, fn)
        return submit(self, function, *args, **kwargs)

    executor.submit = functools.wraps(submit)(seeded_submit)


def hook_joblib(module):
    parallel = module.Parallel
    call = parallel.__call__

    def seeded_call(self, iterable):
        key = _key()
        tasks = ((Task(key, n, task[0]),) + tuple(task[1:]) for n, task in enumerate(iterable))
        # How many there are is asked of those that know.
        return call(self, list(tasks) if hasattr(iterable, "__len__") else tasks)

    parallel.__call__ = functools.wraps(call)(seeded_call)
