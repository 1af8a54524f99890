"""The Hub's own client in Rust, `hf-hub`, which moves large files in chunks: what people do with it, in a program.

It is in no build of ours, since with it come some 280 crates: `cargo build` in `hf_hub_client` makes it, and
`REENACT_TEST_HF_HUB` says where it is.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from conftest import running

TIME_OUT_S = 300.0


@pytest.mark.parametrize("large_files", ["auto", "in-commit"])
def test_the_client_in_rust_sends_and_fetches(binary: Path, tmp_path: Path, large_files: str) -> None:
    program = os.environ.get("REENACT_TEST_HF_HUB")
    if not program:
        pytest.skip("REENACT_TEST_HF_HUB is not set: the client in Rust was not built")
    with running(binary, tmp_path / "data", "--large-files", large_files) as server:
        known = {
            "HF_ENDPOINT": server.url,
            "HF_TOKEN": server.token("alice"),
            "HF_HOME": str(tmp_path / "home"),
            "HOME": str(tmp_path),
            "PATH": os.environ["PATH"],
        }
        words = [program, "alice", str(tmp_path / "files")]
        done = subprocess.run(words, env=known, capture_output=True, text=True, timeout=TIME_OUT_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
