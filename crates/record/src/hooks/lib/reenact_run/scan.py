"""Lines of the program's own sources where an order or a seed comes from outside of it.

It reads sources and runs none. Invariant: what it names is there in the source; that it names all is not promised.
"""

import ast
import os
import sys

from . import profile

_CLOCKS = ("time", "time_ns", "monotonic", "perf_counter", "now", "utcnow", "getpid")
_FOLDERS = ("listdir", "scandir", "glob", "iglob", "iterdir", "rglob", "walk")
_SEEDS = ("seed", "manual_seed", "default_rng", "RandomState", "PRNGKey", "key", "set_random_seed", "Random")
_ORDERED = ("sorted", "len", "sum", "min", "max", "any", "all", "set", "frozenset")


def sources():
    """Looks through all files of the program that were imported."""
    # At the end Python has taken the name of its script from the module.
    paths = {os.path.abspath(word) for word in sys.argv[:1]}
    paths.update(getattr(module, "__file__", None) for module in list(sys.modules.values()))
    for path in sorted(path for path in paths if isinstance(path, str) and path.endswith(".py")):
        if profile.is_own(path) and os.path.isfile(path):
            with open(path, "rb") as file:
                tree = ast.parse(file.read(), path)
            for fact, what, line in found(tree):
                profile.note(fact, what, profile.shown(path, line))


def found(tree):
    """Facts about one source: what, and in which line."""
    sets = _names_of_sets(tree)
    calmed = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in _ORDERED:
            for argument in node.args:
                calmed.add(argument)
                calmed.update(getattr(it, "iter", it) for it in getattr(argument, "generators", ()))
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.comprehension)) and _is_set(node.iter, sets) and node.iter not in calmed:
            yield "set-order", "a set", node.iter.lineno
        if not isinstance(node, ast.Call):
            continue
        name = _name(node.func)
        if name in ("list", "tuple", "enumerate", "iter") and node.args and _is_set(node.args[0], sets):
            if node not in calmed:
                yield "set-order", "a set", node.lineno
        if name in _FOLDERS and isinstance(node.func, (ast.Attribute, ast.Name)) and node not in calmed:
            yield "folder-order", name, node.lineno
        seeds = [it.value for it in node.keywords if it.arg in ("seed", "random_state")]
        for seed in (node.args if name in _SEEDS else []) + seeds:
            clocks = {_name(it.func) for it in ast.walk(seed) if isinstance(it, ast.Call)} & set(_CLOCKS)
            for clock in sorted(clocks):
                yield "clock-seed", clock, node.lineno


def _names_of_sets(tree):
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_set(node.value, ()):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def _is_set(node, names):
    if isinstance(node, (ast.Set, ast.SetComp)):
        return True
    if isinstance(node, ast.Name):
        return node.id in names
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset")


def _name(function):
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None
