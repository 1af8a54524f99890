"""Talks HTTP to a server: JSON of its own API, raw requests to endpoints.

Knows addresses and errors, nothing of models. Invariant: a token is never sent to another host by a redirect,
every failure becomes a `ServerError` with a hint, and no call waits for ever.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ._credentials import Server
from .errors import ArgumentError, ServerError

_USER_AGENT = "reenact-python/0.1.0"
_TIMEOUT_S = 120.0
_PATIENCE_S = 30.0
"""How long a server that refuses connections, or is busy, is asked again."""
_LONGEST_PAUSE_S = 5.0
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Answer:
    """What came back; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ServerError(
                f"the answer is not JSON: `{self.body[:80]!r}`",
                hint="check that the address is that of a Reenact server",
                status=self.status,
            ) from error


@dataclass(frozen=True)
class Question:
    """A request. `body` that is no bytes is sent as JSON."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = _TIMEOUT_S


@dataclass(frozen=True)
class Repository:
    """`owner/name`, and a branch, tag or commit where one was given."""

    name: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}" if self.revision else self.name


def parse_repository(text: str, *, revision: str | None = None) -> Repository:
    """Reads `owner/name` or `owner/name@revision`; `revision` may be given apart, but not both."""
    name, at, written = text.partition("@")
    owner, slash, rest = name.partition("/")
    if not (owner and slash and rest) or "/" in rest or (at and not written):
        raise ArgumentError(f"`{text}` is not a repository", hint="write it as `owner/name` or `owner/name@revision`")
    if written and revision and written != revision:
        raise ArgumentError(f"`{text}` and `revision={revision!r}` differ", hint="give the revision once")
    return Repository(name, written or revision)


def ask(server: Server, question: Question) -> Answer:
    """The answer; waits and asks again while the server refuses connections or answers 503."""
    deadline = time.monotonic() + _PATIENCE_S
    pause_s = 0.1
    while True:
        try:
            return _ask_once(server, question)
        except Busy as busy:
            wait_s = min(busy.retry_after_s or pause_s, _LONGEST_PAUSE_S)
            if time.monotonic() + wait_s > deadline:
                raise busy.error from busy.__cause__
        time.sleep(wait_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def events(server: Server, question: Question) -> Iterator[Any]:
    """What the data of each server-sent event say, as JSON, as they come."""
    with opened(server, question) as response:
        for line in response:
            if line.startswith(b"data:"):
                yield json.loads(line[len(b"data:") :])


def info(server: Server, repository: Repository) -> dict[str, Any]:
    """What the server knows of a model, as its API writes it."""
    query = f"?revision={quote(repository.revision, safe='')}" if repository.revision else ""
    answer: dict[str, Any] = ask(server, Question("GET", f"/api/v1/models/{quote(repository.name)}{query}")).json()
    return answer


def facts(server: Server, repository: Repository) -> dict[str, Any]:
    """As `info`, but waits until the server has read the files, which it does after each push."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        known = info(server, repository)
        if known.get("facts") is not None:
            return known
        if time.monotonic() > deadline:
            raise ServerError(
                f"the server has not yet read the files of `{repository}`",
                hint="try again in a moment; the operator's log says more if it stays so",
            )
        time.sleep(0.1)


class Busy(Exception):
    """Not now, but perhaps soon."""

    def __init__(self, error: ServerError, retry_after_s: float | None) -> None:
        super().__init__(error)
        self.error = error
        self.retry_after_s = retry_after_s


def _ask_once(server: Server, question: Question) -> Answer:
    with opened(server, question) as response:
        body = _read(response)
        return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, body)


@contextmanager
def opened(server: Server, question: Question) -> Iterator[Any]:
    """The response, for as long as it is read; every failure is a `ServerError`, or `Busy`."""
    request = _request(server, question)
    try:
        with urllib.request.urlopen(request, timeout=question.timeout_s) as response:
            yield response
    except urllib.error.HTTPError as error:
        refusal = _refusal(server, error)
        if error.code == 503:
            raise Busy(refusal, _seconds(error.headers.get("Retry-After"))) from error
        raise refusal from error
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        unreachable = ServerError(
            f"`{server.url}` cannot be reached: {reason}",
            hint="check the address, and that the server runs (`reenact serve`)",
        )
        if isinstance(reason, ConnectionRefusedError):
            raise Busy(unreachable, None) from error
        raise unreachable from error


def _request(server: Server, question: Question) -> urllib.request.Request:
    url = question.path if "://" in question.path else server.url + question.path
    headers = {"User-Agent": _USER_AGENT, "Accept": "application/json, */*", **question.headers}
    body = question.body
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body, allow_nan=False).encode()
        headers.setdefault("Content-Type", "application/json")
    request = urllib.request.Request(url, data=body, headers=headers, method=question.method)
    if server.token and (url == server.url or url.startswith(server.url + "/")):
        # Unredirected: `urllib` would carry an ordinary header along to whatever host a redirect names.
        request.add_unredirected_header("Authorization", f"Bearer {server.token}")
    return request


def _read(response: Any) -> bytes:
    chunks = []
    while chunk := response.read(_CHUNK_BYTES):
        chunks.append(chunk)
    body = b"".join(chunks)
    announced = response.headers.get("Content-Length")
    if announced is not None and int(announced) != len(body):
        raise ServerError(
            f"the answer broke off after {len(body)} of {announced} bytes", hint="try again", status=response.status
        )
    return body


def _refusal(server: Server, error: urllib.error.HTTPError) -> ServerError:
    """The server's own words: problem details, the inference protocol's `error`, or what else it wrote."""
    body = error.read(64 * 1024)
    try:
        document = json.loads(body)
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    words = document.get("detail") or document.get("error") or document.get("message") or document.get("title")
    message = str(words or error.headers.get("X-Error-Message") or error.reason or "no reason was given")
    hint = str(document.get("hint") or _hint(server, error.code))
    code = str(document.get("code") or error.headers.get("X-Error-Code") or "")
    return ServerError(f"the server answered {error.code}: {message}", hint=hint, status=error.code, code=code)


def _hint(server: Server, status: int) -> str:
    if status in (401, 403):
        return f'call `reenact.login("{server.url}", token="…")` with a token that may do this'
    if status == 404:
        return "check the name; what is private is not found either by those who may not see it"
    if status in (429, 503):
        return "the server is busy; try again in a moment"
    if status >= 500:
        return "the server's log says more"
    return "correct the request; the message names what is wrong"


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None
