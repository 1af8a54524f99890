"""Reenact: share a trained model as a page, a live endpoint and a web app, in three calls.

    import reenact as rn
    rn.login("http://127.0.0.1:8484", token="…")
    rn.push(model, "alice/iris", example=X_test[:5], labels=["setosa", "versicolor", "virginica"], public=True)
    endpoint = rn.deploy("alice/iris")
    endpoint.predict(X_test[:3])

Importing it needs the standard library alone. Invariant: nothing here runs code that was downloaded, except
`load(…, trust=True)`.
"""

from __future__ import annotations

from ._log import log
from ._login import login
from ._repositories import Info, info, pull
from .endpoint import Endpoint, deploy
from .errors import (
    ArgumentError,
    BinaryError,
    ConversionError,
    CredentialsError,
    EndpointError,
    ReenactError,
    ServerError,
    TrustError,
)
from .load import LoadedOnnx, load
from .push import Pushed, push
from .receipt import Answered, Receipt
from .share import SharedLink, Trace, share

__version__ = "0.1.0"

__all__ = [
    "Answered",
    "ArgumentError",
    "BinaryError",
    "ConversionError",
    "CredentialsError",
    "Endpoint",
    "EndpointError",
    "Info",
    "LoadedOnnx",
    "Pushed",
    "ReenactError",
    "Receipt",
    "ServerError",
    "SharedLink",
    "Trace",
    "TrustError",
    "deploy",
    "info",
    "load",
    "log",
    "login",
    "pull",
    "push",
    "share",
]
