"""Single rows to a random forest, asked of Reenact and of its peers in one run on one machine.

The forest is trained on scikit-learn's digits and pushed from Python as a user would; each request is one of 512
different rows as JSON. What counts are the ratios: each round measures all servers one after the other, a ratio is
taken within a round, and its median over the rounds is the result. A peer that cannot be started is named as skipped.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import running
import sides as sides_
from sides import Bar, Side

HERE = Path(__file__).parent
REPOSITORY = "bench/digits"
N_ROWS = 512
CONNECTIONS = (16, 64)

V2, INVOCATIONS = "Reenact, V2", "Reenact, invocations"
AXUM, ONE, TWO, MLFLOW = "bare axum, one thread", "FastAPI, one worker", "FastAPI, two workers", "mlflow models serve"
# MLflow's own protocol is held against MLflow.
BARS: list[Bar] = [
    (V2, MLFLOW, {16: 20, 64: 20}),
    (INVOCATIONS, MLFLOW, {16: 20, 64: 20}),
    (V2, ONE, {16: 4, 64: 4}),
    (V2, TWO, {16: 2.5, 64: 2.5}),
    (V2, AXUM, {16: 0.3, 64: 0.4}),
]


@dataclass(frozen=True)
class Task:
    """What all are asked: the forest in each one's form, and the requests."""

    folder: Path
    forest: Path
    onnx: Path
    v2_rows: Path
    plain_rows: Path
    labels: list[int]


def main() -> None:
    arguments = _arguments()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="reenact-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        server = stack.enter_context(running.reenact(folder / "data"))
        token = server.token("bench")
        task = _prepare(folder, server.url, token)
        sides, skipped = _ours(server.url, token, task), []
        for start in (_fastapi(1, ONE), _fastapi(2, TWO), _mlflow, _axum):
            try:
                sides.append(start(stack, task))
            except _Missing as missing:
                skipped.append(str(missing))
        sides = [side for side in sides if not arguments.only or any(word in side.name for word in arguments.only)]
        for side in sides:
            _check(side, task)
        before = running.machine()
        for _ in range(arguments.rounds):
            for n_connections in CONNECTIONS:
                for side in sides:
                    result = sides_.drive(side, n_connections, arguments.seconds)
                    side.samples.setdefault(n_connections, []).append(result)
    after = running.machine()
    machine = {**before, "load_1m_after": after["load_1m"]}
    results = {"machine": machine, "skipped": skipped, **sides_.results(sides, CONNECTIONS, BARS)}
    sides_.show(results)
    running.report(results, arguments.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--only", action="append", metavar="WORD", help="servers whose name has this word; may repeat")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


class _Missing(Exception):
    """A peer that this machine does not have."""


def _prepare(folder: Path, url: str, token: str) -> Task:
    import joblib
    import reenact as rn
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier

    pixels, classes = load_digits(return_X_y=True)
    # All but the last 512 rows to learn from; those are asked.
    forest = RandomForestClassifier(n_estimators=100, random_state=0, n_jobs=1)
    forest.fit(pixels[:-N_ROWS], classes[:-N_ROWS])
    rows = pixels[-N_ROWS:]
    rn.push(forest, REPOSITORY, example=pixels[:5], url=url, token=token)
    rn.deploy(REPOSITORY, url=url, token=token)
    task = Task(
        folder,
        folder / "forest.joblib",
        folder / "forest.onnx",
        folder / "v2.jsonl",
        folder / "plain.jsonl",
        [int(label) for label in forest.predict(rows)],
    )
    joblib.dump(forest, task.forest)
    task.onnx.write_bytes(_fetch(f"{url}/{REPOSITORY}/resolve/main/model.onnx", token))
    described = running.ask("GET", f"{url}/endpoints/{REPOSITORY}/v2/models/digits", token=token)
    tensor = {"name": described["inputs"][0]["name"], "shape": [1, 64], "datatype": "FP32"}
    v2 = [{"inputs": [{**tensor, "data": row.tolist()}]} for row in rows]
    plain = [{"inputs": [row.tolist()]} for row in rows]
    task.v2_rows.write_text("".join(json.dumps(body) + "\n" for body in v2))
    task.plain_rows.write_text("".join(json.dumps(body) + "\n" for body in plain))
    return task


def _fetch(url: str, token: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def _ours(url: str, token: str, task: Task) -> list[Side]:
    at = f"{url}/endpoints/{REPOSITORY}"
    return [
        Side(V2, f"{at}/v2/models/digits/infer", task.v2_rows, _first_output, token),
        Side(INVOCATIONS, f"{at}/invocations", task.plain_rows, _first_prediction, token),
    ]


def _fastapi(n_workers: int, name: str) -> Callable[[ExitStack, Task], Side]:
    def start(stack: ExitStack, task: Task) -> Side:
        port = running.free_port()
        command = [sys.executable, "-m", "uvicorn", "fastapi_app:app", "--app-dir", str(HERE / "peers")]
        command += ["--port", str(port), "--workers", str(n_workers), "--no-access-log"]
        url = f"http://127.0.0.1:{port}"
        log = task.folder / f"fastapi-{n_workers}.log"
        stack.enter_context(running.peer(command, log, f"{url}/ready", MODEL=str(task.onnx)))
        return Side(name, f"{url}/predict", task.v2_rows, _first_output)

    return start


def _mlflow(stack: ExitStack, task: Task) -> Side:
    model = task.folder / "mlflow"
    made = subprocess.run(
        [sys.executable, str(HERE / "peers" / "mlflow_model.py"), str(task.forest), str(model)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if made.returncode != 0:
        raise _Missing(f"{MLFLOW}: {made.stderr.strip().splitlines()[-1]}")
    port = running.free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
    command += ["--port", str(port), "--workers", "1"]
    url = f"http://127.0.0.1:{port}"
    bin_first = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    try:
        stack.enter_context(running.peer(command, task.folder / "mlflow.log", f"{url}/ping", PATH=bin_first))
    except RuntimeError as error:
        raise _Missing(f"{MLFLOW}: {error}") from error
    return Side(MLFLOW, f"{url}/invocations", task.plain_rows, _first_prediction)


def _axum(stack: ExitStack, task: Task) -> Side:
    try:
        command, url = running.bare_axum(task.folder)
    except RuntimeError as error:
        raise _Missing(str(error)) from error
    stack.enter_context(running.peer(command, task.folder / "axum.log", f"{url}/ready"))
    return Side(AXUM, f"{url}/predict", task.v2_rows, None)


def _first_output(answer: Any) -> int:
    return int(answer["outputs"][0]["data"][0])


def _first_prediction(answer: Any) -> int:
    first = answer["predictions"][0]
    return int(first["label"] if isinstance(first, dict) else first)


def _check(side: Side, task: Task) -> None:
    """A server that answers wrongly is not measured."""
    bodies = side.bodies.read_text().splitlines()
    for place in range(0, N_ROWS, 64):
        answer = running.ask("POST", side.url, json.loads(bodies[place]), token=side.token)
        if side.first_label is not None and side.first_label(answer) != task.labels[place]:
            sys.exit(f"{side.name}: row {place} was answered {answer}, {task.labels[place]} is right")


if __name__ == "__main__":
    main()
