"""What a handler takes and gives, from type hints, from the caller's words, or from example rows.

Knows the manifest's words for schemas, no file. Invariant: the inputs stand in the order in which the handler takes
them, and a view describes exactly those.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from ..convert.output import Output
from ..errors import ArgumentError

WORDS = {
    "text": "BYTES",
    "label": "BYTES",
    "json": "BYTES",
    "number": "FP64",
    "integer": "INT64",
    "truth": "BOOL",
    "image": "BYTES",
    "audio": "BYTES",
    "video": "BYTES",
    "file": "BYTES",
    "table": "BYTES",
    "series": "FP64",
    "boxes": "BYTES",
    "masks": "BYTES",
}
"""What a caller may write for a value, and its datatype."""
FILES = ("image", "audio", "video", "file")
"""What travels as the bytes of a file."""
_PARTS = (*FILES, "table", "series", "json")
_ONLY_OUTPUTS = ("boxes", "masks")
_TYPES = {str: "text", float: "number", int: "integer", bool: "truth", dict: "json", typing.Any: "json", bytes: "file"}
_CLASSES = {("PIL", "Image"): "image", ("pandas", "DataFrame"): "table"}
_MEDIA_WORDS = {"application/json": "json", "text/csv": "table", "text/plain": "text"}


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
    media_type: str | None = None

    @property
    def kind(self) -> str:
        """What it is as a part of a form or an answer."""
        if self.word in ("number", "integer") and self.n_dimensions == 1:
            return "series"
        if self.choices or self.word in ("number", "integer", "truth"):
            return "value"
        return self.word

    @property
    def is_plain(self) -> bool:
        """Whether it is a value, or a list of values."""
        return self.kind not in (*_PARTS, *_ONLY_OUTPUTS) or (self.kind == "series" and self.word != "series")

    def tensor(self, name: str) -> Tensor:
        return Tensor(name, WORDS[self.word], (-1,) * (1 if self.word == "series" else self.n_dimensions))


def of_function(
    call: Callable[..., Any], wanted_input: Any, wanted_output: Any, labels: Sequence[Any] | None
) -> Described:
    """The schema of a function that is called for each row."""
    parameters = _parameters(call)
    hints = hints_of(call)
    values = _inputs(parameters, hints, wanted_input)
    if streams(call):
        output = _of_pieces(hints.get("return"), wanted_output)
    elif wanted_output is not None:
        output = _value(wanted_output, "output")
    else:
        output = _hinted(hints.get("return"), "what it gives")
    if labels is not None:
        output = Value("label", choices=tuple(map(str, labels)))
    name = "label" if output.word == "label" or output.choices else "output"
    for word in (value.word for value in values.values() if value.word in _ONLY_OUTPUTS):
        raise ArgumentError(f"`{word}` comes out of a model and never goes in", hint="use it as `output=`")
    return Described(
        takes="row",
        inputs=tuple(value.tensor(name) for name, value in values.items()),
        outputs=(output.tensor(name),),
        input=_input_view(values),
        output=_output_view(name, output),
    )


def is_hinted(call: Callable[..., Any]) -> bool:
    """Whether type hints say all that a schema needs."""
    try:
        hints = hints_of(call)
        return bool(_parameters(call)) and "return" in hints and all(name in hints for name in _parameters(call))
    except ArgumentError:
        return False


def streams(call: Callable[..., Any]) -> bool:
    """Whether it gives its answer piece by piece: a generator, or what says that it gives an iterator."""
    return inspect.isgeneratorfunction(_function(call)) or _is_iterator(hints_of(call).get("return"))


def _is_iterator(hint: Any) -> bool:
    return typing.get_origin(hint) in (Iterator, Generator)


def _of_pieces(hint: Any, wanted: Any) -> Value:
    """The whole of what comes piece by piece, which is text and nothing else."""
    is_text = typing.get_args(hint)[:1] == (str,) if _is_iterator(hint) else hint in (None, str)
    if not is_text or wanted not in (None, "text", str):
        raise ArgumentError(
            "what comes piece by piece is text, and the function says otherwise",
            hint="annotate it `Iterator[str]`, or return the whole answer at once",
        )
    return Value("text")


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


def hints_of(call: Callable[..., Any]) -> dict[str, Any]:
    """The type hints of a function; none where they name what is not there."""
    try:
        return typing.get_type_hints(_function(call), include_extras=True)
    except Exception:  # A hint may name what is not there.
        return {}


def _function(call: Callable[..., Any]) -> Any:
    return call if inspect.isfunction(call) or inspect.ismethod(call) else type(call).__call__


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
        if "/" in wanted:
            return _of_media(wanted)
        if wanted not in WORDS:
            known = ", ".join(f"`{word}`" for word in WORDS)
            raise ArgumentError(f"`{wanted}` is no kind of value for `{name}`", hint=f"write one of {known}")
        return Value(wanted)
    if isinstance(wanted, (list, tuple)):
        return Value("label", choices=tuple(map(str, wanted)))
    return _hinted(wanted, name)


def _hinted(hint: Any, name: str) -> Value:
    """What a type hint says."""
    if typing.get_origin(hint) is Annotated:
        inner, *said = typing.get_args(hint)
        known = [word for word in said if isinstance(word, str) and (word in WORDS or "/" in word)]
        return _value(known[0], name) if known else _hinted(inner, name)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is None:
        raise ArgumentError(
            f"`{name}` has no type hint",
            hint="write it into the function, such as `text: str`, or give `input=` and `output=`",
        )
    if hint in _TYPES:
        return Value(_TYPES[hint])
    kind = _CLASSES.get((getattr(hint, "__module__", "").split(".")[0], getattr(hint, "__name__", "")))
    if kind is not None:
        return Value(kind)
    if origin is dict:
        return Value("json")
    if origin is typing.Literal and all(isinstance(argument, str) for argument in arguments):
        return Value("label", choices=arguments)
    others = [argument for argument in arguments if argument is not type(None)]
    if len(others) == 1 and len(arguments) == 2 and type(None) in arguments:
        return _hinted(others[0], name)
    if origin in (list, tuple) and (len(arguments) == 1 or arguments[1:] == (Ellipsis,)):
        inner = _hinted(arguments[0], name)
        if inner.word == "json":
            return inner
        return Value(inner.word, inner.n_dimensions + 1)
    raise ArgumentError(
        f"the type `{hint}` of `{name}` has no form in a schema",
        hint="use `str`, `float`, `int`, `bool`, `bytes`, `Literal`, `dict` or a list of them, or give `input=` and `output=`",
    )


def _of_media(media_type: str) -> Value:
    """What a media type says."""
    kind = media_type.partition("/")[0]
    word = _MEDIA_WORDS.get(media_type) or (kind if kind in FILES else "file")
    return Value(word, media_type=media_type if word in FILES else None)


def _input_view(values: Mapping[str, Value]) -> dict[str, Any]:
    """A row of a table where all are values, a form of parts where some are more."""
    if all(value.is_plain and value.n_dimensions == 0 for value in values.values()):
        return {"kind": "table", "features": [_feature(name, value) for name, value in values.items()]}
    if any(value.n_dimensions > 1 or (value.n_dimensions and value.kind != "series") for value in values.values()):
        return {"kind": "tensors"}
    return {"kind": "parts", "parts": [_part(name, value) for name, value in values.items()]}


def _part(name: str, value: Value) -> dict[str, Any]:
    written: dict[str, Any] = {"name": name, "kind": value.kind}
    if value.media_type:
        written["media_types"] = [value.media_type]
    return written | ({"categories": list(value.choices)} if value.choices else {})


def _feature(name: str, value: Value) -> dict[str, Any]:
    written: dict[str, Any] = {"name": name, "datatype": WORDS[value.word]}
    return written | ({"categories": list(value.choices)} if value.choices else {})


def _output_view(name: str, value: Value) -> Output:
    if name == "label":
        return Output("label", label=name, classes=value.choices)
    if value.n_dimensions == 0 and value.word in ("number", "integer"):
        return Output("number", number=name)
    if not value.is_plain:
        return Output("parts", parts=((name, value.kind),))
    return Output("tensors")
