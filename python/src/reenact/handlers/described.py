"""What a handler takes and gives, from type hints, from the caller's words, or from example rows.

Knows the manifest's words for schemas, no file. Invariant: the inputs stand in the order in which the handler takes
them, and a view describes exactly those.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..convert.output import Output
from ..errors import ArgumentError

WORDS = {
    "text": "BYTES",
    "label": "BYTES",
    "json": "BYTES",
    "number": "FP64",
    "integer": "INT64",
    "truth": "BOOL",
}
"""What a caller may write for a value, and its datatype."""
_TYPES = {str: "text", float: "number", int: "integer", bool: "truth", dict: "json", typing.Any: "json"}


@dataclass(frozen=True)
class Tensor:
    """A tensor of the schema."""

    name: str
    datatype: str
    row_shape: tuple[int, ...] = ()

    def as_manifest(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": [-1, *self.row_shape]}


@dataclass(frozen=True)
class Described:
    """A handler's schema. `takes` is `row` or `rows`."""

    takes: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    input: Mapping[str, Any] = field(default_factory=lambda: {"kind": "tensors"})
    output: Output = field(default_factory=lambda: Output("tensors"))

    def as_manifest(self) -> dict[str, Any]:
        return {
            "inputs": [tensor.as_manifest() for tensor in self.inputs],
            "outputs": [tensor.as_manifest() for tensor in self.outputs],
            "input": dict(self.input),
            "output": self.output.as_manifest(),
        }


@dataclass(frozen=True)
class Value:
    """One value: a word for it, a list of such, or one of some texts."""

    word: str
    n_dimensions: int = 0
    choices: tuple[str, ...] = ()

    def tensor(self, name: str) -> Tensor:
        return Tensor(name, WORDS[self.word], (-1,) * self.n_dimensions)


def of_function(
    call: Callable[..., Any], wanted_input: Any, wanted_output: Any, labels: Sequence[Any] | None
) -> Described:
    """The schema of a function that is called for each row."""
    parameters = _parameters(call)
    hints = hints_of(call)
    values = _inputs(parameters, hints, wanted_input)
    output = (
        _value(wanted_output, "output") if wanted_output is not None else _hinted(hints.get("return"), "what it gives")
    )
    if labels is not None:
        output = Value("label", choices=tuple(map(str, labels)))
    name = "label" if output.word == "label" or output.choices else "output"
    is_form = all(value.n_dimensions == 0 for value in values.values())
    view = (
        {"kind": "table", "features": [_feature(n, v) for n, v in values.items()]} if is_form else {"kind": "tensors"}
    )
    return Described(
        takes="row",
        inputs=tuple(value.tensor(name) for name, value in values.items()),
        outputs=(output.tensor(name),),
        input=view,
        output=_output_view(name, output),
    )


def is_hinted(call: Callable[..., Any]) -> bool:
    """Whether type hints say all that a schema needs."""
    try:
        hints = hints_of(call)
        return bool(_parameters(call)) and "return" in hints and all(name in hints for name in _parameters(call))
    except ArgumentError:
        return False


def _parameters(call: Callable[..., Any]) -> list[str]:
    try:
        signature = inspect.signature(call)
    except (TypeError, ValueError) as error:
        raise ArgumentError("the function does not tell its parameters", hint="wrap it in one of your own") from error
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    several = [name for name, parameter in signature.parameters.items() if parameter.kind in kinds]
    if several:
        raise ArgumentError(
            f"`*{several[0]}` stands for any number of inputs", hint="give the function a parameter for each"
        )
    if not signature.parameters:
        raise ArgumentError("the function takes nothing", hint="give it a parameter for each input")
    return list(signature.parameters)


def is_object(hint: Any) -> bool:
    """Whether a type hint means an object of names and values, or anything."""
    return hint is typing.Any or hint is dict or typing.get_origin(hint) is dict


def hints_of(call: Callable[..., Any]) -> dict[str, Any]:
    """The type hints of a function; none where they name what is not there."""
    function = call if inspect.isfunction(call) or inspect.ismethod(call) else type(call).__call__
    try:
        return typing.get_type_hints(function)
    except Exception:  # A hint may name what is not there.
        return {}


def _inputs(parameters: Sequence[str], hints: Mapping[str, Any], wanted: Any) -> dict[str, Value]:
    if isinstance(wanted, Mapping):
        if list(wanted) != list(parameters)[: len(wanted)]:
            raise ArgumentError(
                f"`input` names {_listed(wanted)}, and the function takes {_listed(parameters)}",
                hint="name the function's parameters in their order",
            )
        return {name: _value(value, name) for name, value in wanted.items()}
    if wanted is not None:
        if len(parameters) > 1 and not all(name in hints for name in parameters[1:]):
            raise ArgumentError(
                f"`input={wanted!r}` describes one input, and the function takes {len(parameters)}",
                hint="give a dictionary, such as `input={'age': 'number', 'city': ['a', 'b']}`",
            )
        first, *rest = parameters
        return {first: _value(wanted, first)} | {name: _hinted(hints[name], name) for name in rest}
    return {name: _hinted(hints.get(name), name) for name in parameters}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _value(wanted: Any, name: str) -> Value:
    """What the caller wrote: a word, a type, or the texts of which one is meant."""
    if isinstance(wanted, str):
        if wanted not in WORDS:
            known = ", ".join(f"`{word}`" for word in WORDS)
            raise ArgumentError(f"`{wanted}` is no kind of value for `{name}`", hint=f"write one of {known}")
        return Value(wanted)
    if isinstance(wanted, (list, tuple)):
        return Value("label", choices=tuple(map(str, wanted)))
    return _hinted(wanted, name)


def _hinted(hint: Any, name: str) -> Value:
    """What a type hint says."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is None:
        raise ArgumentError(
            f"`{name}` has no type hint",
            hint="write it into the function, such as `text: str`, or give `input=` and `output=`",
        )
    if hint in _TYPES:
        return Value(_TYPES[hint])
    if origin is dict:
        return Value("json")
    if origin is typing.Literal and all(isinstance(argument, str) for argument in arguments):
        return Value("label", choices=arguments)
    others = [argument for argument in arguments if argument is not type(None)]
    if len(others) == 1 and len(arguments) == 2 and type(None) in arguments:
        return _hinted(others[0], name)
    if origin in (list, tuple) and (len(arguments) == 1 or arguments[1:] == (Ellipsis,)):
        inner = _hinted(arguments[0], name)
        return Value(inner.word, inner.n_dimensions + 1)
    raise ArgumentError(
        f"the type `{hint}` of `{name}` has no form in a schema",
        hint="use `str`, `float`, `int`, `bool`, `Literal`, `dict` or a list of them, or give `input=` and `output=`",
    )


def _feature(name: str, value: Value) -> dict[str, Any]:
    written: dict[str, Any] = {"name": name, "datatype": WORDS[value.word]}
    return written | ({"categories": list(value.choices)} if value.choices else {})


def _output_view(name: str, value: Value) -> Output:
    if name == "label":
        return Output("label", label=name, classes=value.choices)
    if value.n_dimensions == 0 and value.word in ("number", "integer"):
        return Output("number", number=name)
    return Output("tensors")
