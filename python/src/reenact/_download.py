"""Fetches one file of a repository to the disk, a block at a time.

Knows nothing of what is in it. Invariants: a file appears under its name only with the bytes whose digest the server
announced; no more of it than a block is in memory; where the connection breaks, the rest is asked for.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import time
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from . import _client
from ._client import Busy, Question, Repository
from ._credentials import Server
from .errors import ServerError

_BLOCK_BYTES = 1 << 20
_PAUSE_S = 0.2
_PATIENCE_S = 30.0
"""How long a server is asked again that gives nothing more of a file."""


def download(server: Server, repository: Repository, path: str, destination: Path) -> Path:
    """Brings a file of a repository to `destination`."""
    revision = quote(repository.revision or "main", safe="")
    address = f"/{quote(repository.name)}/resolve/{revision}/{quote(path)}"
    destination.parent.mkdir(parents=True, exist_ok=True)
    beside = destination.with_name(f".{destination.name}.{os.getpid()}.part")
    try:
        with beside.open("w+b") as file:
            _Arriving(file, path).fetch(server, address)
        beside.replace(destination)
    finally:
        beside.unlink(missing_ok=True)
    return destination


class _Arriving:
    """A file of which more or less is here."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path
        self._etag = ""
        self._n_bytes: int | None = None
        self._n_written = 0
        self._digest: Any = None

    def fetch(self, server: Server, address: str) -> None:
        """Writes all of it, or raises `ServerError`."""
        deadline = time.monotonic() + _PATIENCE_S
        pause_s = _PAUSE_S
        while True:
            n_before = self._n_written
            failure = self._fetch_some(server, address)
            if failure is None:
                return self._check()
            if self._n_written > n_before:
                deadline, pause_s = time.monotonic() + _PATIENCE_S, _PAUSE_S
            if time.monotonic() + pause_s > deadline:
                raise failure
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 5.0)

    def _fetch_some(self, server: Server, address: str) -> ServerError | None:
        """Asks for what is not here yet; what broke it off, if anything did."""
        headers = {"Range": f"bytes={self._n_written}-", "If-Range": self._etag} if self._n_written else {}
        try:
            with _client.opened(server, Question("GET", address, headers=headers)) as response:
                self._begin(response)
                while block := response.read(_BLOCK_BYTES):
                    self._file.write(block)
                    self._n_written += len(block)
                    if self._digest is not None:
                        self._digest.update(block)
        except Busy as busy:
            return busy.error
        except ServerError as error:
            # A refusal stays one; for a connection that broke there is no status.
            if error.status or not self._n_written:
                raise
            return error
        except http.client.HTTPException as error:
            return self._broken(error)
        return self._broken() if self._n_bytes is not None and self._n_written < self._n_bytes else None

    def _begin(self, response: Any) -> None:
        """Takes in what the answer says of the file; one that begins anew throws away what is here."""
        if self._n_written and response.status == 206:
            return
        self._file.seek(0)
        self._file.truncate()
        self._n_written = 0
        announced = response.headers.get("Content-Length")
        self._n_bytes = int(announced) if announced is not None else None
        self._etag = response.headers.get("X-Linked-Etag") or response.headers.get("ETag") or ""
        self._digest = _hasher(self._name(), self._n_bytes)

    def _name(self) -> str:
        return self._etag.removeprefix("W/").strip('"')

    def _check(self) -> None:
        """An unknown kind of digest is not judged."""
        if self._digest is not None and self._digest.hexdigest() != self._name():
            raise ServerError(
                f"`{self._path}` did not arrive as the server holds it",
                hint="try again; ask the operator if it happens twice",
            )

    def _broken(self, cause: Exception | None = None) -> ServerError:
        error = ServerError(
            f"`{self._path}` broke off after {self._n_written} of {self._n_bytes} bytes", hint="try again"
        )
        error.__cause__ = cause
        return error


def _hasher(name: str, n_bytes: int | None) -> Any:
    """What computes a digest of this length: SHA-256, or git's of a file of so many bytes."""
    if len(name) == 64:
        return hashlib.sha256()
    if len(name) == 40 and n_bytes is not None:
        return hashlib.sha1(b"blob %d\0" % n_bytes, usedforsecurity=False)
    return None
