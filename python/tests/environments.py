"""Environments of Python that tests make for programs of other versions than the tests' own.

Built by `uv`, whose cache makes the second of a kind quick. Invariant: nothing is installed into the tests' own
environment, and nothing into the system's.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BUILDING_S = 300.0


def fresh(folder: Path, wanted: Sequence[str]) -> Path:
    """The Python of a new environment with these packages."""
    return _made(folder, ["--python", sys.executable], wanted, [])


def over(system: str, folder: Path, wanted: Sequence[str]) -> Path:
    """The Python of a new environment with these packages over those of another Python."""
    # A PyTorch of the system's was built for the system's numpy.
    kept = folder / "kept.txt"
    kept.write_text("numpy ; sys_platform == 'none'\ntorch ; sys_platform == 'none'\n")
    return _made(folder, ["--python", system, "--system-site-packages"], wanted, ["--override", str(kept)])


def _made(folder: Path, options: Sequence[str], wanted: Sequence[str], choices: Sequence[str]) -> Path:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    assert uv, "the test environment has `uv`"
    python = folder / "client" / "bin" / "python"
    for command in (
        ["venv", "--quiet", *options, str(folder / "client")],
        ["pip", "install", "--quiet", *choices, "--python", str(python), *wanted],
    ):
        done = subprocess.run([uv, *command], capture_output=True, text=True, timeout=BUILDING_S, check=False)
        assert done.returncode == 0, done.stderr
    return python
