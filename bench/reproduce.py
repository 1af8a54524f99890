"""What recording and replaying cost, how fast two runs are compared, and whether every example comes out the same again.

A training in NumPy of some seconds is run natively, recorded and replayed, one after the other in each round; what
counts are the ratios within a round. Each example is recorded once and replayed twice. Invariant: a replay of the training
that is not bitwise the same is an error, however fast it was; one of an example is counted and named.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import running

TRAINING_BAR, START_BAR_S, CALL_BAR_US, VERIFY_BAR_GB_S, VERIFY_BAR_MIB = 1.03, 0.3, 2.0, 1.0, 200
N_CALLS = 20_000
TENSOR_BYTES, N_TENSORS = 2**26, 16
EXAMPLES = Path(__file__).parent.parent / "examples" / "reproduce"
LOG_BAR_BYTES, N_REPLAYS = 100_000, 2
TRAINING = """
import numpy as np
rng = np.random.default_rng()
x, y = rng.normal(size=(4096, 256)), rng.integers(0, 10, 4096)
first, second = rng.normal(size=(256, 512)) / 16, rng.normal(size=(512, 10)) / 22
for epoch in range(EPOCHS):
    total = 0.0
    for batch in rng.permutation(4096).reshape(-1, 128):
        hidden = np.maximum(x[batch] @ first, 0)
        logits = hidden @ second
        shares = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        total -= np.log(shares[np.arange(128), y[batch]] + 1e-12).sum()
        shares[np.arange(128), y[batch]] -= 1
        back = shares @ second.T * (hidden > 0)
        second -= 0.001 * hidden.T @ shares
        first -= 0.001 * x[batch].T @ back
    print(f"loss={total / 4096}")
np.savez("weights.npz", first=first, second=second)
"""
CALLS = f"""
import os, time
os.urandom(8)
began = time.perf_counter()
for _ in range({N_CALLS}):
    os.urandom(8)
print((time.perf_counter() - began) / {N_CALLS} * 1e6)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=140, help="of the training, which should take more than 5 s")
    parser.add_argument("--python", default=sys.executable, help="one that has NumPy")
    parser.add_argument("--examples-python", metavar="PYTHON", help="one that has what the examples train with; none are run without")
    parser.add_argument("--torch-python", metavar="PYTHON", help="one that has PyTorch; those examples are left out without")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reenact-bench-") as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = os.environ["REENACT_HOME"] = str(folder / "home")
        before = running.machine()
        results: dict[str, Any] = {
            "training": _sides(folder / "training", arguments, TRAINING.replace("EPOCHS", str(arguments.epochs)), _seconds),
            "start": _sides(folder / "start", arguments, "pass", _seconds),
            "call_us": _sides(folder / "calls", arguments, CALLS, _printed),
            "verify": _verify(folder / "verify"),
            "examples": _examples(folder / "examples", arguments),
        }
        results["machine"] = {"before": before, "after": running.machine()}
    _print(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


Measure = Callable[[list[str], Path], float]


def _sides(folder: Path, arguments: argparse.Namespace, script: str, measure: Measure) -> dict[str, list[float]]:
    """What is measured of each run, natively, recorded and replayed."""
    folder.mkdir()
    (folder / "script.py").write_text(script)
    ours, command = str(running.binary()), [arguments.python, "script.py"]
    measured: dict[str, list[float]] = {"native": [], "record": [], "replay": []}
    for n in range(arguments.rounds):
        sides = {
            "native": command,
            "record": [ours, "record", "-o", f"run-{n}", "--", *command],
            "replay": [ours, "replay", f"run-{n}", "-o", f"again-{n}"],
        }
        for side, words in sides.items():
            measured[side].append(measure(words, folder))
    return measured


def _seconds(words: list[str], folder: Path) -> float:
    began = time.monotonic()
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def _printed(words: list[str], folder: Path) -> float:
    """The number that a run prints first. It may differ in a replay, which then does not end well."""
    run = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    return float(run.stdout.split()[0])


def _examples(folder: Path, arguments: argparse.Namespace) -> dict[str, dict[str, int]]:
    """Of each example the bytes of its logs, and how many replays were bitwise the same."""
    found: dict[str, dict[str, int]] = {}
    # Threads of libraries that wait by turning tell nothing here.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for script in sorted(EXAMPLES.glob("*.py")):
        python = arguments.torch_python if script.name.startswith("torch_") else arguments.examples_python
        if python is None:
            continue
        place = folder / script.stem
        place.mkdir(parents=True)
        shutil.copy(script, place)
        ours = str(running.binary())
        record = [ours, "record", "-o", "first", "--", python, script.name]
        subprocess.run(record, cwd=place, env=environment, check=True, capture_output=True)
        replays = [[ours, "replay", "first", "-o", f"again-{n}"] for n in range(N_REPLAYS)]
        ended = [subprocess.run(words, cwd=place, env=environment, capture_output=True).returncode for words in replays]
        n_bytes = sum(log.stat().st_size for log in (place / "first" / "entropy").iterdir())
        found[script.name] = {"log_bytes": n_bytes, "n_bitwise": ended.count(0)}
    return found


def _verify(folder: Path) -> dict[str, float]:
    """Gigabytes of one of two equal files that are compared in a second, and the memory that takes."""
    places = [folder / name / "model.safetensors" for name in ("a", "b")]
    tensors = {
        f"layer.{n}": {"dtype": "F32", "shape": [TENSOR_BYTES // 4], "data_offsets": [n * TENSOR_BYTES, (n + 1) * TENSOR_BYTES]}
        for n in range(N_TENSORS)
    }
    header = json.dumps(tensors).encode()
    header += b" " * (-len(header) % 8)
    block = os.urandom(TENSOR_BYTES)
    for place in places:
        place.parent.mkdir(parents=True)
        with place.open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            for _ in range(N_TENSORS):
                file.write(block)
    words = [str(running.binary()), "verify", "a", "b"]
    # Once before it counts, so that both files lie in memory as far as they can.
    seconds = [_seconds(words, folder) for _ in range(4)][1:]
    return {"gb_s": N_TENSORS * TENSOR_BYTES / 1e9 / statistics.median(seconds), "mib": _mib(words, folder)}


def _mib(words: list[str], folder: Path) -> float:
    """The most memory that a command holds: asked of a process of its own, which starts nothing else."""
    code = "import resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\nprint(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    run = subprocess.run([sys.executable, "-c", code, *words], cwd=folder, capture_output=True, text=True, check=True)
    return int(run.stdout) / 1024


def _print(results: dict[str, Any]) -> None:
    training, start, calls = results["training"], results["start"], results["call_us"]
    print("| training | s | to native | bar | |\n|---|---:|---:|---:|---|")
    for side in ("native", "record", "replay"):
        ratio = statistics.median(ours / native for ours, native in zip(training[side], training["native"]))
        bar, met = ("", "") if side == "native" else (f"{TRAINING_BAR}", _verdict(ratio <= TRAINING_BAR))
        print(f"| {side} | {statistics.median(training[side]):.2f} | {ratio:.3f} | {bar} | {met} |")
    print("\n| more than native | | bar | |\n|---|---:|---:|---|")
    for side in ("record", "replay"):
        more = statistics.median(ours - native for ours, native in zip(start[side], start["native"]))
        print(f"| {side}: start of an empty program | {more:.3f} s | {START_BAR_S} | {_verdict(more <= START_BAR_S)} |")
        more = statistics.median(ours - native for ours, native in zip(calls[side], calls["native"]))
        print(f"| {side}: one draw | {more:.2f} us | {CALL_BAR_US} | {_verdict(more <= CALL_BAR_US)} |")
    verify = results["verify"]
    print(f"| verify: two files of 1 GiB | {verify['gb_s']:.2f} GB/s | {VERIFY_BAR_GB_S} | {_verdict(verify['gb_s'] >= VERIFY_BAR_GB_S)} |")
    print(f"| verify: memory | {verify['mib']:.0f} MiB | {VERIFY_BAR_MIB} | {_verdict(verify['mib'] <= VERIFY_BAR_MIB)} |")
    if results["examples"]:
        print(f"\n| example | bitwise of {N_REPLAYS} replays | log, bytes | bar | |\n|---|---:|---:|---:|---|")
    for name, example in results["examples"].items():
        is_met = example["n_bitwise"] == N_REPLAYS and example["log_bytes"] < LOG_BAR_BYTES
        print(f"| {name} | {example['n_bitwise']} | {example['log_bytes']:,} | {LOG_BAR_BYTES:,} | {_verdict(is_met)} |")


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


if __name__ == "__main__":
    main()
