"""Earlier versions of the Hub's client, unmodified, each in an environment of its own.

The version that the other tests drive is in their lock. Large files go the way that each version takes by itself.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import environments
import pytest
from conftest import Running, running

SCRIPT = Path(__file__).parent / "hub_client.py"
TIME_OUT_S = 300.0
VERSIONS = {"0.23.0": "huggingface-cli", "0.36.0": "hf", "1.19.0": "hf", "1.33.0": "hf"}
"""Versions, and the command that each has. Before 1.0 large files go by LFS, from then on in chunks."""


@pytest.fixture(scope="module")
def house(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    flags = ("--large-files", "auto", "--large-file", "100000 B")
    with running(binary, tmp_path_factory.mktemp("data"), *flags) as server:
        yield server, server.token("alice")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_earlier_client_sends_and_fetches(house: tuple[Running, str], tmp_path: Path, version: str) -> None:
    server, token = house
    python = environments.fresh(tmp_path, [f"huggingface_hub=={version}"])
    known = {
        "HF_ENDPOINT": server.url,
        "HF_TOKEN": token,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
    }
    repo = f"alice/by-{version.replace('.', '-')}"
    command = python.parent / VERSIONS[version]
    for words in ([str(python), str(SCRIPT), repo, str(tmp_path)], [str(command), "download", repo, "w.bin"]):
        done = subprocess.run(words, env=known, cwd=tmp_path, capture_output=True, text=True, timeout=TIME_OUT_S)
        assert done.returncode == 0, done.stdout + done.stderr
    assert Path(done.stdout.strip().splitlines()[-1]).name == "w.bin"
