"""A scikit-learn pipeline that stays Python, asked of Reenact and of its peers; and how soon such a model is there.

The pipeline is pushed with `convert=False`, so that Reenact runs it in a confined worker of its own. What counts are
the ratios within a round. A peer that cannot be started is named as skipped.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import running
import sides as sides_
from sides import Bar, Side

HERE = Path(__file__).parent
REPOSITORY, SECOND, ECHO = "bench/pipeline", "bench/second", "bench/echo"
N_ROWS = 512
CONNECTIONS = (1, 16)
N_STARTS = 5

OURS, FASTAPI, MLFLOW, BENTO = "Reenact, Python", "FastAPI, in process", "mlflow models serve", "bentoml serve"
BARS: list[Bar] = [(OURS, FASTAPI, {16: 1.5}), (OURS, BENTO, {16: 3}), (OURS, MLFLOW, {16: 3})]
REUSE_BAR_S = 2.0
COLD_BAR = 1.3
HOP_BAR_US = 60
ECHO_CODE = "def predict(a: float) -> float:\n    return a\n"


@dataclass(frozen=True)
class Task:
    """The pipeline as a file, the requests, and the right answers."""

    folder: Path
    pipeline: Path
    rows: Path
    labels: list[int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="reenact-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        server = stack.enter_context(running.reenact(folder / "data"))
        token = server.token("bench")
        task, reuse_s = _prepare(folder, server.url, token)
        url = f"{server.url}/endpoints/{REPOSITORY}/invocations"
        asked, skipped = [Side(OURS, url, task.rows, _first, token)], []
        for start in (_fastapi, _bento, _mlflow):
            try:
                asked.append(start(stack, task))
            except RuntimeError as error:
                skipped.append(str(error))
        for side in asked:
            _check(side, task)
        before = running.machine()
        for _ in range(arguments.rounds):
            for n_connections in CONNECTIONS:
                for side in asked:
                    result = sides_.drive(side, n_connections, arguments.seconds)
                    side.samples.setdefault(n_connections, []).append(result)
        try:
            hop = _hop(stack, folder, (server, token), (arguments.rounds, arguments.seconds))
        except RuntimeError as error:
            hop = {}
            skipped.append(str(error))
        cold = _cold_starts(server, token)
    machine = {**before, "load_1m_after": running.machine()["load_1m"]}
    results = {"machine": machine, "skipped": skipped, **sides_.results(asked, CONNECTIONS, BARS)}
    results |= {"reuse_s": reuse_s, "cold": cold, "hop": hop}
    sides_.show(results)
    _print_starts(results)
    running.report(results, arguments.json)


def _prepare(folder: Path, url: str, token: str) -> tuple[Task, float]:
    import joblib
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    import reenact as rn

    pixels, classes = load_digits(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    pipeline.fit(pixels[:-N_ROWS], classes[:-N_ROWS])
    rows = pixels[-N_ROWS:]
    for name in (REPOSITORY, SECOND):
        rn.push(pipeline, name, example=pixels[:5], convert=False, url=url, token=token)
    rn.deploy(REPOSITORY, url=url, token=token, timeout_s=900)
    began = time.monotonic()
    rn.deploy(SECOND, url=url, token=token)
    reuse_s = time.monotonic() - began
    task = Task(folder, folder / "pipeline.joblib", folder / "rows.jsonl", pipeline.predict(rows).tolist())
    joblib.dump(pipeline, task.pipeline)
    task.rows.write_text("".join(json.dumps({"inputs": [row.tolist()]}) + "\n" for row in rows))
    return task, reuse_s


def _fastapi(stack: ExitStack, task: Task) -> Side:
    port = running.free_port()
    command = [sys.executable, "-m", "uvicorn", "fastapi_sklearn:app", "--app-dir", str(HERE / "peers")]
    command += ["--port", str(port), "--no-access-log"]
    url = f"http://127.0.0.1:{port}"
    stack.enter_context(running.peer(command, task.folder / "fastapi.log", f"{url}/ready", MODEL=str(task.pipeline)))
    return Side(FASTAPI, f"{url}/predict", task.rows, _first)


def _bento(stack: ExitStack, task: Task) -> Side:
    port = running.free_port()
    command = [sys.executable, "-m", "bentoml", "serve", "bento_service:Digits", "--port", str(port)]
    command += ["--working-dir", str(HERE / "peers")]
    url = f"http://127.0.0.1:{port}"
    stack.enter_context(running.peer(command, task.folder / "bento.log", f"{url}/readyz", MODEL=str(task.pipeline)))
    return Side(BENTO, f"{url}/predict", task.rows, _first)


def _mlflow(stack: ExitStack, task: Task) -> Side:
    model = task.folder / "mlflow"
    made = subprocess.run(
        [sys.executable, str(HERE / "peers" / "mlflow_model.py"), str(task.pipeline), str(model)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if made.returncode != 0:
        raise RuntimeError(f"{MLFLOW}: {made.stderr.strip().splitlines()[-1]}")
    port = running.free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
    command += ["--port", str(port), "--workers", "1"]
    url = f"http://127.0.0.1:{port}"
    bin_first = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    stack.enter_context(running.peer(command, task.folder / "mlflow.log", f"{url}/ping", PATH=bin_first))
    return Side(MLFLOW, f"{url}/invocations", task.rows, _first)


def _first(answer: Any) -> int:
    return int(answer["predictions"][0])


def _check(side: Side, task: Task) -> None:
    """A server that answers wrongly is not measured."""
    bodies = task.rows.read_text().splitlines()
    for place in range(0, N_ROWS, 64):
        answer = running.ask("POST", side.url, json.loads(bodies[place]), token=side.token)
        if _first(answer) != task.labels[place]:
            sys.exit(f"{side.name}: row {place} was answered {answer}, {task.labels[place]} is right")


def _hop(
    stack: ExitStack, folder: Path, at: tuple[running.Reenact, str], times: tuple[int, int]
) -> dict[str, float]:
    """Microseconds at p50 on one connection: of a handler that gives back what it got, and of HTTP and JSON alone.

    What is between the two is the gateway with its rights, queue and schema, and the way to the worker and back. With
    all of it on one core, nobody waits for a core that slept to be woken, which can take longer than the rest.
    """
    import reenact as rn

    server, token = at
    url = server.url
    echo = folder / "echo"
    echo.mkdir()
    (echo / "predict.py").write_text(ECHO_CODE)
    rn.push(echo, ECHO, url=url, token=token)
    rn.deploy(ECHO, url=url, token=token)
    body = {"inputs": [{"name": "a", "datatype": "FP64", "shape": [1], "data": [1.5]}]}
    bodies = folder / "echo.jsonl"
    bodies.write_text(json.dumps(body) + "\n")
    command, bare = running.bare_axum(folder)
    axum = stack.enter_context(running.peer(command, folder / "axum.log", f"{bare}/ready"))
    model = ECHO.partition("/")[2]
    ours = Side("echo", f"{url}/endpoints/{ECHO}/v2/models/{model}/infer", bodies, None, token)
    if running.ask("POST", ours.url, body, token=token)["outputs"][0]["data"] != [1.5]:
        sys.exit("the handler that gives back what it got gave something else")
    theirs = Side("bare", f"{bare}/predict", bodies, None)
    n_rounds, n_seconds = times
    ask = lambda side: sides_.drive(side, 1, n_seconds)["p50_ms"] * 1e3  # noqa: E731
    rounds = [(ask(ours), ask(theirs)) for _ in range(n_rounds)]
    with running.on_one_core([server.pid, axum]):
        on_one = [(ask(ours), ask(theirs)) for _ in range(n_rounds)]
    return _medians(rounds, "") | _medians(on_one, "one_core_")


def _medians(rounds: list[tuple[float, float]], prefix: str) -> dict[str, float]:
    return {
        f"{prefix}ours_us": statistics.median(one for one, _ in rounds),
        f"{prefix}bare_us": statistics.median(other for _, other in rounds),
        f"{prefix}hop_us": statistics.median(one - other for one, other in rounds),
    }


def _cold_starts(server: running.Reenact, token: str) -> dict[str, float]:
    """Seconds from a deploy of a stopped endpoint to its being ready, and those of importing scikit-learn alone.

    Both in the environment that the model runs in: another has other versions, or is not compiled.
    """
    url = server.url
    # The handler that gives back what it got has an environment of its own.
    (sklearn,) = (server.data / "environments").glob("*/lib/python*/site-packages/sklearn")
    python = sklearn.parents[3] / "bin" / "python"
    at = f"{url}/api/v1/endpoints/{REPOSITORY}"
    ours, imports = [], []
    for _ in range(N_STARTS):
        running.ask("DELETE", at, token=token)
        began = time.monotonic()
        described = running.ask("POST", f"{url}/api/v1/endpoints", {"repository": REPOSITORY}, token=token)
        while described["state"] != "ready":
            time.sleep(0.005)
            described = running.ask("GET", at, token=token)
        ours.append(time.monotonic() - began)
        began = time.monotonic()
        subprocess.run([str(python), "-c", "import sklearn.linear_model, sklearn.pipeline"], check=True)
        imports.append(time.monotonic() - began)
    return {"ours_s": statistics.median(ours), "import_s": statistics.median(imports)}


def _print_starts(results: dict[str, Any]) -> None:
    cold, reuse_s = results["cold"], results["reuse_s"]
    ratio = cold["ours_s"] / cold["import_s"]
    if hop := results["hop"]:
        print("\n| on one connection | p50, us | all on one core | bar | |\n|---|---:|---:|---:|---|")
        print(f"| a handler that gives back what it got | {hop['ours_us']:.0f} | {hop['one_core_ours_us']:.0f} | | |")
        print(f"| bare axum | {hop['bare_us']:.0f} | {hop['one_core_bare_us']:.0f} | | |")
        met = _verdict(hop["hop_us"] <= HOP_BAR_US)
        one = f"{hop['hop_us']:.0f} | {hop['one_core_hop_us']:.0f}"
        print(f"| gateway and process hop | {one} | {HOP_BAR_US} | {met} |")
    print("\n| | s | bar | |\n|---|---:|---:|---|")
    print(f"| a second model with the same lock | {reuse_s:.2f} | {REUSE_BAR_S} | {_verdict(reuse_s <= REUSE_BAR_S)} |")
    print(
        f"| cold start | {cold['ours_s']:.2f} | {COLD_BAR} x of {cold['import_s']:.2f} | {_verdict(ratio <= COLD_BAR)} |"
    )


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


if __name__ == "__main__":
    main()
