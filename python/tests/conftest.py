"""What the tests share: data, the command, and a real server with accounts.

Invariant: every test that needs the command is skipped, visibly, where `REENACT_BINARY` is unset, and fails where
it is set and does not work.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

warnings.filterwarnings("ignore", module="(sklearn|skl2onnx|onnx|lightgbm|xgboost).*")

START_S = 30.0
ADDRESS = re.compile(r"https?://[\w.\-\[\]:]+:\d+")


@dataclass(frozen=True)
class Running:
    """A server that runs, and how to make accounts on it."""

    url: str
    data: Path
    binary: Path
    pid: int

    def token(self, name: str, *, admin: bool = False) -> str:
        """Makes an account and returns a token for it."""
        command = [str(self.binary), "admin", "user", "add", name, "--data", str(self.data)]
        command += ["--admin"] if admin else []
        made = subprocess.run(command, capture_output=True, text=True, timeout=START_S, check=False)
        assert made.returncode == 0, f"`admin user add` failed: {made.stderr}"
        (token,) = made.stdout.split()
        return token


@dataclass(frozen=True)
class Account:
    name: str
    token: str


@pytest.fixture(scope="session")
def binary() -> Path:
    named = os.environ.get("REENACT_BINARY")
    if not named:
        pytest.skip("REENACT_BINARY is not set: tests against a real server need the command")
    path = Path(named)
    assert path.is_file(), f"REENACT_BINARY names `{named}`, which is no file"
    return path.resolve()


@contextmanager
def running(
    binary: Path, data: Path, *flags: str, user: int | None = None, environment: dict[str, str] | None = None
) -> Iterator[Running]:
    """A real server on a free port, with these flags, ended when the block ends; as another user where one is named."""
    command = [str(binary), "serve", "--data", str(data), "--listen", "127.0.0.1:0"]
    command += flags
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, user=user, group=user, env=environment
    )
    lines: list[str] = []
    threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")), daemon=True).start()  # type: ignore[union-attr]
    try:
        yield Running(_address(process, lines), data, binary, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(binary, tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture
def fresh_server(binary: Path, tmp_path: Path) -> Iterator[Running]:
    """A server that nobody has an account on yet."""
    with running(binary, tmp_path / "server") as server:
        yield server


@pytest.fixture(scope="session")
def alice(server: Running) -> Account:
    return Account("alice", server.token("alice"))


@pytest.fixture(scope="session")
def bob(server: Running) -> Account:
    return Account("bob", server.token("bob"))


@pytest.fixture(scope="module")
def house_flags() -> tuple[str, ...]:
    """How the module's own server is started; a module says it by a fixture of this name."""
    return ()


@pytest.fixture(scope="module")
def house(binary: Path, tmp_path_factory: pytest.TempPathFactory, house_flags: tuple[str, ...]) -> Iterator[Running]:
    """A server for the tests of one module."""
    with running(binary, tmp_path_factory.mktemp("server"), *house_flags) as server:
        yield server


@pytest.fixture(scope="module")
def token(house: Running) -> str:
    """Alice's, on the module's own server."""
    return house.token("alice")


@pytest.fixture
def signed_in(house: Running, token: str, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alice uses the module's own server."""
    monkeypatch.setenv("REENACT_URL", house.url)
    monkeypatch.setenv("REENACT_TOKEN", token)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, without any address or token of the machine's."""
    for name in ("REENACT_URL", "REENACT_TOKEN", "HF_ENDPOINT", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REENACT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def iris() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_iris

    rows, classes = load_iris(return_X_y=True)
    return rows, classes


@pytest.fixture(scope="session")
def diabetes() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_diabetes

    rows, numbers = load_diabetes(return_X_y=True)
    return rows, numbers


def until(condition: Callable[[], object], *, deadline_s: float = START_S) -> None:
    """Waits until the condition holds; fails when the deadline has passed."""
    ends = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < ends, f"not within {deadline_s} s"
        time.sleep(0.02)


def _address(process: subprocess.Popen[str], lines: list[str]) -> str:
    def found() -> str | None:
        assert process.poll() is None, f"the server ended with {process.returncode}:\n{''.join(lines)}"
        return next((match.group() for line in list(lines) if (match := ADDRESS.search(line))), None)

    until(found)
    address = found()
    assert address is not None
    return address
