"""The card of a model whose owner wrote none: front matter and a short text of facts.

Knows nothing of files and servers. Invariant: it claims nothing that was not read from the model, counted or
given by the caller.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from .convert import Converted
from .convert.schema import Column, Image


@dataclass(frozen=True)
class Facts:
    """What a card can say."""

    title: str
    description: str = ""
    license: str | None = None
    library: str = ""
    task: str | None = None
    tags: Sequence[str] = ()
    original_class: str = ""
    original_file: str = ""
    columns: Sequence[Column] = ()
    image: Image | None = None
    converted: Converted | None = None
    requirements: Sequence[str] = ()


def write(facts: Facts) -> str:
    """The card's text."""
    parts = [_front_matter(facts), f"# {facts.title}\n"]
    if facts.description:
        parts.append(facts.description.strip() + "\n")
    if facts.original_class:
        parts.append(f"A `{facts.original_class}`.\n")
    parts += [text for text in (_inputs(facts), _output(facts), _files(facts)) if text]
    return "\n".join(parts)


def _front_matter(facts: Facts) -> str:
    # A JSON string is a YAML string, whatever it holds.
    lines = ["---"]
    for key, value in (("license", facts.license), ("library_name", facts.library), ("pipeline_tag", facts.task)):
        if value:
            lines.append(f"{key}: {json.dumps(value, ensure_ascii=False)}")
    if facts.tags:
        lines += ["tags:", *(f"- {json.dumps(tag, ensure_ascii=False)}" for tag in facts.tags)]
    return "\n".join([*lines, "---", ""]) if len(lines) > 1 else ""


def _inputs(facts: Facts) -> str:
    if facts.image is not None:
        image = facts.image
        colours = "grayscale" if image.channels == 1 else "RGB"
        return (
            "## Input\n\n"
            f"A {colours} picture of {image.width} x {image.height} pixels,"
            f" black {image.black:g}, white {image.white:g}.\n"
        )
    if not facts.columns:
        return ""
    lines = ["## Input\n", "| feature | type | in the example data |", "|---|---|---|"]
    lines += [f"| {_cell(column.name)} | {column.datatype} | {_seen(column)} |" for column in facts.columns]
    return "\n".join(lines) + "\n"


def _output(facts: Facts) -> str:
    if facts.converted is None:
        return ""
    output = facts.converted.output
    if output.kind == "label":
        names = ", ".join(output.labels or output.classes)
        with_probabilities = ", with a probability for each" if output.probabilities else ""
        return f"## Output\n\nOne of {len(output.classes)} classes{with_probabilities}: {names}.\n"
    return f"## Output\n\nA number{': ' + output.title if output.title else ''}.\n" if output.kind == "number" else ""


def _files(facts: Facts) -> str:
    if facts.requirements:
        listed = "".join(f"- `{requirement}`\n" for requirement in facts.requirements)
        return f"## Files\n\n`predict.py` is served, in an environment of these packages:\n\n{listed}"
    if facts.converted is None:
        return ""
    return (
        "## Files\n\n"
        f"`model.onnx` is served. It was converted by {facts.converted.tool} from `{facts.original_file}` and"
        f" {facts.converted.proof.sentence()}.\n"
    )


def _seen(column: Column) -> str:
    if column.categories:
        return _cell(", ".join(column.categories[:8]) + (", …" if len(column.categories) > 8 else ""))
    if column.minimum is None or column.maximum is None:
        return ""
    return f"{column.minimum:g} to {column.maximum:g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
