"""What can go wrong, as exceptions that also say what to do.

Knows nothing of how the mistakes are found. Invariant: every error is a `ReenactError`, has a message that
quotes the values it is about, and a hint.
"""

from __future__ import annotations


class ReenactError(Exception):
    """Anything that this package refuses or fails to do."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}"


class ArgumentError(ReenactError, ValueError):
    """An argument that cannot be meant."""


class CredentialsError(ReenactError):
    """No server or no token is known, or the file that keeps them cannot be read."""


class BinaryError(ReenactError):
    """The command `reenact` is missing, or it failed."""


class ServerError(ReenactError):
    """The server could not be reached, or it refused. `status` is 0 where there was no answer."""

    def __init__(self, message: str, *, hint: str, status: int = 0, code: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code


class EndpointError(ReenactError):
    """An endpoint failed to start, or was asked for what it does not give."""


class ConversionError(ReenactError):
    """A model could not be converted to ONNX, or the converted one does not agree with the original."""


class TrustError(ReenactError):
    """A file that could run code when it is loaded, and nobody said that it is trusted."""
