"""`reenact.log`: what a script gives to the recording that it runs in, and that it gives nothing to anybody else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import reenact as rn


def test_values_reach_the_capsule_to_the_last_digit(binary: Path, tmp_path: Path) -> None:
    script = "import reenact as rn\nfor n in range(3): rn.log(step=n, loss=1 / (n + 3))\n"
    (tmp_path / "train.py").write_text(script)
    package = str(Path(rn.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": package, "REENACT_HOME": str(tmp_path / "home")}
    command = [str(binary), "record", "-o", "a", "--", sys.executable, "train.py"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    metrics = json.loads((tmp_path / "a/capsule.json").read_text())["metrics"]
    assert metrics == {"loss": [1 / 3, 1 / 4, 1 / 5], "step": [0, 1, 2]}


def test_outside_of_a_recording_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REENACT_RUN_LINES", raising=False)
    monkeypatch.chdir(tmp_path)
    rn.log(loss=0.5)
    assert not list(tmp_path.iterdir())


def test_what_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REENACT_RUN_LINES", str(tmp_path / "lines"))
    with pytest.raises(ValueError):
        rn.log(loss="small")  # type: ignore[arg-type]
    assert not (tmp_path / "lines").exists()
