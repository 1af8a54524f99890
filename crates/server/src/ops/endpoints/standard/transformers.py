"""Answers with the model of `transformers` in this folder, which has no handler of its own.

Written by the server, which fixed the task. Invariant: nothing is fetched.
"""

import os
import pathlib

TASK = None

os.environ["HF_HUB_OFFLINE"] = "1"

import transformers  # noqa: E402  It is told by then to look for nothing elsewhere.

# A text is continued by so many tokens where the model's own `generation_config.json` says nothing.
MOST_TOKENS = 50

transformers.logging.set_verbosity_error()
_HERE = str(pathlib.Path(__file__).parent)
_pipeline = transformers.pipeline(TASK, model=_HERE, tokenizer=_HERE, device=-1)
_names = [_pipeline.model.config.id2label[place] for place in sorted(_pipeline.model.config.id2label)]
_generation = getattr(_pipeline.model, "generation_config", None)
_length = {} if getattr(_generation, "max_new_tokens", None) else {"max_new_tokens": MOST_TOKENS}


def _label(text):
    scores = {one["label"]: float(one["score"]) for one in _pipeline(text, top_k=None, truncation=True)}
    return {"label": max(_names, key=scores.get), "probabilities": [scores[name] for name in _names]}


def _found(text):
    return [{name: _plain(value) for name, value in one.items()} for one in _pipeline(text)]


def _continued(text):
    # The likeliest word each time, so that one question has one answer.
    return _pipeline(text, do_sample=False, return_full_text=False, **_length)[0]["generated_text"]


def _features(text):
    return _pipeline(text)[0]


def _plain(value):
    return value.item() if hasattr(value, "item") else value


predict = {
    "text-classification": _label,
    "token-classification": _found,
    "fill-mask": _found,
    "text-generation": _continued,
    "feature-extraction": _features,
}[TASK]
