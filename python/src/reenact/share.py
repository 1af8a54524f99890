"""Sharing a model by a link: with or without its owner's name, for so long and so many rows.

Knows what the server answers, nothing of the pages behind a link. Invariant: the link's address is told once, by
`share`; nothing else returns it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from . import _client, _credentials
from ._client import Question, parse_repository


@dataclass(frozen=True)
class Trace:
    """A place where the model tells whose it is.

    `hidden` says that the link shows it without the word, `shown` that it stays, as names of inputs and classes do; what
    is neither is not given at all.
    """

    word: str
    place: str
    hidden: bool
    shown: bool = False


@dataclass(frozen=True)
class SharedLink:
    """A link that was just made. Keep its `url`: it is told this once."""

    url: str
    id: int
    revision: str
    expires: str | None
    traces: tuple[Trace, ...]

    def __str__(self) -> str:
        return self.url


def share(
    repository: str,
    *,
    anonymous: bool = False,
    hide: Sequence[str] = (),
    expires: str | None = None,
    calls: int | None = None,
    calls_per_minute: int | None = None,
    round: int | None = None,
    top_k: int | None = None,
    files: bool = False,
    revision: str | None = None,
    url: str | None = None,
    token: str | None = None,
) -> SharedLink:
    """Makes a link with which anybody can try the model and ask it, at the revision it has now.

    `expires` is a day (`"2027-03-01"`) or a time from now (`"90d"`); `calls` and `calls_per_minute` count rows;
    `round` is a number of digits after the point, `top_k` of classes. With `anonymous` nothing that is reached through
    the link tells whose the model is, as far as the server knows the names; `hide` adds more words, and the answer's
    `traces` say where each was found. The files stay where they are, unless `files=True`.

    Raises `ServerError` where the server refuses.
    """
    server = _credentials.server(url=url, token=token)
    target = parse_repository(repository, revision=revision)
    wanted: dict[str, Any] = {
        "revision": target.revision,
        "anonymous": anonymous,
        "hide": list(hide),
        "expires": expires,
        "calls": calls,
        "calls_per_minute": calls_per_minute,
        "round": round,
        "top_k": top_k,
        "files": files,
    }
    asked = {name: value for name, value in wanted.items() if value is not None}
    made = _client.ask(server, Question("POST", f"/api/v1/models/{quote(target.name)}/links", asked)).json()
    link = made["link"]
    traces = tuple(Trace(**trace) for trace in made["traces"])
    return SharedLink(made["url"], link["id"], link["revision"], link.get("expires"), traces)
