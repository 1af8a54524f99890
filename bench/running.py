"""Processes that a measurement needs: started on a free port, awaited, ended.

Knows nothing of what is measured. Invariant: whatever was started here is ended when its `with` block ends, with
its children.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S = 60.0
_ADDRESS = re.compile(r"listening on (https?://[\w.\-\[\]:]+:\d+)")


@dataclass(frozen=True)
class Reenact:
    """A server of ours that runs."""

    url: str
    data: Path
    pid: int

    def token(self, name: str) -> str:
        """Makes an account and returns a token for it."""
        command = [str(binary()), "admin", "user", "add", name, "--data", str(self.data)]
        return subprocess.run(command, capture_output=True, text=True, timeout=START_S, check=True).stdout.strip()


def binary() -> Path:
    """The command, from `REENACT_BINARY`. Measure a release build: a debug build measures the compiler."""
    named = os.environ.get("REENACT_BINARY")
    if not named or not Path(named).is_file():
        sys.exit("REENACT_BINARY must name the command: `cargo build --release`, then target/release/reenact")
    return Path(named).resolve()


@contextmanager
def reenact(data: Path, *flags: str) -> Iterator[Reenact]:
    """A server on a free port over this data folder, without a proxy and with its default settings."""
    log = data.with_name(f"{data.name}.log")
    command = [str(binary()), "serve", "--data", str(data), "--listen", "127.0.0.1:0", *flags]
    with started(command, log, **onnx_library()) as process:
        deadline = time.monotonic() + START_S
        while (found := _ADDRESS.search(log.read_text(errors="replace"))) is None:
            _must_run(process, log, deadline)
            time.sleep(0.01)
        yield Reenact(found.group(1), data, process.pid)


def onnx_library() -> dict[str, str]:
    """The environment variable that names this Python's ONNX Runtime: ours and the peers' is one and the same."""
    found = importlib.util.find_spec("onnxruntime")
    if found is None or found.origin is None:
        return {}
    libraries = sorted(Path(found.origin).parent.glob("capi/libonnxruntime.so.*"))
    return {"ORT_DYLIB_PATH": str(libraries[-1])} if libraries else {}


@contextmanager
def peer(command: Sequence[str], log: Path, ready_url: str, **environment: str) -> Iterator[int]:
    """Another server, once it answers with 200 at `ready_url`; yields its process id."""
    with started(command, log, **environment) as process:
        deadline = time.monotonic() + START_S
        while not is_ok(ready_url):
            _must_run(process, log, deadline)
            time.sleep(0.05)
        yield process.pid


@contextmanager
def started(command: Sequence[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, whose output goes to `log`."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            process_group=0,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that was started in a group of its own, gently at first."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def is_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def ask(method: str, url: str, body: Any = None, *, token: str = "") -> Any:
    """One request with JSON in and out. Raises `urllib.error.HTTPError`."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        content = answer.read()
    return json.loads(content) if content else None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def bare_axum(folder: Path) -> tuple[list[str], str]:
    """The command of the barest server there is, and its address; raises `RuntimeError` where it cannot be built."""
    manifest = Path(__file__).parent / "peers" / "bare_axum" / "Cargo.toml"
    command = ["cargo", "build", "--release", "--quiet", "--manifest-path", str(manifest), "--message-format", "json"]
    with (folder / "axum-build.log").open("w") as log:
        built = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, check=False)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    programs = [message["executable"] for message in messages if message.get("executable")]
    if built.returncode != 0 or not programs:
        raise RuntimeError("bare axum, one thread: it could not be built")
    port = free_port()
    return [programs[0], str(port)], f"http://127.0.0.1:{port}"


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM now, in units of 1,000,000 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)


@contextmanager
def on_one_core(pids: Sequence[int]) -> Iterator[None]:
    """Keeps these processes, their children and whatever is started meanwhile on one core."""
    before = os.sched_getaffinity(0)
    one = {max(before)}
    threads = [int(task.name) for pid in _families(pids) for task in Path(f"/proc/{pid}/task").iterdir()]
    try:
        for thread in [0, *threads]:
            os.sched_setaffinity(thread, one)
        yield
    finally:
        for thread in [0, *threads]:
            os.sched_setaffinity(thread, before)


def _families(pids: Sequence[int]) -> list[int]:
    """The processes with all that came of them."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        parent = int(status.read_text().rpartition(")")[2].split()[1])
        parents.setdefault(parent, []).append(int(status.parent.name))
    found = list(pids)
    for pid in found:
        found += parents.get(pid, [])
    return found


def machine() -> dict[str, Any]:
    """What a figure must be read with: how many cores there were and how many others wanted them."""
    one, five, _ = os.getloadavg()
    names = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    cpu = names[0] if names else ""
    return {"date": date, "cores": os.cpu_count(), "cpu": cpu, "load_1m": round(one, 1), "load_5m": round(five, 1)}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def report(results: Mapping[str, Any], path: Path | None) -> None:
    """Writes results where they were asked for."""
    if path is not None:
        path.write_text(json.dumps(results, indent=2) + "\n")


def _must_run(process: subprocess.Popen[bytes], log: Path, deadline: float) -> None:
    said = log.read_text(errors="replace")[-2000:]
    if process.poll() is not None:
        raise RuntimeError(f"the process of `{log.name}` ended with {process.returncode}: {said}")
    if time.monotonic() > deadline:
        raise RuntimeError(f"the process of `{log.name}` was not ready within {START_S:g} s: {said}")
