"""Which packages a model needs, each with its version, and the lock of them all.

Knows what is installed here, and `uv` where it is found. Invariant: a requirement that is guessed names the version
that the model was made with.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from ..errors import ArgumentError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LOCKING_S = 300.0


def python_version() -> str:
    """The version of this Python that environments are made for."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def required(modules: Iterable[str], given: Sequence[str] | None) -> list[str]:
    """The requirements: what the caller gave, or what is installed of these modules and all that they need."""
    if given is None:
        return [f"{name}=={_public(metadata.version(name))}" for name in _closure(_distributions(modules))]
    names = {_normal(_NAME.match(text.strip()).group()) for text in given if _NAME.match(text.strip())}  # type: ignore[union-attr]
    known = {_normal(name) for name in _closure(names)} | names
    # What packs the model also opens it; nobody thinks of naming it.
    added = [] if "cloudpickle" in known else [f"cloudpickle=={metadata.version('cloudpickle')}"]
    missing = [
        f"`{module}` (of the package `{name}`)"
        for module in sorted(modules)
        for name in _distributions([module])
        if _normal(name) not in known | {"cloudpickle"}
    ]
    if missing:
        raise ArgumentError(
            f"the model uses {', '.join(missing)}, which the requirements do not bring",
            hint="add it to `requirements`, or leave `requirements` out to have them told from what is installed",
        )
    return [*given, *added]


def beside(modules: Iterable[str], given: Sequence[str] | None) -> list[str]:
    """The requirements beside an interpreter that the server's operator keeps: those given, or what this Python got
    from an index, in the versions installed here. What the system brought is taken to be there as it is here."""
    if given is not None:
        return list(given)
    from_index = [name for name in _distributions(modules) if _installer(name) in ("pip", "uv")]
    return [f"{name}=={_public(metadata.version(name))}" for name in from_index]


def _installer(name: str) -> str:
    return (metadata.distribution(name).read_text("INSTALLER") or "").strip()


def lock(requirements: Sequence[str]) -> str | None:
    """Every package with version and digests; none where there is no `uv`, and the server chooses."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        return None
    with tempfile.TemporaryDirectory(prefix="reenact-") as folder:
        wanted, locked = Path(folder, "requirements.in"), Path(folder, "requirements.lock")
        wanted.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        command = [uv, "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate"]
        command += ["--only-binary", ":all:", "--python-version", python_version()]
        command += [str(wanted), "--output-file", str(locked)]
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_LOCKING_S)
        if ended.returncode != 0:
            raise ArgumentError(
                f"the requirements cannot be met: {_conclusion(ended.stderr)}",
                hint="correct `requirements`; only packages of the index that have wheels can be installed",
            )
        return locked.read_text(encoding="utf-8")


def _distributions(modules: Iterable[str]) -> list[str]:
    """The installed packages that hold these modules."""
    by_module = metadata.packages_distributions()
    found = {name for module in modules for name in by_module.get(module, ())}
    return sorted(name for name in found if _normal(name) != "reenact")


def _closure(names: Iterable[str]) -> list[str]:
    """These packages and what they need, as far as it is installed."""
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if _normal(name) in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[_normal(name)] = distribution.metadata["Name"]
        for requirement in distribution.requires or ():
            matched = _NAME.match(requirement)
            if matched and "extra ==" not in requirement:
                waiting.append(matched.group())
    return [found[key] for key in sorted(found)]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _public(version: str) -> str:
    """Without the part that only a private build has, such as `+cpu`."""
    return version.partition("+")[0]


def _conclusion(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines()]
    lines = lines[: next((n for n, line in enumerate(lines) if line.startswith("hint:")), len(lines))]
    marks = ("╰─▶", "cause:", "error:")
    start = max((n for n, line in enumerate(lines) if any(mark in line for mark in marks)), default=0)
    words = " ".join(lines[start:])
    for mark in marks:
        words = words.rpartition(mark)[2]
    return " ".join(words.split())
