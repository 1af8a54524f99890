"""`reenact.info` and `reenact.pull`: what a repository is, and its files.

Knows the API's answer and the command that transfers. Invariant: nothing that is pulled is opened.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import _binary, _client, _credentials
from ._client import parse_repository
from .errors import ArgumentError


@dataclass(frozen=True)
class Info:
    """What the server knows of a repository at one revision."""

    repository: str
    kind: str
    is_private: bool
    revision: str
    url: str
    endpoint: dict[str, Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict, repr=False)
    """What was read from its files without running them: schema, classes, hyperparameters, dangers."""

    @property
    def dangers(self) -> list[dict[str, Any]]:
        """What in its files could harm whoever loads them, each with the path of the file."""
        files = self.facts.get("files", ())
        return [{"path": file["path"], **danger} for file in files for danger in file.get("dangers", ())]


def info(repository: str, *, revision: str | None = None, url: str | None = None, token: str | None = None) -> Info:
    """What a model is, what it was read from, dangers found, its endpoint."""
    server = _credentials.server(url=url, token=token)
    known = _client.info(server, parse_repository(repository, revision=revision))
    return Info(
        repository=known["repository"],
        kind=known["kind"],
        is_private=known["private"],
        revision=known.get("revision") or "",
        url=known.get("url") or f"{server.url}/{known['repository']}",
        endpoint=known.get("endpoint"),
        facts=known.get("facts") or {},
    )


def pull(
    repository: str,
    dest: str | os.PathLike[str] | None = None,
    *,
    revision: str | None = None,
    offline: bool = False,
    url: str | None = None,
    token: str | None = None,
) -> Path:
    """Downloads a repository's files into `dest`, by default a folder of its name here; returns the folder.

    What was pulled before comes from the cache; with `offline` all of it, and no server is asked.
    """
    server = _credentials.server(url=url, token=token)
    target = parse_repository(repository, revision=revision)
    folder = Path(dest) if dest is not None else Path(target.name.partition("/")[2])
    if folder.exists() and not folder.is_dir():
        raise ArgumentError(f"`{folder}` is a file", hint="give the path of a folder as `dest`")
    _binary.run(["pull", str(target), str(folder), *(["--offline"] if offline else [])], server=server)
    return folder
