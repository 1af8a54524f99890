"""What it costs to push and pull large files, small files and second versions, beside other stores.

Every work is done by every store in turn, on the same files and the same disk; what counts are the ratios of one run.
Peers that are not installed are left out, and that is said.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import running

MIB = 1024 * 1024
N_SMALL = 5000
N_CLIENTS = 8
N_SEGMENTS = 8
TIME_OUT_S = 900.0


@dataclass
class Figure:
    """One work, done by one store."""

    store: str
    work: str
    wall_s: float
    cpu_s: float
    stored_bytes: int | None = None
    sent_bytes: int | None = None
    server_mb: float | None = None

    def row(self) -> list[str]:
        def number(value: float | None, form: str = "{:.2f}") -> str:
            return "" if value is None else form.format(value)

        stored = None if self.stored_bytes is None else self.stored_bytes / 1e6
        sent = None if self.sent_bytes is None else self.sent_bytes / 1e6
        times = [number(self.wall_s), number(self.cpu_s)]
        return [self.work, self.store, *times, number(sent), number(stored), number(self.server_mb, "{:.0f}")]


@dataclass
class Files:
    """The files that are moved."""

    folder: Path
    n_bytes: int
    names: list[str] = field(default_factory=list)

    def make(self) -> None:
        source = random.Random(0)
        content = bytearray()
        while len(content) < self.n_bytes:
            content += source.randbytes(min(16 * MIB, self.n_bytes - len(content)))
        self._write("random", content)
        self._write("weights", _weights(self.n_bytes))
        changed = bytearray(content)
        length = self.n_bytes // 20 // N_SEGMENTS
        for segment in range(N_SEGMENTS):
            start = segment * self.n_bytes // N_SEGMENTS
            changed[start : start + length] = source.randbytes(length)
        self._write("replaced", changed)
        self._write("inserted", content[:MIB] + source.randbytes(1024) + content[MIB:])
        small = self.folder / "small"
        small.mkdir()
        for number in range(N_SMALL):
            (small / f"{number:05}.json").write_bytes(source.randbytes(source.randint(1000, 20_000)))

    def _write(self, name: str, content: bytes | bytearray) -> None:
        place = self.folder / name
        place.mkdir(parents=True)
        (place / "model.safetensors").write_bytes(content)


def _weights(n_bytes: int) -> bytes:
    """Numbers as weights are: normal, of 16 bits, as bfloat16 keeps them; without the header of a file."""
    import numpy as np

    source, weights = np.random.default_rng(1), bytearray()
    while len(weights) < n_bytes:
        n_numbers = min(8 * MIB, (n_bytes - len(weights)) // 2)
        normal = source.standard_normal(n_numbers, dtype=np.float32) * np.float32(0.02)
        weights += (normal.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    return bytes(weights)


class Store:
    """A store of files: what a work is called there."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server_pid: int | None = None

    def push(self, source: Path, name: str) -> None:
        raise NotImplementedError

    def pull(self, name: str, destination: Path) -> None:
        raise NotImplementedError

    def data(self) -> Path:
        return self.folder


class Reenact(Store):
    name = "reenact push / pull"

    def __init__(self, folder: Path, server: running.Reenact, token: str) -> None:
        super().__init__(folder)
        self.server, self.token, self.server_pid = server, token, server.pid
        self.environment = {
            **os.environ,
            "REENACT_URL": server.url,
            "REENACT_TOKEN": token,
            "REENACT_CACHE": str(folder / "cache"),
        }

    def push(self, source: Path, name: str) -> None:
        _run([running.binary(), "push", source, f"bench/{name}"], environment=self.environment)

    def pull(self, name: str, destination: Path) -> None:
        command = [running.binary(), "pull", f"bench/{name}", destination, "--no-cache"]
        _run(command, environment=self.environment)

    def data(self) -> Path:
        return self.server.data


class Hub(Store):
    name = "hf upload / download"

    def __init__(self, folder: Path, server: running.Reenact, token: str) -> None:
        super().__init__(folder)
        self.server, self.token, self.server_pid = server, token, server.pid
        self.n_homes = 0

    def _environment(self) -> dict[str, str]:
        self.n_homes += 1
        known = {"HF_ENDPOINT": self.server.url, "HF_TOKEN": self.token, "HF_HUB_DISABLE_TELEMETRY": "1"}
        return {**os.environ, **known, "HF_HOME": str(self.folder / f"home-{self.n_homes}")}

    def push(self, source: Path, name: str) -> None:
        command = [Path(sys.executable).with_name("hf"), "upload", f"bench/hub-{name}", source, "."]
        _run(command, environment=self._environment())

    def pull(self, name: str, destination: Path) -> None:
        command = [Path(sys.executable).with_name("hf"), "download", f"bench/hub-{name}", "--local-dir", destination]
        _run(command, environment=self._environment())

    def data(self) -> Path:
        return self.server.data


class Copy(Store):
    name = "cp"

    def push(self, source: Path, name: str) -> None:
        _run(["cp", "-r", source, self.folder / name])

    def pull(self, name: str, destination: Path) -> None:
        _run(["cp", "-r", self.folder / name, destination])


class Borg(Store):
    name = "borg"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        own = {"BORG_BASE_DIR": str(folder / "home"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
        self.environment = {**os.environ, **own}
        self.repository = folder / "repository"
        self.archives: dict[str, str] = {}
        _run(["borg", "init", "-e", "none", self.repository], environment=self.environment)

    def push(self, source: Path, name: str) -> None:
        # An archive never changes; a second version is another one.
        self.archives[name] = f"{name}-{len(self.archives)}-{'again' if name in self.archives else 'first'}"
        command = ["borg", "create", f"{self.repository}::{self.archives[name]}", "."]
        _run(command, environment=self.environment, folder=source)

    def pull(self, name: str, destination: Path) -> None:
        destination.mkdir()
        command = ["borg", "extract", f"{self.repository}::{self.archives[name]}"]
        _run(command, environment=self.environment, folder=destination)

    def data(self) -> Path:
        return self.repository


class Restic(Store):
    name = "restic"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment = {
            **os.environ,
            "RESTIC_REPOSITORY": str(folder / "repository"),
            "RESTIC_PASSWORD": "bench",
            "RESTIC_CACHE_DIR": str(folder / "cache"),
        }
        _run(["restic", "init", "--quiet"], environment=self.environment)

    def push(self, source: Path, name: str) -> None:
        command = ["restic", "backup", "--quiet", "--tag", name, "."]
        _run(command, environment=self.environment, folder=source)

    def pull(self, name: str, destination: Path) -> None:
        command = ["restic", "restore", "--quiet", "--tag", name, "--target", destination, "latest"]
        _run(command, environment=self.environment)

    def data(self) -> Path:
        return self.folder / "repository"


class Registry(Store):
    """The files as one layer of an image in Docker's registry; `skopeo` copies it there and back."""

    name = "docker-registry + skopeo"

    def __init__(self, folder: Path, port: int, pid: int) -> None:
        super().__init__(folder)
        self.port, self.server_pid = port, pid

    def push(self, source: Path, name: str) -> None:
        image = Path(tempfile.mkdtemp(prefix=f"image-{name}-", dir=self.folder))
        _oci_image(source, image)
        target = f"docker://127.0.0.1:{self.port}/bench:{name}"
        command = ["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", f"oci:{image}:latest", target]
        _run([*command, "--quiet"])

    def pull(self, name: str, destination: Path) -> None:
        source = f"docker://127.0.0.1:{self.port}/bench:{name}"
        command = ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", source, f"dir:{destination}"]
        _run([*command, "--quiet"])

    def data(self) -> Path:
        return self.folder / "registry"


def _oci_image(source: Path, image: Path) -> None:
    """An image whose only layer is a tar of the folder, not compressed. Part of what a push takes there."""
    import hashlib

    blobs = image / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    layer = image / "layer"
    _run(["tar", "-cf", layer, "-C", source, "."])
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = layer.stat().st_size
    layer.rename(blobs / digest)
    base = "application/vnd.oci.image"
    described = {"mediaType": f"{base}.layer.v1.tar", "digest": f"sha256:{digest}", "size": size}
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}
    config_at = {"mediaType": f"{base}.config.v1+json", **put(json.dumps(config).encode())}
    manifest = {"schemaVersion": 2, "mediaType": f"{base}.manifest.v1+json", "config": config_at, "layers": [described]}
    at = {"mediaType": f"{base}.manifest.v1+json", **put(json.dumps(manifest).encode())}
    named = {**at, "annotations": {"org.opencontainers.image.ref.name": "latest"}}
    (image / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    (image / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))


def _run(
    command: list[Any], *, environment: dict[str, str] | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, env=environment, cwd=folder, capture_output=True, text=True, timeout=TIME_OUT_S, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"`{' '.join(words)}` failed: {done.stderr or done.stdout}")
    return done


def _cpu_s(pid: int | None) -> float:
    """What this process's ended children took, and the server."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = used.ru_utime + used.ru_stime
    if pid is not None:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


@contextmanager
def _peak_mb(pid: int | None) -> Iterator[Callable[[], float | None]]:
    """The most memory that a server took meanwhile, looked at every 20 ms."""
    peak, is_over = [0.0], threading.Event()

    def look() -> None:
        while not is_over.wait(0.02):
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            peak[0] = max(peak[0], pages * os.sysconf("SC_PAGE_SIZE") / 1e6)

    if pid is None:
        yield lambda: None
        return
    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield lambda: peak[0]
    finally:
        is_over.set()
        watcher.join()


def _stored_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure(store: Store, work: str, do: Callable[[], None]) -> Figure:
    """Does a work once."""
    before, cpu = _stored_bytes(store.data()), _cpu_s(store.server_pid)
    os.sync()
    with _peak_mb(store.server_pid) as peak:
        began = time.monotonic()
        do()
        wall_s = time.monotonic() - began
        memory = peak()
    cpu_s = _cpu_s(store.server_pid) - cpu
    stored = _stored_bytes(store.data()) - before
    return Figure(store.name, work, wall_s, cpu_s, stored_bytes=stored, server_mb=memory)


def _works(store: Store, files: Files, scratch: Path, *, is_small: bool) -> Iterator[Figure]:
    def pulled(name: str, source: str) -> Figure:
        destination = scratch / f"{len(list(scratch.iterdir()))}"
        figure = measure(store, f"pull {name}", lambda: store.pull(name, destination))
        if not isinstance(store, Registry):
            _must_be_same(files.folder / source, destination, store.name)
        shutil.rmtree(destination)
        return figure

    yield measure(store, "push random", lambda: store.push(files.folder / "random", "random"))
    yield pulled("random", "random")
    yield measure(store, "push replaced, 5 %", lambda: store.push(files.folder / "replaced", "random"))
    yield measure(store, "push inserted, 1 KiB", lambda: store.push(files.folder / "inserted", "inserted"))
    yield measure(store, "push weights, bf16", lambda: store.push(files.folder / "weights", "weights"))
    yield measure(store, "push weights again, elsewhere", lambda: store.push(files.folder / "weights", "elsewhere"))
    if is_small:
        yield measure(store, f"push small, {N_SMALL} files", lambda: store.push(files.folder / "small", "small"))
        yield pulled("small", "small")


def _must_be_same(source: Path, destination: Path, name: str) -> None:
    """Compares what came back; a store may have put it deeper."""
    for path in source.iterdir():
        found = next((there for there in destination.rglob(path.name) if there.is_file()), None)
        if found is None or found.read_bytes() != path.read_bytes():
            sys.exit(f"`{name}` did not give back `{path.name}` as it was")


def _at_once(store: Store, files: Files, scratch: Path) -> Iterator[Figure]:
    """Eight clients, each with a file of its own, push and then pull."""

    def source(name: str, seed: int, n_pieces: int) -> Path:
        place = scratch / name
        place.mkdir()
        content = random.Random(seed)
        with (place / "model.safetensors").open("wb") as file:
            for _ in range(n_pieces):
                file.write(content.randbytes(max(files.n_bytes // N_CLIENTS, MIB)))
        return place

    sources = [source(f"source-{number}", 100 + number, 1) for number in range(N_CLIENTS)]
    whole = source("whole", 99, N_CLIENTS)

    def all_of(do: Callable[[int], None]) -> None:
        with ThreadPoolExecutor(N_CLIENTS) as pool:
            list(pool.map(do, range(N_CLIENTS)))

    def push(number: int) -> None:
        store.push(sources[number], f"at-once-{number}")

    def pull(number: int) -> None:
        store.pull(f"at-once-{number}", scratch / f"back-{number}")

    # One right after the other, for a machine is not as fast at all times.
    yield measure(store, f"{N_CLIENTS} clients push", lambda: all_of(push))
    yield measure(store, "one client pushes as much", lambda: store.push(whole, "whole"))
    yield measure(store, f"{N_CLIENTS} clients pull", lambda: all_of(pull))
    yield measure(store, "one client pulls as much", lambda: store.pull("whole", scratch / "back-whole"))


def _stores(folder: Path, stack: ExitStack) -> list[Store]:
    def own(name: str) -> Path:
        place = folder / name
        place.mkdir()
        return place

    server = stack.enter_context(running.reenact(folder / "data"))
    token = server.token("bench")
    stores: list[Store] = [Reenact(own("reenact"), server, token)]
    if Path(sys.executable).with_name("hf").exists():
        second = stack.enter_context(running.reenact(folder / "data-hub"))
        stores.append(Hub(own("hub"), second, second.token("bench")))
    stores.append(Copy(own("cp")))
    if shutil.which("borg"):
        stores.append(Borg(own("borg")))
    if shutil.which("restic"):
        stores.append(Restic(own("restic")))
    registry = shutil.which("docker-registry") or shutil.which("registry")
    if registry and shutil.which("skopeo"):
        place, port = own("docker"), running.free_port()
        (place / "registry").mkdir()
        config = place / "config.yml"
        storage = {"filesystem": {"rootdirectory": str(place / "registry")}}
        config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": f"127.0.0.1:{port}"}}))
        command = [registry, "serve", str(config)]
        pid = stack.enter_context(running.peer(command, place / "log", f"http://127.0.0.1:{port}/v2/"))
        stores.append(Registry(place, port, pid))
    return stores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="size of a large file")
    parser.add_argument("--only", metavar="WORD", help="only the stores whose names have this word")
    parser.add_argument("--folder", type=Path, help="where to measure; needs some 15 times the size")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    machine = running.machine()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="reenact-bench-", dir=arguments.folder) as name, ExitStack() as stack:
        folder = Path(name)
        files = Files(folder / "files", arguments.size * MIB)
        files.make()
        scratch = folder / "scratch"
        scratch.mkdir()
        for store in _stores(folder, stack):
            if arguments.only and arguments.only not in store.name:
                continue
            for figure in _works(store, files, scratch, is_small=True):
                print(" | ".join(figure.row()), flush=True)
                figures.append(figure)
            if isinstance(store, Reenact):
                place = folder / "at-once"
                place.mkdir()
                for figure in _at_once(store, files, place):
                    print(" | ".join(figure.row()), flush=True)
                    figures.append(figure)
    _print(machine, figures, arguments.size * MIB)
    told = [vars(figure) for figure in figures]
    running.report({"machine": machine, "size_mib": arguments.size, "figures": told}, arguments.json)


def _print(machine: dict[str, Any], figures: list[Figure], n_bytes: int) -> None:
    print(json.dumps(machine))
    print("\n| work | store | wall s | CPU s | stored MB | server MB |\n|---|---|---:|---:|---:|---:|")
    for figure in figures:
        work, store, wall, cpu, _, stored, memory = figure.row()
        print(f"| {work} | {store} | {wall} | {cpu} | {stored} | {memory} |")
    found = {(figure.store, figure.work): figure for figure in figures}

    def ratio(name: str, work: str, of: str, to: str, bar: float) -> None:
        ours, theirs = found.get((of, work)), found.get((to, work))
        if ours and theirs:
            value = ours.wall_s / theirs.wall_s
            print(f"{name}: {value:.2f} of {to} (at most {bar}){'' if value <= bar else ' MISSED'}")

    push, registry = f"push small, {N_SMALL} files", Registry.name
    ratio("push", "push random", Reenact.name, registry, 0.6)
    ratio("push", "push random", Reenact.name, Borg.name, 1.5)
    ratio("hf push", "push random", Hub.name, registry, 1.0)
    ratio("pull", "pull random", Reenact.name, Borg.name, 1.0)
    ratio("hf pull", "pull random", Hub.name, Borg.name, 1.0)
    ratio("small push", push, Reenact.name, Restic.name, 1.0)
    ratio("small pull", "pull small", Reenact.name, Restic.name, 1.0)
    for does, do in (("push", "pushes"), ("pull", "pulls")):
        together, alone = (found.get((Reenact.name, work)) for work in (f"{N_CLIENTS} clients {does}", f"one client {do} as much"))
        if together and alone:
            value = together.wall_s / alone.wall_s
            print(f"{N_CLIENTS} clients {does}: {value:.2f} of one client's time (at most 1.0){'' if value <= 1 else ' MISSED'}")
    bars = [
        ("push replaced, 5 %", 1.05 * n_bytes / 20),
        ("push inserted, 1 KiB", 500_000.0),
        ("push weights, bf16", 0.88 * n_bytes),
        ("push weights again, elsewhere", 0.002 * n_bytes),
    ]
    for work, bar in bars:
        figure = found.get((Reenact.name, work))
        if figure is not None and figure.stored_bytes is not None:
            word = "" if figure.stored_bytes <= bar else " MISSED"
            print(f"{work}: stored {figure.stored_bytes / 1e6:.2f} MB (at most {bar / 1e6:.2f}){word}")
    for figure in figures:
        if figure.store == Reenact.name and figure.server_mb is not None and figure.server_mb > 400:
            print(f"{figure.work}: the server took {figure.server_mb:.0f} MB (at most 400) MISSED")


if __name__ == "__main__":
    main()
