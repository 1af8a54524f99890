"""Large files in chunks, moved by the unmodified client with `hf_xet` and without it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("huggingface_hub")
pytest.importorskip("hf_xet")

from conftest import Running, running  # noqa: E402
from counting_proxy import Counts, counting  # noqa: E402

MIB = 1024 * 1024
LARGE_BYTES = 100 * MIB
CHANGED_BYTES = 5 * MIB
TIME_OUT_S = 300.0
REPO = "alice/weights"

PUSH = """
import sys
from huggingface_hub import HfApi
repo, path, name = sys.argv[1:]
api = HfApi()
api.create_repo(repo, exist_ok=True, private=True)
api.upload_file(path_or_fileobj=path, path_in_repo=name, repo_id=repo)
"""
PULL = """
import sys
from huggingface_hub import hf_hub_download
repo, folder, name, revision = sys.argv[1:]
hf_hub_download(repo, name, local_dir=folder, revision=revision)
"""


@dataclass
class House:
    """A server behind a proxy that counts, and clients that are told to go through it."""

    server: Running
    counts: Counts
    tokens: dict[str, str]
    folder: Path

    def run(self, script: str, *words: str, account: str = "alice", home: str = "home", is_xet: bool = True) -> None:
        """Runs a client in a process of its own, with the caches of that home."""
        known = {
            "HF_ENDPOINT": self.counts.url,
            "HF_TOKEN": self.tokens[account],
            "HF_HOME": str(self.folder / home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
        }
        known |= {} if is_xet else {"HF_HUB_DISABLE_XET": "1"}
        self.counts.reset()
        command = [sys.executable, "-c", script, *words]
        done = subprocess.run(command, env=known, capture_output=True, text=True, timeout=TIME_OUT_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def stored_bytes(self) -> int:
        files = (path for path in (self.server.data / "blobs").rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files)


@pytest.fixture(scope="module")
def house(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("clients")
    with running(binary, tmp_path_factory.mktemp("data")) as server, counting(server.url) as counts:
        yield House(server, counts, {name: server.token(name) for name in ("alice", "bob")}, folder)


@pytest.fixture(scope="module")
def first(house: House) -> Path:
    """A large file that Alice has pushed in chunks."""
    path = house.folder / "first.bin"
    path.write_bytes(np.random.default_rng(0).bytes(LARGE_BYTES))
    before = house.stored_bytes()
    house.run(PUSH, REPO, str(path), "w.bin")
    assert house.counts.n_sent >= LARGE_BYTES
    assert house.stored_bytes() - before < 1.01 * LARGE_BYTES
    return path


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.parametrize("is_xet", [True, False], ids=["in-chunks", "plain"])
def test_a_large_file_comes_back(house: House, first: Path, is_xet: bool) -> None:
    folder = house.folder / f"back-{is_xet}"
    house.run(PULL, REPO, str(folder), "w.bin", "main", home=f"home-{is_xet}", is_xet=is_xet)
    assert sha256(folder / "w.bin") == sha256(first)
    assert house.counts.n_fetched < 1.01 * LARGE_BYTES


@pytest.mark.parametrize("place", [(0, 1), (65_535, 200_000), (50 * MIB - 3, 50 * MIB + 3), (LARGE_BYTES - 9, None)])
def test_a_part_is_read(house: House, first: Path, place: tuple[int, int | None]) -> None:
    start, end = place
    address = f"{house.server.url}/{REPO}/resolve/main/w.bin"
    last = "" if end is None else str(end - 1)
    headers = {"Range": f"bytes={start}-{last}", "Authorization": f"Bearer {house.tokens['alice']}"}
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
        assert (answer.status, answer.read()) == (206, first.read_bytes()[start:end])


@pytest.mark.parametrize("home", ["home", "fresh-home"], ids=["same-machine", "other-machine"])
def test_a_second_version_costs_what_changed(house: House, first: Path, home: str) -> None:
    seed = len(home)
    content = bytearray(first.read_bytes())
    start = 30 * MIB + seed * MIB
    content[start : start + CHANGED_BYTES] = np.random.default_rng(seed).bytes(CHANGED_BYTES)
    path = house.folder / f"second-{home}.bin"
    path.write_bytes(content)
    before = house.stored_bytes()
    house.run(PUSH, REPO, str(path), f"{home}.bin", home=home)
    stored, sent = house.stored_bytes() - before, house.counts.n_sent
    assert stored < 1.1 * CHANGED_BYTES
    assert sent < 1.1 * CHANGED_BYTES
    folder = house.folder / f"back-{home}"
    house.run(PULL, REPO, str(folder), f"{home}.bin", "main", home=f"pull-{home}")
    assert sha256(folder / f"{home}.bin") == sha256(path)


@pytest.mark.parametrize("home", ["home", "third-home"], ids=["same-machine", "other-machine"])
def test_a_duplicate_in_another_repository_costs_nothing(house: House, first: Path, home: str) -> None:
    before = house.stored_bytes()
    house.run(PUSH, f"alice/copy-{home}", str(first), "w.bin", home=home)
    assert house.counts.n_sent < MIB
    assert house.stored_bytes() - before < 100_000
    folder = house.folder / f"back-copy-{home}"
    house.run(PULL, f"alice/copy-{home}", str(folder), "w.bin", "main", home=f"pull-copy-{home}", is_xet=False)
    assert sha256(folder / "w.bin") == sha256(first)


def test_who_may_not_read_a_file_learns_nothing_of_it_and_sends_all(house: House, first: Path) -> None:
    before = house.stored_bytes()
    # On the very machine from which it was sent before, by somebody else.
    house.run(PUSH, "bob/weights", str(first), "w.bin", account="bob")
    assert house.counts.n_sent >= LARGE_BYTES
    assert house.stored_bytes() - before < 100_000


def test_a_file_sent_by_git_lfs_comes_back_both_ways(house: House) -> None:
    path = house.folder / "lfs.bin"
    path.write_bytes(np.random.default_rng(7).bytes(20 * MIB))
    house.run(PUSH, "alice/by-lfs", str(path), "w.bin", is_xet=False)
    for is_xet in (True, False):
        folder = house.folder / f"back-lfs-{is_xet}"
        house.run(PULL, "alice/by-lfs", str(folder), "w.bin", "main", home=f"lfs-{is_xet}", is_xet=is_xet)
        assert sha256(folder / "w.bin") == sha256(path)


def own(house: House, *words: str) -> str:
    """Runs our own command as Alice, through the proxy that counts, with a cache of its own."""
    known = {"REENACT_URL": house.counts.url, "REENACT_TOKEN": house.tokens["alice"], "HOME": str(house.folder)}
    known |= {"PATH": os.environ["PATH"], "REENACT_CACHE": str(house.folder / "own-cache")}
    house.counts.reset()
    command = [str(house.server.binary), *words]
    done = subprocess.run(command, env=known, capture_output=True, text=True, timeout=TIME_OUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_we_send_and_what_hf_xet_sends_are_the_same_chunks(house: House) -> None:
    path = house.folder / "ours.bin"
    path.write_bytes(np.random.default_rng(11).bytes(40 * MIB))
    own(house, "push", str(path), "alice/ours")
    assert 40 * MIB < house.counts.n_sent < 41 * MIB
    house.run(PUSH, "alice/ours-again", str(path), "w.bin", home="ours")
    assert house.counts.n_sent < MIB
    folder = house.folder / "back-ours"
    house.run(PULL, "alice/ours", str(folder), "ours.bin", "main", home="pull-ours")
    assert sha256(folder / "ours.bin") == sha256(path)
    theirs = house.folder / "theirs.bin"
    theirs.write_bytes(np.random.default_rng(12).bytes(40 * MIB))
    house.run(PUSH, "alice/theirs", str(theirs), "theirs.bin", home="theirs")
    own(house, "push", str(theirs), "alice/theirs-again")
    assert house.counts.n_sent < MIB
    own(house, "pull", "alice/theirs", str(house.folder / "back-theirs"))
    assert house.counts.n_fetched < 41 * MIB
    assert sha256(house.folder / "back-theirs" / "theirs.bin") == sha256(theirs)


def test_our_second_version_sends_what_changed_and_an_unchanged_one_nothing(house: House) -> None:
    path = house.folder / "version.bin"
    content = bytearray(np.random.default_rng(13).bytes(64 * MIB))
    path.write_bytes(content)
    own(house, "push", str(path), "alice/version")
    for start in range(0, len(content), 8 * MIB):
        content[start : start + 400_000] = np.random.default_rng(start).bytes(400_000)
    path.write_bytes(content)
    own(house, "push", str(path), "alice/version")
    changed = 8 * 400_000
    assert changed < house.counts.n_sent < 1.6 * changed
    own(house, "push", str(path), "alice/version")
    assert house.counts.n_sent < 10_000
    own(house, "pull", "alice/version", str(house.folder / "back-version"))
    assert sha256(house.folder / "back-version" / "version.bin") == sha256(path)


def test_weights_are_sent_and_kept_compressed(house: House) -> None:
    path = house.folder / "weights.bin"
    normal = np.random.default_rng(14).standard_normal(16 * MIB, dtype=np.float32) * np.float32(0.02)
    path.write_bytes((normal.view(np.uint32) >> 16).astype(np.uint16).tobytes())
    before = house.stored_bytes()
    own(house, "push", str(path), "alice/bf16")
    assert house.counts.n_sent < 0.88 * path.stat().st_size
    assert house.stored_bytes() - before < 0.88 * path.stat().st_size
    own(house, "pull", "alice/bf16", str(house.folder / "back-bf16"))
    assert sha256(house.folder / "back-bf16" / "weights.bin") == sha256(path)


def test_all_of_it_is_found_sound(house: House, first: Path) -> None:
    command = [str(house.server.binary), "admin", "fsck", "--data", str(house.server.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_OUT_S, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "0 findings" in done.stderr
