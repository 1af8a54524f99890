"""200 endpoints on one machine, 190 of them asleep: how much memory the server takes, and how soon one of them is awake."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import running

N_ENDPOINTS = 200
N_AWAKE = 10
N_WOKEN = 20
SETTLE_S = 3.0
BARS = {"server_mb": 300.0, "wake_s": 3.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoints", type=int, default=N_ENDPOINTS)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    machine = running.machine()
    with tempfile.TemporaryDirectory(prefix="reenact-bench-") as name:
        with running.reenact(Path(name) / "data", "--idle-after=2s") as server:
            token = server.token("bench")
            rows = _fill(server.url, token, arguments.endpoints)
            names = [f"bench/model-{index}" for index in range(arguments.endpoints)]
            # What is kept awake stays so without being asked.
            for repository in names[:N_AWAKE]:
                at = f"{server.url}/api/v1/endpoints/{repository}"
                running.ask("PATCH", at, {"min_replicas": 1}, token=token)
            _await_sleep(server.url, token, arguments.endpoints - N_AWAKE)
            server_mb = running.resident_mb(server.pid)
            asleep = names[N_AWAKE :: max(1, (len(names) - N_AWAKE) // N_WOKEN)]
            wakes = [_wake(server.url, token, repository, rows) for repository in asleep]
    figures = {"server_mb": [server_mb], "wake_s": wakes}
    for figure, values in figures.items():
        worst = max(values)
        verdict = "met" if worst <= BARS[figure] else "MISSED"
        median = statistics.median(values)
        print(f"{figure}: worst {worst:.3g}, median {median:.3g} of {len(values)}; bar {BARS[figure]:g}: {verdict}")
    running.report({"machine": machine, "endpoints": arguments.endpoints, "figures": figures}, arguments.json)


def _fill(url: str, token: str, n: int) -> list[list[float]]:
    """Pushes and deploys so many models, each a little different; returns rows to ask."""
    import reenact as rn
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier

    pixels, classes = load_digits(return_X_y=True)
    with tempfile.TemporaryDirectory() as name:
        forest = RandomForestClassifier(n_estimators=10, random_state=0).fit(pixels, classes)
        rn.push(forest, "bench/model-0", example=pixels[:5], url=url, token=token)
        files = Path(rn.pull("bench/model-0", Path(name) / "model", url=url, token=token))
        for index in range(1, n):
            (files / "number.txt").write_text(str(index))
            rn.push(files, f"bench/model-{index}", url=url, token=token)
    for index in range(n):
        running.ask("POST", f"{url}/api/v1/endpoints", {"repository": f"bench/model-{index}"}, token=token)
    return pixels[:1].tolist()  # type: ignore[no-any-return]


def _await_sleep(url: str, token: str, n: int) -> None:
    deadline = time.monotonic() + 600
    while True:
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = running.ask("GET", f"{url}/api/v1/endpoints?limit=1000{after}", token=token)
            found += page["items"]
            if not page.get("next"):
                break
            after = f"&after={page['next']}"
        states = [endpoint["state"] for endpoint in found]
        if states.count("idle") >= n and states.count("ready") >= N_AWAKE:
            break
        if time.monotonic() > deadline:
            raise RuntimeError(f"not asleep: {sorted(set(states))}")
        time.sleep(0.5)
    time.sleep(SETTLE_S)


def _wake(url: str, token: str, repository: str, rows: list[list[float]]) -> float:
    """Seconds that the first request takes."""
    at = f"{url}/endpoints/{repository}/v1/models/{repository.split('/')[1]}:predict"
    began = time.monotonic()
    answer = running.ask("POST", at, {"instances": rows}, token=token)
    assert len(answer["predictions"]) == 1, answer
    return time.monotonic() - began


if __name__ == "__main__":
    main()
