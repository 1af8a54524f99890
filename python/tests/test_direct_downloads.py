"""Chunks fetched from the S3 store itself, by the unmodified client and by our own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("huggingface_hub")
pytest.importorskip("hf_xet")

from conftest import Running, running  # noqa: E402
from counting_proxy import Counts, counting  # noqa: E402

CONTENT = np.random.default_rng(31).bytes(20_000_000)
TIME_OUT_S = 120.0

PUSH = """
import sys
from huggingface_hub import HfApi
api = HfApi()
api.create_repo("alice/far", private=True)
api.upload_file(path_or_fileobj=sys.argv[1], path_in_repo="w.bin", repo_id="alice/far")
"""
PULL = """
import sys
from huggingface_hub import hf_hub_download
hf_hub_download("alice/far", "w.bin", local_dir=sys.argv[1])
"""


@contextmanager
def s3_store(binary: Path, folder: Path) -> Iterator[str]:
    """A store over a folder, on a free port."""
    program = binary.parent / "examples" / "s3_store"
    if not program.is_file():
        pytest.skip("`cargo build -p store --example s3_store` was not run: there is no S3 store to fetch from")
    with subprocess.Popen([program, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


@dataclass
class House:
    server: Running
    token: str
    by_server: Counts
    by_clients: Counts
    """What went through the store's address that clients are told."""

    folder: Path

    def known(self, home: str) -> dict[str, str]:
        return {
            "HF_ENDPOINT": self.by_server.url,
            "HF_TOKEN": self.token,
            "HF_HOME": str(self.folder / home),
            "REENACT_URL": self.by_server.url,
            "REENACT_TOKEN": self.token,
            "XDG_CACHE_HOME": str(self.folder / home),
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
        }

    def run(self, command: list[str], home: str, **more: str) -> None:
        self.by_server.reset()
        self.by_clients.reset()
        known = self.known(home) | more
        done = subprocess.run(command, env=known, capture_output=True, text=True, timeout=TIME_OUT_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def house(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("clients")
    with s3_store(binary, tmp_path_factory.mktemp("objects")) as store, counting(store) as by_clients:
        known = {
            **os.environ,
            "AWS_ENDPOINT_URL": store,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        flags = ["--storage", "s3://models/deep", "--direct-downloads", by_clients.url]
        with running(binary, tmp_path_factory.mktemp("data"), *flags, environment=known) as server:
            with counting(server.url) as by_server:
                house = House(server, server.token("alice"), by_server, by_clients, folder)
                (folder / "w.bin").write_bytes(CONTENT)
                house.run([sys.executable, "-c", PUSH, str(folder / "w.bin")], "pushing")
                yield house


def test_the_unmodified_client_fetches_from_the_store(house: House) -> None:
    to = house.folder / "theirs"
    house.run([sys.executable, "-c", PULL, str(to)], "theirs-home")
    assert (to / "w.bin").read_bytes() == CONTENT
    assert house.by_clients.n_fetched >= len(CONTENT)
    assert house.by_server.n_fetched < 1_000_000


def test_our_client_fetches_from_the_store(house: House) -> None:
    to = house.folder / "ours"
    house.run([str(house.server.binary), "pull", "alice/far", str(to)], "ours-home")
    assert (to / "w.bin").read_bytes() == CONTENT
    assert house.by_clients.n_fetched >= len(CONTENT)
    assert house.by_server.n_fetched < 1_000_000


def test_plain_downloads_go_through_the_server(house: House) -> None:
    to = house.folder / "plain"
    house.run([sys.executable, "-c", PULL, str(to)], "plain-home", HF_HUB_DISABLE_XET="1")
    assert (to / "w.bin").read_bytes() == CONTENT
    assert house.by_clients.n_fetched < 1_000_000


@pytest.mark.parametrize("flags", [["--direct-downloads", "https://s3.example.org"], ["--direct-downloads", "s3"]])
def test_an_address_that_cannot_be_used_is_refused_at_the_start(binary: Path, tmp_path: Path, flags: list[str]) -> None:
    command = [str(binary), "serve", "--data", str(tmp_path), "--listen", "127.0.0.1:0", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_OUT_S, check=False)
    assert done.returncode != 0 and "`direct_downloads`" in done.stderr
