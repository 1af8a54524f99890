"""The command `reenact`: where it is, and running it.

Knows nothing of what the command does. Invariant: a token is handed over in the environment, never on the
command line, where other users of the machine could read it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ._credentials import Server
from .errors import BinaryError

_NAME = "reenact.exe" if os.name == "nt" else "reenact"
_BUNDLED = Path(__file__).parent / "bin" / _NAME


def find() -> Path:
    """The command named by `REENACT_BINARY`, else the wheel's own, else the one on `PATH`."""
    named = os.environ.get("REENACT_BINARY")
    if named:
        if not Path(named).is_file():
            raise BinaryError(
                f"`REENACT_BINARY` names `{named}`, which is no file",
                hint="correct it, or unset it to use the command that came with this package",
            )
        return Path(named)
    if _BUNDLED.is_file():
        return _BUNDLED
    found = _on_path()
    if found is None:
        raise BinaryError(
            "the command `reenact` was not found",
            hint="install this package from a wheel, which carries it, or set `REENACT_BINARY` to where it is",
        )
    return found


def run(arguments: Sequence[str], *, server: Server) -> str:
    """What the command printed on standard output; raises `BinaryError` with its last words where it failed."""
    environment = dict(os.environ, REENACT_URL=server.url)
    environment.pop("REENACT_TOKEN", None)
    if server.token:
        environment["REENACT_TOKEN"] = server.token
    command = [str(find()), *arguments]
    ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if ended.returncode != 0:
        words = ended.stderr.strip() or ended.stdout.strip() or f"exit code {ended.returncode}"
        message, _, hint = words.removeprefix("error: ").partition("hint: ")
        raise BinaryError(
            f"`reenact {arguments[0]}` failed: {message.strip()}",
            hint=hint.strip() or f"run `reenact {' '.join(arguments)}` in a terminal to see it work",
        )
    return ended.stdout


def main() -> None:
    """The console script: becomes the command."""
    try:
        path = str(find())
    except BinaryError as error:
        sys.exit(f"error: {error}")
    arguments = [path, *sys.argv[1:]]
    if os.name == "nt":
        sys.exit(subprocess.call(arguments))
    os.execv(path, arguments)


def _on_path() -> Path | None:
    """The command on `PATH`, but not the console script of this package, which would only find itself."""
    scripts = Path(sys.executable).parent
    for folder in os.get_exec_path():
        found = shutil.which(_NAME, path=folder)
        if found and not (Path(folder) == scripts and _is_script(Path(found))):
            return Path(found)
    return None


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!"
