"""`reenact.login`: remembers a server and a token for it.

Knows the credentials file and one question to the server. Invariant: a token that the server does not know is
never kept.
"""

from __future__ import annotations

import getpass
import os
import sys

from . import _client, _credentials
from ._credentials import Server
from .errors import CredentialsError


def login(url: str | None = None, *, token: str | None = None) -> str:
    """Keeps server and token where the command `reenact` keeps them too; returns the account's name.

    Without `token`, `REENACT_TOKEN` is taken, else it is asked for where somebody can answer. Raises
    `CredentialsError` where there is none, and `ServerError` where the server does not know it.
    """
    address = _credentials.server(url=url, token="").url
    given = token or os.environ.get("REENACT_TOKEN") or _asked(address)
    server = Server(url=address, token=given)
    account = _client.ask(server, _client.Question("GET", "/api/whoami-v2")).json()
    _credentials.keep(server)
    return str(account["name"])


def _asked(address: str) -> str:
    given = getpass.getpass(f"Token for {address}: ").strip() if sys.stdin is not None and sys.stdin.isatty() else ""
    if not given:
        raise CredentialsError(
            "no token was given", hint=f'make one at `{address}/tokens`, then `reenact.login("{address}", token="…")`'
        )
    return given
