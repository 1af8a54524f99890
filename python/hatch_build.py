"""Puts the command `reenact` into the wheel.

Takes the one that `REENACT_BINARY` names, else builds it with cargo in the repository around this folder. Knows
nothing of the package itself. Invariant: a wheel carries exactly one command, for the platform in its name.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BinaryHook(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling before it writes a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            # An editable install finds the command by `REENACT_BINARY` or on `PATH`, fresh from each build.
            return
        binary = _binary(Path(self.root).parent)
        build_data["force_include"][str(binary)] = f"reenact/bin/{binary.name}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def _binary(repository: Path) -> Path:
    named = os.environ.get("REENACT_BINARY")
    if named:
        path = Path(named)
        if not path.is_file():
            raise SystemExit(f"error: `REENACT_BINARY` names `{named}`, which is no file")
        return path.resolve()
    if not (repository / "Cargo.toml").is_file():
        raise SystemExit(
            "error: there is no Rust workspace around this folder to build the command `reenact` from\n"
            "hint: set `REENACT_BINARY` to a built one, or install from a clone of the repository"
        )
    try:
        subprocess.run(["cargo", "build", "--release", "-p", "cli"], cwd=repository, check=True)
    except FileNotFoundError:
        raise SystemExit("error: `cargo` was not found\nhint: install Rust from https://rustup.rs") from None
    target = Path(os.environ.get("CARGO_TARGET_DIR") or repository / "target")
    return target / "release" / ("reenact.exe" if os.name == "nt" else "reenact")
