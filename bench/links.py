"""How long one of 10,000 review links takes to be looked up: the first time, and again.

Starts a server of its own, pushes one small model, makes the links over the API and asks each at
`/r/LINK/v2/models/model/ready`, which lets a link in and does nothing else. Lookups are timed on one
connection, in an order that is shuffled with a fixed seed. Prints one JSON document. The bar is p99 under 5 ms.

    python bench/links.py --binary target/release/reenact
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

ADDRESS = re.compile(r"https?://[\w.\-\[\]:]+:\d+")
MODEL = Path(__file__).parents[1] / "crates/runtime/tests/fixtures/logistic.onnx"
BAR_MS = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/reenact")
    parser.add_argument("--links", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measured(str(Path(given.binary).resolve()), folder, given.links)
    print(json.dumps(report, indent=2))
    return 0 if max(report["first_p99_ms"], report["again_p99_ms"]) < BAR_MS else 1


def measured(binary: str, folder: str, n_links: int) -> dict:
    token = run(binary, "admin", "user", "add", "alice", "--data", folder)
    command = [binary, "serve", "--data", folder, "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = next(found[0] for line in server.stdout if (found := ADDRESS.findall(line)))
        run(binary, "push", str(MODEL), "alice/linked", "--url", url, "--token", token)
        began = time.perf_counter()
        links = made(url, token, n_links)
        made_s = time.perf_counter() - began
        random.Random(0).shuffle(links)
        first, again = looked_up(url, links), looked_up(url, links)
    finally:
        server.terminate()
        server.wait()
    return {
        "links": n_links,
        "made_per_s": round(n_links / made_s),
        **{f"first_{name}": value for name, value in first.items()},
        **{f"again_{name}": value for name, value in again.items()},
        "bar_p99_ms": BAR_MS,
    }


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def made(url: str, token: str, n_links: int) -> list[str]:
    """The paths of that many links."""

    def some(count: int) -> list[str]:
        connection, paths = http.client.HTTPConnection(urlsplit(url).netloc), []
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        for _ in range(count):
            connection.request("POST", "/api/v1/models/alice/linked/links", b"{}", headers)
            paths.append(urlsplit(json.loads(connection.getresponse().read())["url"]).path)
        return paths

    n_each, rest = divmod(n_links, 8)
    with ThreadPoolExecutor(8) as pool:
        parts = pool.map(some, [n_each + (i < rest) for i in range(8)])
        return [path for part in parts for path in part]


def looked_up(url: str, links: list[str]) -> dict[str, float]:
    connection, took = http.client.HTTPConnection(urlsplit(url).netloc), []
    for path in links:
        began = time.perf_counter()
        connection.request("GET", f"{path}/v2/models/model/ready")
        response = connection.getresponse()
        response.read()
        took.append(time.perf_counter() - began)
        if response.status != 200:
            raise SystemExit(f"{path} answered {response.status}")
    took.sort()
    return {f"p{p}_ms": round(1000 * took[int(len(took) * p / 100)], 3) for p in (50, 99)}


if __name__ == "__main__":
    sys.exit(main())
