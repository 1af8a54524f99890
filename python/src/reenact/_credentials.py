"""Which server is meant, and the token for it.

The file is the one that the command `reenact login` keeps. Knows nothing of HTTP. Invariant: a token goes only
to the server that it was given for, and the file is readable by its owner alone.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import _toml
from .errors import ArgumentError, CredentialsError


@dataclass(frozen=True)
class Server:
    """An address without a slash at its end, and a token, which may be empty."""

    url: str
    token: str = field(default="", repr=False)


def server(*, url: str | None = None, token: str | None = None) -> Server:
    """The server meant: by the arguments, else `REENACT_URL`, else `HF_ENDPOINT`, else the file's default.

    The token likewise: `REENACT_TOKEN` belongs to `REENACT_URL`, or to any server where that is unset;
    `HF_TOKEN` only ever to `HF_ENDPOINT`.
    """
    kept = _read()
    chosen = url or os.environ.get("REENACT_URL") or os.environ.get("HF_ENDPOINT") or kept.get("default")
    if not chosen:
        raise CredentialsError(
            "no server is known",
            hint='call `reenact.login("http://…", token="…")`, or set `REENACT_URL` and `REENACT_TOKEN`',
        )
    address = normalised(chosen)
    if token is None:
        token = _token_of_environment(address) or kept.get("servers", {}).get(address, {}).get("token", "")
    return Server(url=address, token=token)


def keep(server: Server) -> Path:
    """Writes the server and its token to the file and makes it the default; returns the file's path."""
    document = _read()
    servers = dict(document.get("servers", {}))
    servers[server.url] = {**servers.get(server.url, {}), "token": server.token}
    path = file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(path, _toml.dumps({**document, "default": server.url, "servers": servers}))
    except OSError as error:
        raise CredentialsError(
            f"`{path}` could not be written: {error.strerror}",
            hint="set `REENACT_HOME` to a folder of yours, or use `REENACT_URL` and `REENACT_TOKEN`",
        ) from error
    return path


def file() -> Path:
    """`credentials.toml` in `REENACT_HOME`, or in the user's folder for settings."""
    home = os.environ.get("REENACT_HOME")
    return (Path(home) if home else Path.home() / ".config" / "reenact") / "credentials.toml"


def normalised(url: str) -> str:
    """The address in the form in which it is compared and kept."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ArgumentError(
            f"`{url}` is not the address of a server", hint="write it as `http://host:port` or `https://host`"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _token_of_environment(address: str) -> str:
    ours, theirs = os.environ.get("REENACT_URL"), os.environ.get("HF_ENDPOINT")
    if not ours or normalised(ours) == address:
        token = os.environ.get("REENACT_TOKEN", "")
        if token:
            return token
    if theirs and normalised(theirs) == address:
        return os.environ.get("HF_TOKEN", "")
    return ""


def _read() -> dict[str, Any]:
    path = file()
    try:
        return _toml.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CredentialsError(
            f"`{path}` could not be read: {error}", hint="correct it, or remove it and log in again"
        ) from error


def _replace(path: Path, text: str) -> None:
    """Puts the whole file in place at once, so that nobody ever reads half of it or with other rights."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
