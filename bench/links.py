"""How long one of 10,000 review links takes to be looked up: the first time, and again.

Starts a server of its own, pushes one small model, makes the links over the API and asks each at
`/r/LINK/v2/models/model/ready`, which lets a link in and does nothing else. Lookups are timed on one connection, in an
order that is shuffled with a fixed seed. Fails where p99 is not below the bar of 5 ms.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import running

MODEL = Path(__file__).parents[1] / "crates/runtime/tests/fixtures/logistic.onnx"
NAME = "alice/linked"
BAR_MS = 5.0
N_MAKERS = 8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--links", type=int, default=10_000)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    given = parser.parse_args()
    # Nobody makes so many links in a minute but a measurement.
    unlimited = "--making-rate=0"
    with tempfile.TemporaryDirectory() as folder, running.reenact(Path(folder) / "data", unlimited) as server:
        figures = measured(server, given.links)
    text = json.dumps(figures, indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")
    return 0 if max(figures["first_p99_ms"], figures["again_p99_ms"]) < BAR_MS else 1


def measured(server: running.Reenact, n_links: int) -> dict[str, float]:
    token = server.token("alice")
    push = [str(running.binary()), "push", str(MODEL), NAME, "--url", server.url, "--token", token]
    subprocess.run(push, check=True, capture_output=True)
    began = time.perf_counter()
    links = made(server.url, token, n_links)
    made_s = time.perf_counter() - began
    random.Random(0).shuffle(links)
    first, again = looked_up(server.url, links), looked_up(server.url, links)
    return {
        "links": n_links,
        "made_per_s": round(n_links / made_s),
        **{f"first_{name}": value for name, value in first.items()},
        **{f"again_{name}": value for name, value in again.items()},
        "bar_p99_ms": BAR_MS,
    }


def made(url: str, token: str, n_links: int) -> list[str]:
    """The paths of that many links."""

    def some(count: int) -> list[str]:
        connection, paths = http.client.HTTPConnection(urlsplit(url).netloc), []
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        for _ in range(count):
            connection.request("POST", f"/api/v1/models/{NAME}/links", b"{}", headers)
            paths.append(urlsplit(json.loads(connection.getresponse().read())["url"]).path)
        return paths

    n_each, rest = divmod(n_links, N_MAKERS)
    with ThreadPoolExecutor(N_MAKERS) as pool:
        parts = pool.map(some, [n_each + (i < rest) for i in range(N_MAKERS)])
        return [path for part in parts for path in part]


def looked_up(url: str, links: list[str]) -> dict[str, float]:
    """Milliseconds that half and 99 in 100 of the links took at most, asked one after the other."""
    connection, took = http.client.HTTPConnection(urlsplit(url).netloc), []
    for path in links:
        began = time.perf_counter()
        connection.request("GET", f"{path}/v2/models/model/ready")
        response = connection.getresponse()
        response.read()
        took.append(time.perf_counter() - began)
        if response.status != 200:
            sys.exit(f"a link answered {response.status}")
    took.sort()
    return {f"p{p}_ms": round(1000 * took[len(took) * p // 100], 3) for p in (50, 99)}


if __name__ == "__main__":
    sys.exit(main())
