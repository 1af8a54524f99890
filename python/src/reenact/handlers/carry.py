"""Packs an object with all that it closes over, and says what cannot be packed.

What comes from an installed package is named, and what comes from the caller's own files is packed along. Invariant:
a file is written only when all of it can be carried.
"""

from __future__ import annotations

import dis
import io
import pickletools
import site
import socket
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ArgumentError

_MOST_LOOKED_AT = 20_000
"""Objects that are looked at for what cannot be carried."""
_DEEPEST_NAME = 6
_UNCARRIED = {
    "lock": "a lock",
    "RLock": "a lock",
    "Condition": "a lock",
    "Thread": "a running thread",
    "Popen": "a running program",
    "generator": "a generator that has begun",
    "coroutine": "a coroutine",
    "Connection": "a connection",
    "Cursor": "a connection",
    "memoryview": "a view of memory",
}


@dataclass(frozen=True)
class Carried:
    """What a pickle needs to be opened: modules by their top-level names."""

    modules: frozenset[str]


def dump(thing: Any, path: Path, what: str, *, packer: Callable[[Any, io.BytesIO], Any] | None = None) -> Carried:
    """Packs `thing` into a file; `what` names it in a refusal. Raises `ArgumentError` for what cannot be carried.

    `packer` makes another pickler than cloudpickle's own, given that package and where to write.
    """
    cloudpickle = _cloudpickle()
    found = list(uncarried(thing, what))
    if found:
        raise ArgumentError(
            "; ".join(found[:5]) + ": that cannot be carried to another machine",
            hint="open it inside the function, or hand over what was read from it",
        )
    local = _local_modules()
    for module in local:
        cloudpickle.register_pickle_by_value(module)
    try:
        file = io.BytesIO()
        (packer(cloudpickle, file) if packer else cloudpickle.Pickler(file)).dump(thing)
        content = file.getvalue()
    except Exception as error:  # Whatever an object raises when it is asked for its parts is the reason.
        raise ArgumentError(
            f"`{what}` cannot be packed: {type(error).__name__}: {error}",
            hint="a function can close over data, functions and classes, not over what is open or running",
        ) from error
    finally:
        for module in local:
            cloudpickle.unregister_pickle_by_value(module)
    path.write_bytes(content)
    own = {module.__name__.partition(".")[0] for module in local}
    modules = _modules_in(content) | {name for function in _functions(thing) for name in _imports(function)}
    return Carried(frozenset({"cloudpickle", *(modules - own - set(sys.stdlib_module_names) - {"__main__"})}))


def uncarried(thing: Any, name: str) -> Iterator[str]:
    """What cannot be carried, each in words with the way to it."""
    seen: set[int] = set()
    waiting: list[tuple[Any, tuple[str, ...]]] = [(thing, (name,))]
    while waiting and len(seen) < _MOST_LOOKED_AT:
        one, path = waiting.pop()
        if id(one) in seen or len(path) > _DEEPEST_NAME:
            continue
        seen.add(id(one))
        kind = _kind(one)
        if kind:
            yield f"`{'` -> `'.join(path)}` is {kind}"
            continue
        waiting += [(part, (*path, step)) for step, part in _parts(one)]


def _cloudpickle() -> Any:
    try:
        import cloudpickle
    except ImportError as error:
        raise ArgumentError(
            "a model that stays Python is packed by `cloudpickle`, which is not installed",
            hint="`pip install cloudpickle`",
        ) from error
    return cloudpickle


def _kind(one: Any) -> str:
    if isinstance(one, io.IOBase) and not isinstance(one, (io.BytesIO, io.StringIO)):
        return "" if one.closed or one in (sys.stdout, sys.stderr, sys.stdin) else f"the open file `{one_name(one)}`"
    if isinstance(one, socket.socket):
        return "a socket"
    module = type(one).__module__.partition(".")[0]
    is_running = module in ("_thread", "threading", "subprocess", "builtins", "sqlite3", "psycopg2", "psycopg", "redis")
    return _UNCARRIED.get(type(one).__name__, "") if is_running else ""


def one_name(file: Any) -> str:
    return str(getattr(file, "name", "without a name"))


def _parts(one: Any) -> Iterator[tuple[str, Any]]:
    """What an object would take along, with what people call it."""
    if isinstance(one, types.MethodType):
        yield from (("self", one.__self__), (one.__func__.__name__, one.__func__))
    elif isinstance(one, types.FunctionType):
        if not _is_own(one.__module__):
            return
        closure = one.__closure__ or ()
        for name, cell in zip(one.__code__.co_freevars, closure, strict=False):
            try:
                yield name, cell.cell_contents
            except ValueError:  # Not filled yet.
                continue
        for name in _names(one.__code__):
            if name in one.__globals__:
                yield name, one.__globals__[name]
    elif isinstance(one, type):
        if _is_own(one.__module__):
            yield from ((name, part) for name, part in vars(one).items() if not name.startswith("__"))
    elif isinstance(one, dict):
        yield from ((str(key)[:40], value) for key, value in list(one.items())[:1000])
    elif isinstance(one, (list, tuple, set, frozenset)):
        yield from ((f"[{index}]", value) for index, value in enumerate(list(one)[:1000]))
    elif not isinstance(one, (types.ModuleType, str, bytes, int, float)):
        yield from ((name, part) for name, part in getattr(one, "__dict__", {}).items())
        if _is_own(type(one).__module__):
            yield type(one).__name__, type(one)


def _functions(thing: Any) -> Iterator[types.FunctionType]:
    """The caller's own functions that are carried along."""
    seen: set[int] = set()
    waiting = [thing]
    while waiting and len(seen) < _MOST_LOOKED_AT:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, types.FunctionType) and _is_own(one.__module__):
            yield one
        waiting += [part for _, part in _parts(one)]


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _imports(function: types.FunctionType) -> Iterator[str]:
    """Modules that a function imports when it is called, and those that it finds among its globals."""
    yield from _imports_of(function.__code__)
    for name in _names(function.__code__):
        module = function.__globals__.get(name)
        if isinstance(module, types.ModuleType) and not _is_own(module.__name__):
            yield module.__name__.partition(".")[0]


def _imports_of(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            yield str(instruction.argval).partition(".")[0]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _imports_of(constant)


def _modules_in(content: bytes) -> set[str]:
    """Modules that a pickle names, told from its opcodes."""
    texts: list[str] = []
    memo: dict[int, str] = {}
    modules: set[str] = set()
    n_memo, last, is_import = 0, None, False
    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name in ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"):
            last = str(argument)
            texts = [*texts[-3:], last]
            if is_import:
                modules.add(last)
                is_import = False
        elif name == "MEMOIZE":
            if last is not None:
                memo[n_memo] = last
            n_memo, last = n_memo + 1, None
        elif name in ("BINGET", "LONG_BINGET"):
            if argument in memo:
                texts = [*texts[-3:], memo[argument]]
                if is_import:
                    modules.add(memo[argument])
                    is_import = False
            last = None
        elif name == "STACK_GLOBAL" and len(texts) > 1:
            modules.add(texts[-2])
            is_import = texts[-1] == "subimport"
            last = None
        elif name == "GLOBAL":
            modules.add(str(argument).partition(" ")[0])
            last = None
        else:
            last = None
    return {module.partition(".")[0] for module in modules}


def _local_modules() -> list[types.ModuleType]:
    """Modules of the caller's own that are loaded: files that no package manager put where they are."""
    return [module for name, module in sorted(sys.modules.items()) if _is_local(name, module)]


def _is_own(name: str | None) -> bool:
    """Whether what is defined in a module is carried along."""
    module = sys.modules.get(name or "")
    return name == "__main__" or module is None or _is_local(str(name), module)


def _is_local(name: str, module: Any) -> bool:
    top = name.partition(".")[0]
    file = getattr(module, "__file__", None)
    if file is None or top in sys.stdlib_module_names or top in ("__main__", __package__.partition(".")[0]):
        return False
    if getattr(module, "__name__", None) != name:
        return False
    path = str(Path(file).resolve())
    return not any(path.startswith(folder) for folder in _installed())


def _installed() -> list[str]:
    found = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {*site.getsitepackages(), site.getusersitepackages()}
    return [str(Path(folder).resolve()) + "/" for folder in found if folder]
