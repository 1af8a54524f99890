"""The user's guide, run as it stands: every `sh` and `python` block of its pages, in order, against a real server.

Knows nothing of what the blocks do. Invariant: a command that the guide shows and that fails, fails this test.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN_ADDRESS = "http://127.0.0.1:8484"


@pytest.mark.parametrize("page", ["guide.md", "share-a-model.md", "clients.md"])
def test_every_command_of_the_guide_runs(fresh_server, tmp_path, monkeypatch, page):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reenact-data").symlink_to(fresh_server.data)
    monkeypatch.setenv("REENACT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    binary_folder = tmp_path / "bin"
    binary_folder.mkdir()
    (binary_folder / "reenact").symlink_to(os.environ["REENACT_BINARY"])
    monkeypatch.setenv("PATH", f"{binary_folder}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    names: dict[str, object] = {}
    guide = DOCS / page
    blocks = BLOCK.findall(guide.read_text(encoding="utf-8"))
    assert len(blocks) > 8
    for language, text in blocks:
        text = text.replace(SHOWN_ADDRESS, fresh_server.url)
        if language == "python":
            exec(compile(text, str(guide), "exec"), names)
        else:
            run_shell(text, monkeypatch)


def run_shell(text: str, monkeypatch) -> None:
    """Runs a block in bash and keeps what it exported, as a terminal would."""
    script = f"set -euo pipefail\n{text}\nenv -0 > .environment"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    for line in Path(".environment").read_text(encoding="utf-8").split("\0"):
        name, _, value = line.partition("=")
        if name and name not in {"_", "SHLVL", "PWD", "OLDPWD"}:
            monkeypatch.setenv(name, value)
