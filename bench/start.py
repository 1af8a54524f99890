"""How soon a server answers, how much memory it takes when nobody asks, how soon a model is ready."""

from __future__ import annotations

import argparse
import http.client
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import running

REPOSITORY = "bench/digits"
N_STARTS = 7
N_DEPLOYS = 5
SETTLE_S = 3.0
BARS = {"start_s": 0.5, "idle_mb": 80.0, "deploy_s": 1.0, "swap_s": 1.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    machine = running.machine()
    with tempfile.TemporaryDirectory(prefix="reenact-bench-") as name:
        data = Path(name) / "data"
        with running.reenact(data) as server:
            token = server.token("bench")
            _push(server.url, token)
            deploys = [_deploy(server.url, token, from_scratch=True) for _ in range(N_DEPLOYS)]
            swaps = [_deploy(server.url, token, from_scratch=False) for _ in range(N_DEPLOYS)]
            running.ask("DELETE", f"{server.url}/api/v1/endpoints/{REPOSITORY}", token=token)
        starts = [_start(data) for _ in range(N_STARTS)]
        idle_mb = _idle_mb(data)
    figures = {"start_s": starts, "idle_mb": [idle_mb], "deploy_s": deploys, "swap_s": swaps}
    _print(machine, figures)
    running.report({"machine": machine, "figures": figures}, arguments.json)


def _push(url: str, token: str) -> None:
    import reenact as rn
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier

    pixels, classes = load_digits(return_X_y=True)
    forest = RandomForestClassifier(n_estimators=100, random_state=0).fit(pixels, classes)
    rn.push(forest, REPOSITORY, example=pixels[:5], url=url, token=token)


def _deploy(url: str, token: str, *, from_scratch: bool) -> float:
    """Seconds from asking for an endpoint to its being ready, as a client that asks every 5 ms sees it."""
    at = f"{url}/api/v1/endpoints/{REPOSITORY}"
    if from_scratch:
        endpoints = running.ask("GET", f"{url}/api/v1/endpoints", token=token)
        if endpoints.get("items"):
            running.ask("DELETE", at, token=token)
    began = time.monotonic()
    described = running.ask("POST", f"{url}/api/v1/endpoints", {"repository": REPOSITORY}, token=token)
    while described["state"] != "ready":
        if described["state"] == "failed" or time.monotonic() > began + running.START_S:
            raise RuntimeError(f"the endpoint is {described['state']}: {described.get('reason')}")
        time.sleep(0.005)
        described = running.ask("GET", at, token=token)
    return time.monotonic() - began


def _start(data: Path) -> float:
    """Seconds from starting the program to the first 200 of `/healthz`, over a folder that is there already."""
    port = running.free_port()
    command = [str(running.binary()), "serve", "--data", str(data), "--listen", f"127.0.0.1:{port}"]
    began = time.monotonic()
    with running.started(command, data.with_name("start.log")):
        while not _is_healthy(port):
            if time.monotonic() > began + running.START_S:
                raise RuntimeError("the server did not start")
            time.sleep(0.001)
        return time.monotonic() - began


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _idle_mb(data: Path) -> float:
    """Memory of a server that has shown its front page once and then was left alone."""
    with running.reenact(data) as server:
        running.is_ok(server.url)
        time.sleep(SETTLE_S)
        return running.resident_mb(server.pid)


def _print(machine: dict[str, Any], figures: dict[str, list[float]]) -> None:
    print(f"{machine['date']}, {machine['cores']} cores, load average {machine['load_1m']}\n")
    print("| | median | worst | bar | |\n|---|---:|---:|---:|---|")
    titles = {
        "start_s": "start to first answer, s",
        "idle_mb": "memory when idle, MB",
        "deploy_s": "deploy of a stopped endpoint to ready, s",
        "swap_s": "deploy over a running one to ready, s",
    }
    for key, title in titles.items():
        middle, worst = statistics.median(figures[key]), max(figures[key])
        print(f"| {title} | {middle:.3g} | {worst:.3g} | {BARS[key]:g} | {'met' if middle < BARS[key] else 'MISSED'} |")


if __name__ == "__main__":
    main()
