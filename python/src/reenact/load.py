"""`reenact.load`: the model again, as an object in this process.

Knows which formats are safe and how to open them. Invariant: a file that could run code is opened only when the
caller said `trust=True`; what the server found in it is told either way.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import _client, _credentials, _download
from ._client import Repository, parse_repository
from .convert import lightgbm, xgboost
from .convert.onnx_model import OnnxModel
from .errors import ReenactError, TrustError
from .handlers import network

_PICKLES = (".pkl", ".pickle", ".joblib")


class LoadedOnnx:
    """An ONNX model with scikit-learn's way of asking it: answers are the model's own classes, or numbers."""

    def __init__(self, content: bytes, schema: Mapping[str, Any]) -> None:
        self.onnx = OnnxModel(content)
        self.schema = dict(schema)
        output = self.schema.get("output", {})
        self.labels = list(output.get("labels") or output.get("classes") or ())
        """What people call the classes, in the order of the probabilities."""
        self._kind = output.get("kind", "tensors")
        self._answer = output.get("label") or output.get("output") or self.onnx.outputs[0].name
        self._probabilities = output.get("probabilities")

    def predict(self, rows: Any) -> Any:
        """The class or the number of each row; for a model without a described output, its first tensor."""
        answer = self.onnx.run(rows)[self._answer]
        return answer.reshape(-1) if self._kind != "tensors" else answer

    def predict_proba(self, rows: Any) -> Any:
        """The probability of each class, in the order of `labels`."""
        if not self._probabilities:
            raise ReenactError("this model gives no probabilities", hint="use `predict`")
        return self.onnx.run(rows)[self._probabilities]

    def run(self, rows: Any) -> dict[str, Any]:
        """Every output by name."""
        return self.onnx.run(rows)


def load(
    repository: str,
    *,
    revision: str | None = None,
    file: str | None = None,
    trust: bool = False,
    url: str | None = None,
    token: str | None = None,
) -> Any:
    """Loads a model.

    Without `trust`, from formats that hold no code: XGBoost's and LightGBM's own, else ONNX as a `LoadedOnnx`.
    With `trust=True`, the original object, from a pickle where that is what was pushed; loading one runs whatever
    its author put into it. `file` names the file to load instead of the one chosen.

    Raises `TrustError` for a pickle without trust, and `ServerError` where the server refuses.
    """
    server = _credentials.server(url=url, token=token)
    target = parse_repository(repository, revision=revision)
    known = _client.facts(server, target)
    facts = known["facts"]
    fixed = Repository(target.name, known.get("revision") or target.revision)
    path = choose(facts, file=file, trust=trust)
    if is_pickle(path, facts) and not trust:
        raise refusal(path, facts)
    local = _cache(server.url, fixed).joinpath(*_parts(path))
    if not local.is_file():
        _download.download(server, fixed, path, local)
    if local.name == network.NETWORK:
        weights = local.with_name(network.WEIGHTS)
        if not weights.is_file():
            _download.download(server, fixed, path.replace(network.NETWORK, network.WEIGHTS), weights)
    return open_model(local, path, facts, trust=trust)


def choose(facts: Mapping[str, Any], *, file: str | None, trust: bool) -> str:
    """The path of the file to load."""
    served, original = facts.get("model"), facts.get("original")
    if file:
        return file
    if original and (trust or _is_native(original)):
        return str(original)
    if served:
        return str(served)
    paths = [entry["path"] for entry in facts.get("files", ())]
    if not (original or paths):
        raise ReenactError(
            "no model file was found in the repository", hint="name one with `file=`, or `reenact.pull` it all"
        )
    return str(original or paths[0])


def open_model(local: Path, path: str, facts: Mapping[str, Any], *, trust: bool) -> Any:
    """The object in a file; `path` is its name in the repository, `facts` what the server read from it."""
    schema = facts.get("schema") or {}
    converted_from = str((facts.get("conversion") or {}).get("from", ""))
    if local.name == network.NETWORK and trust:
        return network.load(local.parent)
    if is_pickle(path, facts) or _looks_like_pickle(local):
        return _unpickle(local, path, facts, trust=trust)
    if path.endswith(".ubj"):
        return xgboost.load(local, converted_from)
    if path == lightgbm.FILE or path.endswith(f"/{lightgbm.FILE}"):
        return lightgbm.load(local, _own_classes((schema.get("output") or {}).get("classes")))
    if path.endswith(".keras"):
        return _open_keras(local, trust=trust)
    if path.endswith(".onnx"):
        return LoadedOnnx(local.read_bytes(), schema)
    raise ReenactError(
        f"`{path}` is of no format that can be loaded as an object",
        hint="`reenact.pull` the files and open them yourself",
    )


def is_pickle(path: str, facts: Mapping[str, Any]) -> bool:
    """Whether this is a pickle, by its name or by what the server read."""
    formats = {entry["path"]: entry.get("format") for entry in facts.get("files", ())}
    return path.lower().endswith(_PICKLES) or formats.get(path) in ("pickle", "joblib", "pytorch")


def refusal(path: str, facts: Mapping[str, Any]) -> TrustError:
    """Why a pickle is not loaded, with what inspection found in it."""
    entry: Mapping[str, Any] = next((entry for entry in facts.get("files", ()) if entry["path"] == path), {})
    dangers = [f"{d['level']}: `{d['what']}` ({d['place']}), {d['reason']}" for d in entry.get("dangers", ())]
    if dangers:
        found = f"inspection found {len(dangers)}: " + "; ".join(dangers[:5])
    elif entry:
        found = "inspection found nothing dangerous in it, which is no promise"
    else:
        found = "nobody has inspected it"
    return TrustError(
        f"`{path}` is a pickle, and loading a pickle runs whatever its author put into it; {found}",
        hint="load it with `trust=True` if you trust its author as you would trust a program of theirs",
    )


def _unpickle(local: Path, path: str, facts: Mapping[str, Any], *, trust: bool) -> Any:
    if not trust:
        raise refusal(path, facts)
    try:
        import joblib
    except ImportError as error:
        raise ReenactError("joblib is not installed", hint="`pip install joblib`, and what the model needs") from error
    return joblib.load(local)


def _open_keras(local: Path, *, trust: bool) -> Any:
    try:
        import keras
    except ImportError as error:
        raise ReenactError("keras is not installed", hint="`pip install keras`, and its backend") from error
    # Its safe mode refuses layers that carry code.
    return keras.saving.load_model(local, compile=False, safe_mode=not trust)


def _looks_like_pickle(local: Path) -> bool:
    """Whether the content is a pickle, whatever the name says: protocol 2 and later begin so."""
    with local.open("rb") as file:
        start = file.read(2)
    return len(start) == 2 and start[0] == 0x80 and 2 <= start[1] <= 5


def _is_native(path: str) -> bool:
    """Whether this file of a framework's own can be opened here: its name, and the framework installed."""
    from importlib.util import find_spec

    framework = {".ubj": "xgboost", ".txt": "lightgbm", ".keras": "keras"}.get(Path(path).suffix)
    return framework is not None and find_spec(framework) is not None


def _own_classes(classes: Any) -> list[Any] | None:
    """Classes as their own values again: whole numbers where all of them are."""
    if not classes:
        return None
    is_whole = all(text.lstrip("-").isdigit() for text in classes)
    return [int(text) for text in classes] if is_whole else list(classes)


def _parts(path: str) -> list[str]:
    """The segments of a path that stays in its repository, whatever a server says."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts):
        raise ReenactError(f"`{path}` is not a path in a repository", hint="name a file as `reenact.info` lists it")
    return parts


def _cache(url: str, repository: Repository) -> Path:
    """The folder for the files of one revision, which never changes."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    parts = urlsplit(url)
    return Path(root) / "reenact" / parts.netloc.replace(":", "_") / repository.name / (repository.revision or "main")
