"""`reenact.deploy` and the endpoint it returns: where a model answers predictions.

Knows the API's states and the inference protocol, nothing of frameworks. Invariant: an `Endpoint` that `deploy`
returned was ready to answer, and its answers are in the words of the model's schema.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal, overload
from urllib.parse import quote

from . import _client, _credentials, _parts, _tensors
from ._client import Question, Repository, parse_repository
from ._credentials import Server
from .convert.schema import is_frame, plain
from .errors import ArgumentError, EndpointError
from .receipt import Answered, Receipt

_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_READY = ("ready", "idle")


class Endpoint:
    """The address at which a model answers."""

    def __init__(self, server: Server, described: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
        self._server = server
        self._described = dict(described)
        self.schema = dict(schema)
        """Inputs and outputs of the model, and how people see them."""
        self._query = ""
        self._receipts: list[str] = []

    @property
    def repository(self) -> str:
        return str(self._described["repository"])

    @property
    def revision(self) -> str:
        return str(self._described.get("revision") or "")

    @property
    def state(self) -> str:
        """`pending`, `building`, `starting`, `ready`, `idle`, `crashed`, `failed` or `stopped`, as of the last `refresh`."""
        return str(self._described["state"])

    @property
    def targets(self) -> dict[str, int]:
        """The revisions that answer and the percents of the requests that each does, as of the last `refresh`."""
        return {str(target["revision"]): int(target["percent"]) for target in self._described.get("targets", ())}

    @property
    def url(self) -> str:
        """Ends with a slash."""
        url = str(self._described.get("url") or f"/endpoints/{self.repository}/")
        absolute = url if "://" in url else self._server.url + url
        return absolute.rstrip("/") + "/"

    def refresh(self) -> Endpoint:
        """Asks the server for the state; returns this endpoint."""
        self._described = _described(self._server, Repository(self.repository))
        return self

    @overload
    def predict(self, rows: Any, *, receipt: Literal[False] = False) -> Any: ...
    @overload
    def predict(self, rows: Any, *, receipt: Literal[True]) -> Answered: ...
    def predict(self, rows: Any, *, receipt: bool = False) -> Any:
        """The model's answer to each row: names of classes, or numbers.

        `rows` are what the model takes: an array, lists, or a DataFrame with the columns of the schema. Where it takes
        files, each row is one (bytes, a path or an image of Pillow), or a list of its inputs. With `receipt=True` the
        answer comes as `Answered(predictions, receipt)`, signed by the server; a model that takes files signs for one
        row at a time.
        """
        if not receipt:
            return self._predict(rows)
        if self._takes_parts:
            rows = list(rows)
            if len(rows) != 1:
                raise ArgumentError(
                    f"one receipt was asked for {len(rows)} rows",
                    hint="such a model is asked for each row on its own: call `predict([row], receipt=True)` for each",
                )
        asking = Endpoint(self._server, self._described, self.schema)
        asking._query, asking._receipts = "?receipt=1", []
        predictions = asking._predict(rows)
        if not asking._receipts:
            raise EndpointError(f"`{self.repository}` answered without a receipt", hint="ask a newer server")
        return Answered(predictions, Receipt(asking._receipts[-1]))

    def _predict(self, rows: Any) -> Any:
        output = self.schema.get("output", {})
        if "parts" in (output.get("kind"), self.schema.get("input", {}).get("kind")):
            return self._predict_parts(rows)
        if _is_mixed(rows):
            return _listed(self._invoked(rows))
        if output.get("kind") == "label":
            return self._named(_listed(self._inferred(rows, [output["label"]])[output["label"]]))
        if output.get("kind") == "number":
            return _listed(self._inferred(rows, [output["output"]])[output["output"]])
        names = [tensor["name"] for tensor in self.schema.get("outputs", ())]
        given = self._inferred(rows, names)
        return next(iter(given.values())) if len(given) == 1 else given

    @property
    def _takes_parts(self) -> bool:
        return bool(self.schema.get("input", {}).get("kind") == "parts")

    def _predict_parts(self, rows: Any) -> Any:
        """One answer for each row: of one output itself, of several an object of them by name."""
        names = [tensor["name"] for tensor in self.schema.get("outputs", ())]
        output = self.schema.get("output", {})
        if self._takes_parts and output.get("kind") == "label":
            return self._named([given[output["label"]][0] for given in self._each(rows, [output["label"]])])
        if self._takes_parts:
            given = self._each(rows, names)
            answers = [_parts.answer({name: values[0] for name, values in one.items()}, self.schema) for one in given]
        else:
            columns = self._inferred(rows, names)
            of_row = zip(*(columns[name] for name in names), strict=True)
            answers = [_parts.answer(dict(zip(names, row, strict=True)), self.schema) for row in of_row]
        return answers

    def predict_proba(self, rows: Any) -> Any:
        """The probability of each class, in the order of `classes`, for each row."""
        name = self.schema.get("output", {}).get("probabilities")
        if not name:
            raise EndpointError(
                f"`{self.repository}` gives no probabilities", hint="use `predict`, or push a model that has them"
            )
        if self._takes_parts:
            return [given[name][0] for given in self._each(rows, [name])]
        return self._inferred(rows, [name])[name]

    def stream(self, *values: Any, **named: Any) -> Iterator[str]:
        """The model's answer to one row, piece by piece: the inputs in the order of the schema, or by name.

        A model that does not answer in pieces gives its answer as the only one. To stop earlier, close the iterator.
        """
        names = [tensor["name"] for tensor in self.schema.get("inputs", ())]
        if len(values) > len(names):
            raise ArgumentError(f"{len(values)} values came", hint=f"the model takes {', '.join(names[:10])}")
        row = {**dict(zip(names, map(plain, values), strict=False)), **{name: plain(v) for name, v in named.items()}}
        address = f"{self.url}v2/models/{quote(self.repository.partition('/')[2])}/generate_stream"
        events = _client.events(self._server, Question("POST", address, row))
        try:
            for event in events:
                if "error" in event:
                    detail, _, hint = event["error"].partition("; hint: ")
                    raise EndpointError(detail, hint=hint or "ask again")
                yield event["text_output"]
        except _client.Busy as busy:
            raise busy.error from busy
        finally:
            events.close()

    @property
    def classes(self) -> list[str]:
        """What people call the classes, in the order of the probabilities; empty where there are none."""
        output = self.schema.get("output", {})
        return list(output.get("labels") or output.get("classes") or ())

    def __repr__(self) -> str:
        return f"Endpoint({self.repository!r}, revision={self.revision[:12]!r}, state={self.state!r}, url={self.url!r})"

    def _each(self, rows: Any, outputs: list[str]) -> list[dict[str, Any]]:
        """Each row on its own, because files and series of several rows may be large and differ in length."""
        return [self._asked(_parts.inputs([row], self.schema), outputs) for row in rows]

    def _inferred(self, rows: Any, outputs: list[str]) -> dict[str, Any]:
        return self._asked(self._inputs(rows), outputs)

    def _asked(self, inputs: list[dict[str, Any]], outputs: list[str]) -> dict[str, Any]:
        body, n_json_bytes = _tensors.request(inputs, outputs)
        headers = {
            "Content-Type": "application/octet-stream",
            "Inference-Header-Content-Length": str(n_json_bytes),
        }
        name = quote(self.repository.partition("/")[2])
        answer = _client.ask(self._server, Question("POST", f"{self.url}v2/models/{name}/infer{self._query}", body, headers))
        length = answer.headers.get("inference-header-content-length")
        n_json_bytes = int(length) if length else None
        if self._query:
            self._keep(json.loads(answer.body[:n_json_bytes]).get("parameters") or {})
        return _tensors.answer(answer.body, n_json_bytes, _parts.files(self.schema))

    def _keep(self, holder: Mapping[str, Any]) -> None:
        if "receipt" in holder:
            self._receipts.append(holder["receipt"])

    def _invoked(self, frame: Any) -> Any:
        """The answers of the scoring protocol, which the server has put into people's words."""
        data = [[plain(value) for value in row] for row in frame.itertuples(index=False, name=None)]
        document = {"dataframe_split": {"columns": [str(name) for name in frame.columns], "data": data}}
        answer = _client.ask(self._server, Question("POST", f"{self.url}invocations{self._query}", document)).json()
        self._keep(answer)
        return answer["predictions"]

    def _inputs(self, rows: Any) -> list[dict[str, Any]]:
        specified = self.schema.get("inputs", ())
        if not specified:
            raise EndpointError(
                f"the inputs of `{self.repository}` are not known", hint="call `refresh()` and try again"
            )
        if len(specified) > 1:
            return _columns(rows, specified)
        tensor = specified[0]
        if len(tensor["shape"]) == 1:
            return [{**tensor, "shape": [len(rows)], "values": _single(rows)}]
        values = _tensors.values_of(_ordered(rows, self.schema))
        shape = _tensors.shape_of(values)
        return [{**tensor, "shape": _row_shape(shape, tensor), "values": values}]

    def _named(self, classes: Any) -> Any:
        output = self.schema.get("output", {})
        labels, texts = output.get("labels") or (), list(output.get("classes") or ())
        if not labels:
            return classes
        names = [labels[texts.index(str(value))] if str(value) in texts else value for value in classes]
        return _listed(names)


def deploy(
    repository: str,
    *,
    revision: str | None = None,
    canary: int | None = None,
    timeout_s: float = 300.0,
    url: str | None = None,
    token: str | None = None,
) -> Endpoint:
    """Deploys a model and waits until its endpoint is ready.

    With `canary=10` it answers ten requests of a hundred, and what was deployed before answers the rest.

    Raises `EndpointError` with the reason where it fails, or is not ready after `timeout_s` seconds, and
    `ServerError` where the server refuses.
    """
    server = _credentials.server(url=url, token=token)
    target = parse_repository(repository, revision=revision)
    wanted: dict[str, Any] = {"repository": target.name, "revision": target.revision}
    if canary is not None:
        wanted["canary"] = canary
    described = _client.ask(server, Question("POST", "/api/v1/endpoints", wanted)).json()
    deadline, pause_s = time.monotonic() + timeout_s, _PAUSE_S
    while described["state"] not in _READY:
        if described["state"] in ("crashed", "failed", "stopped"):
            reason = described.get("reason") or "no reason was given"
            raise EndpointError(
                f"the endpoint of `{target}` is {described['state']}: {reason}",
                hint=f"`reenact endpoints logs {target.name}` shows its last lines",
            )
        if time.monotonic() > deadline:
            raise EndpointError(
                f"the endpoint of `{target}` is still {described['state']} after {timeout_s:g} s",
                hint="wait longer with `timeout_s=`; the endpoint goes on starting",
            )
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
        described = _described(server, target)
    facts = _client.facts(server, Repository(target.name, described.get("revision")))["facts"]
    return Endpoint(server, described, facts.get("schema") or {})


def _described(server: Server, repository: Repository) -> dict[str, Any]:
    described: dict[str, Any] = _client.ask(
        server, Question("GET", f"/api/v1/endpoints/{quote(repository.name)}")
    ).json()
    return described


def _is_mixed(rows: Any) -> bool:
    return is_frame(rows) and any(getattr(dtype, "kind", "O") not in "biuf" for dtype in rows.dtypes)


def _ordered(rows: Any, schema: Mapping[str, Any]) -> Any:
    """A DataFrame's columns in the order of the features, where it has them all; other rows as they are."""
    names = [feature["name"] for feature in schema.get("input", {}).get("features", ())]
    if not is_frame(rows):
        return rows
    missing = [name for name in names if name not in rows.columns]
    if missing and len(rows.columns) != len(names):
        raise ArgumentError(f"the rows have no column `{missing[0]}`", hint=f"the model takes {', '.join(names[:10])}")
    return rows.to_numpy() if missing or not names else rows[names].to_numpy()


def _columns(rows: Any, specified: Any) -> list[dict[str, Any]]:
    """One tensor of `[rows]` or `[rows, 1]` for each input, by the name of the column, or by its place in a row."""
    tensors = []
    for index, tensor in enumerate(specified):
        if is_frame(rows):
            if tensor["name"] not in rows.columns:
                names = ", ".join(f"`{other['name']}`" for other in specified[:10])
                raise ArgumentError(f"the rows have no column `{tensor['name']}`", hint=f"the model takes {names}")
            values = rows[tensor["name"]].to_numpy()
        else:
            values = [row[index] for row in _tensors.plain_list(rows)]
        shape = [len(values), 1] if len(tensor["shape"]) > 1 else [len(values)]
        tensors.append({**tensor, "shape": shape, "values": values})
    return tensors


def _single(rows: Any) -> list[Any]:
    """One value for each row, which may be the only one of a list."""
    values = rows.iloc[:, 0].tolist() if is_frame(rows) else _tensors.plain_list(rows)
    return [value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value for value in values]


def _row_shape(shape: tuple[int, ...], tensor: Mapping[str, Any]) -> list[int]:
    """The shape to send: rows that are flat where the model takes pictures, or the other way round, are reshaped."""
    wanted = list(tensor["shape"])
    if len(shape) == 1:
        raise ArgumentError(f"the rows have shape {list(shape)}", hint="give several rows; for one row, `[row]`")
    size = 1
    for length in shape[1:]:
        size *= length
    fixed = wanted[1:]
    product = 1
    for length in fixed:
        product *= length
    return [shape[0], *fixed] if len(fixed) != len(shape) - 1 and product == size else list(shape)


def _listed(values: Any) -> Any:
    """Answers as a flat array, or as a list where there is no numpy."""
    if not _tensors.has_numpy():
        return [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]
    import numpy as np

    listed = np.asarray(values)
    return listed.reshape(-1) if listed.ndim == 2 and listed.shape[1] == 1 else listed
