"""The environments of models in Python, from what their owner locked: lists with digests, and projects of `uv`.

Environments are real and come from the package index. Invariant: what a stranger's files name beyond the index is
refused, with the line.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import reenact as rn

PROJECT = """
[project]
name = "loans"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["joblib==1.5.*"]

[dependency-groups]
dev = ["threadpoolctl"]

[build-system]
requires = ["no-such-backend-as-this-one"]
"""
HANDLER = """
import importlib.util
import joblib

def predict(a: float) -> str:
    assert importlib.util.find_spec("threadpoolctl") is None
    return joblib.__version__[:3]
"""
LONE = """
version = 1
requires-python = ">=3.11"

[[package]]
name = "loans"
version = "0.1"
source = { virtual = "." }
"""
ELSEWHERE = f"""{LONE}dependencies = [{{ name = "other" }}]

[[package]]
name = "other"
version = "1.0"
"""
REGISTRY = 'source = { registry = "https://pypi.org/simple" }\n'


@pytest.fixture(autouse=True)
def signed_in(server, alice, own_home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REENACT_URL", server.url)
    monkeypatch.setenv("REENACT_TOKEN", alice.token)


def uv() -> str:
    found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    assert found, "the test environment has `uv`"
    return found


def build(binary: Path, root: Path, packages: dict[str, object]) -> subprocess.CompletedProcess[str]:
    wanted = json.dumps({"python": "3.11", "packages": packages})
    command = [str(binary), "build-environment", "--root", str(root)]
    return subprocess.run(command, input=wanted, capture_output=True, text=True, timeout=120, check=False)


def test_a_project_is_installed_as_its_own_lock_says(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "predict.py").write_text(HANDLER)
    subprocess.run([uv(), "lock", "--quiet", "--python", "3.11"], cwd=tmp_path, check=True, timeout=120)
    assert (tmp_path / "uv.lock").is_file()
    rn.push(tmp_path, "alice/project", public=True)
    assert list(rn.deploy("alice/project").predict([[1.0]])) == ["1.5"]


def test_a_project_locked_twice_alike_is_one_environment_and_changed_is_another(binary: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    subprocess.run([uv(), "lock", "--quiet", "--python", "3.11"], cwd=tmp_path, check=True, timeout=120)
    lock = (tmp_path / "uv.lock").read_text()
    project = {"kind": "project", "text": {"pyproject": PROJECT, "lock": lock}}
    made = [build(binary, tmp_path / "root", project) for _ in range(2)]
    assert made[0].returncode == 0, made[0].stderr
    assert made[0].stdout == made[1].stdout
    older = lock.replace('version = "1.5.', 'version = "1.4.')
    other = build(binary, tmp_path / "root", {"kind": "project", "text": {"pyproject": PROJECT, "lock": older}})
    assert other.stdout != made[0].stdout


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('source = { url = "https://evil.example/other-1.0-py3-none-any.whl" }\n'
         'wheels = [{ url = "https://evil.example/other-1.0-py3-none-any.whl", hash = "sha256:' + "0" * 64 + '" }]\n',
         "is not taken from the package index"),
        ('source = { git = "https://evil.example/other?rev=1#' + "0" * 40 + '" }\n',
         "is not taken from the package index"),
        ('source = { editable = "../other" }\n', "`-e` is an option"),
        (REGISTRY +
         'wheels = [{ url = "https://files.pythonhosted.org/other-1.0-py3-none-any.whl" }]\n',
         "comes without digests"),
    ],
    ids=["address", "git", "folder", "no digest"],
)  # fmt: skip
def test_what_a_lock_takes_from_elsewhere_is_refused(binary: Path, tmp_path: Path, source: str, words: str) -> None:
    project = {"pyproject": PROJECT, "lock": ELSEWHERE + source}
    built = build(binary, tmp_path / "root", {"kind": "project", "text": project})
    assert built.returncode != 0 and words in built.stderr, built.stderr
    assert not [path for path in (tmp_path / "root").iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    ("pyproject", "lock", "words"),
    [
        (PROJECT, "not a lock", "uv.lock"),
        ("[tool.uv]\n", "version = 1\n", "it has no table `[project]`"),
        (PROJECT.replace(">=3.11", ">=3.99"), LONE.replace(">=3.11", ">=3.99"), "Python requirement: `>=3.99`"),
    ],
    ids=["no lock", "no project", "another python"],
)
def test_a_project_that_cannot_be_read_says_why(
    binary: Path, tmp_path: Path, pyproject: str, lock: str, words: str
) -> None:
    project = {"kind": "project", "text": {"pyproject": pyproject, "lock": lock}}
    built = build(binary, tmp_path / "root", project)
    assert built.returncode != 0 and words in built.stderr, built.stderr


def test_a_lock_of_wheels_for_another_python_is_the_reason_on_the_page(tmp_path: Path) -> None:
    lock = "numpy==1.19.0 \\\n    --hash=sha256:" + "0" * 64 + "\n"
    (tmp_path / "predict.py").write_text("def predict(a: float) -> float:\n    return a\n")
    (tmp_path / "requirements.lock").write_text(lock)
    rn.push(tmp_path, "alice/old-wheel", public=True)
    with pytest.raises(rn.EndpointError, match="numpy==1.19.0 has no usable wheels"):
        rn.deploy("alice/old-wheel")
