"""Writes the folder of a pipeline of `transformers`: its files as the library saves them, and a handler for its task.

Knows what each task takes and gives. Invariant: nothing is fetched, neither here nor on the server: weights, tokenizer
and configuration lie in the folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import bundle
from ..bundle import Bundle, Request
from ..convert.output import Output
from ..errors import ArgumentError
from . import code
from .described import Described, Tensor
from .write import Wanted, finish, needs_of

CONFIG = "config.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_MOST_TOKENS = 50
"""That a text is continued by, unless the model's own `generation_config.json` says."""


@dataclass(frozen=True)
class _Task:
    """What a task gives, and the lines that ask for it."""

    output: Tensor
    code: str


_JSON = Tensor("output", "BYTES")
_PLAIN = """
def predict(text):
    return [{name: _plain(value) for name, value in one.items()} for one in _pipeline(text)]


def _plain(value):
    return value.item() if hasattr(value, "item") else value
"""
_LABEL = """
_names = [_pipeline.model.config.id2label[place] for place in sorted(_pipeline.model.config.id2label)]


def predict(text):
    scores = {one["label"]: float(one["score"]) for one in _pipeline(text, top_k=None, truncation=True)}
    return {"label": max(_names, key=scores.get), "probabilities": [scores[name] for name in _names]}
"""
_TEXT = f"""
_says = _pipeline.model.generation_config.max_new_tokens
_words = {{}} if _says else {{"max_new_tokens": {_MOST_TOKENS}}}


def predict(text):
    # The likeliest word each time, so that one question has one answer.
    return _pipeline(text, do_sample=False, return_full_text=False, **_words)[0]["generated_text"]
"""
_FEATURES = """
def predict(text):
    return _pipeline(text)[0]
"""
TASKS = {
    "text-classification": _Task(Tensor("label", "BYTES"), _LABEL),
    "token-classification": _Task(_JSON, _PLAIN),
    "fill-mask": _Task(_JSON, _PLAIN),
    "text-generation": _Task(_JSON, _TEXT),
    "feature-extraction": _Task(Tensor("output", "FP32", (-1, -1)), _FEATURES),
}
"""Tasks that take one text."""
_BY_CLASS = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForMaskedLM": "fill-mask",
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "Model": "feature-extraction",
}


def is_pipeline(model: Any) -> bool:
    names = (f"{kind.__module__}.{kind.__name__}" for kind in type(model).__mro__)
    return "transformers.pipelines.base.Pipeline" in names


def is_folder(path: Path) -> bool:
    """Whether this is a model as `save_pretrained` writes it, with all that answering takes, and no handler yet."""
    told = any((path / name).exists() for name in ("reenact.toml", "predict.py"))
    has_tokenizer = any((path / name).exists() for name in ("tokenizer.json", "tokenizer_config.json"))
    has_weights = any((path / name).exists() for name in _WEIGHTS)
    return path.is_dir() and not told and (path / CONFIG).exists() and has_weights and has_tokenizer


def write(model: Any, request: Request, wanted: Wanted, folder: Path) -> Bundle:
    """Writes a pipeline, after it has answered the example."""
    task = _known(str(model.task))
    try:
        for text in request.example if request.example is not None else ():
            model(str(text))
    except Exception as error:  # Whatever a foreign model raises is the reason.
        raise ArgumentError(
            f"the pipeline fails on the example: {type(error).__name__}: {error}", hint="give texts as examples"
        ) from error
    model.save_pretrained(str(folder))
    if not any((folder / name).exists() for name in _WEIGHTS):
        raise ArgumentError(
            "the pipeline's weights were not saved as safetensors", hint="give it a model of PyTorch"
        )
    return _finish(task, request, wanted, folder)


def write_folder(path: Path, request: Request, wanted: Wanted, folder: Path) -> Bundle:
    """Writes a folder that `save_pretrained` filled; its configuration tells the task."""
    for source in sorted(path.rglob("*")):
        if source.is_file() and not any(part.startswith(".") for part in source.relative_to(path).parts):
            target = folder / source.relative_to(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    task = request.task or _task_of(_config(folder))
    return _finish(_known(task), request, wanted, folder)


def _finish(task: str, request: Request, wanted: Wanted, folder: Path) -> Bundle:
    if wanted.steps:
        raise ArgumentError("a pipeline needs no steps around it", hint="push a function that calls the pipeline")
    known = TASKS[task]
    outputs, view = (known.output,), Output("tensors")
    if task == "text-classification":
        names = _names(_config(folder))
        outputs = (known.output, Tensor("probabilities", "FP64", (len(names),)))
        view = Output("label", label="label", probabilities="probabilities", classes=names)
    features = [{"name": "text", "datatype": "BYTES"}]
    schema = Described("row", (Tensor("text", "BYTES"),), outputs, {"kind": "table", "features": features}, view)
    (folder / "predict.py").write_text(code.for_pipeline(task, known.code), encoding="utf-8")
    files: dict[str, str] = {}
    texts = [str(text) for text in request.example] if request.example is not None else []
    if texts:
        bundle.write_example_rows(folder, [[text] for text in texts[: bundle.MOST_EXAMPLES]], [])
        files["examples"] = "examples.json"
    if (folder / "README.md").exists() and request.card is None:
        request = replace(request, card=(folder / "README.md").read_text(encoding="utf-8"))
    needs = needs_of(wanted, {"transformers", "torch", "safetensors", "tokenizers"} & _installed())
    return finish(folder, replace(request, task=task), (files, schema), needs)


def _installed() -> set[str]:
    return set(metadata.packages_distributions())


def _known(task: str) -> str:
    if task not in TASKS:
        known = ", ".join(f"`{name}`" for name in TASKS)
        raise ArgumentError(
            f"pipelines for `{task}` have no handler of their own",
            hint=f"push a function that calls the pipeline; those for {known} are pushed as they are",
        )
    return task


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArgumentError(f"`{CONFIG}` is not JSON: {error}", hint="save the model again") from error
    if not isinstance(config, dict):
        raise ArgumentError(f"`{CONFIG}` is no object", hint="save the model again")
    return config


def _task_of(config: Mapping[str, Any]) -> str:
    """The task that the class of the model is for."""
    names = [str(name) for name in config.get("architectures") or ()]
    for name in names:
        for ending, task in _BY_CLASS.items():
            if name.endswith(ending):
                return task
    raise ArgumentError(
        f"`{CONFIG}` names {', '.join(names) or 'no class'}, which tells no task",
        hint='say it, such as `task="text-classification"`',
    )


def _names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The labels, in the order of the network's outputs."""
    known = config.get("id2label") or {}
    if not known:
        # What the library calls labels that have no names, of which there are two where nobody says how many.
        return tuple(f"LABEL_{place}" for place in range(int(config.get("num_labels") or 2)))
    return tuple(str(known[place]) for place in sorted(known, key=int))
