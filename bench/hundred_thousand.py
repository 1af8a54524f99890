"""Front page and search over 100,000 repositories in SQLite.

The rows are written past the server into the tables that it made, each time the same; the triggers of the search
index run as they would. The names and texts are put together so that a rare word is in 20 repositories, and a common
one in the names, or in the texts, of a large part of them all.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import itertools
import json
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import running

N_REPOSITORIES = 100_000
N_ACCOUNTS = 2_000
N_REQUESTS = 300
BAR_MS = 50.0
# A measurement that would take longer than this ends with the requests it has.
LIMIT_S = 20.0
FIRST_MS = 1_700_000_000_000

SIZES = ["tiny", "small", "base", "large"]
THINGS = (
    "iris wine digits churn fraud price sales credit weather traffic flowers houses energy demand risk defects cells"
    " reviews prices orders"
).split()
KINDS = ["forest", "boosting", "linear", "svm", "cnn", "tree", "mlp", "ridge"]
TASKS = ["tabular-classification", "tabular-regression", "image-classification", "text-classification"]
LIBRARIES = ["sklearn", "xgboost", "lightgbm", "onnx", "pytorch", "keras"]
LICENSES = ["apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0"]
WORDS = (
    "trained nightly public data validated balanced calibrated features columns years measured hospital factory shop"
    " sensor city river field survey station"
).split()
# Each is in 20 names and texts.
RARE = ["zeppelin", "quokka", "marzipan", "obsidian", "fjordland", "tamarind"]
N_RARE = 20


@dataclass(frozen=True)
class Question:
    title: str
    # `{}` takes the words in turn.
    path: str
    words: tuple[str, ...] = ("",)


QUESTIONS = [
    Question("front page", "/"),
    Question("front page, a rare word", "/?q={}", tuple(RARE)),
    Question("front page, a word in a quarter of the names", "/?q={}", ("small", "large", "base", "tiny")),
    Question("front page, a word in all texts", "/?q={}", ("model",)),
    Question("front page, two words", "/?q={}", ("iris forest", "wine small", "churn boosting", "cells cnn")),
    Question("front page, a word just begun", "/?q={}", ("i", "s", "t", "fo", "cl")),
    Question("front page, a task", "/?task={}", tuple(TASKS)),
    Question("list, 50", "/api/models?limit=50"),
    Question("list, 50, a rare word", "/api/models?search={}&limit=50", tuple(RARE)),
    Question("list, 50, a word in a quarter of the names", "/api/models?search={}&limit=50", ("small", "large")),
    Question("list, 50, a word in all texts", "/api/models?search={}&limit=50", ("model",)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repositories", type=int, default=N_REPOSITORIES)
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep the folder, and use it again if it is there")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reenact-bench-") as name:
        data = arguments.data or Path(name) / "data"
        if not (data / "reenact.db").exists():
            with running.reenact(data):
                pass
            began = time.monotonic()
            fill(data / "reenact.db", arguments.repositories)
            print(f"filled in {time.monotonic() - began:.0f} s", flush=True)
        machine = running.machine()
        with running.reenact(data) as server:
            figures = [_measure(server.url, question) for question in QUESTIONS]
            memory_mb = running.resident_mb(server.pid)
    _print(machine, figures, memory_mb)
    running.report({"machine": machine, "figures": figures, "memory_mb": memory_mb}, arguments.json)


def fill(database: Path, n_repositories: int) -> None:
    """Writes accounts and repositories, each with a card, tags, and one commit of three files."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA synchronous = OFF")
    first = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM accounts").fetchone()[0]
    owners = [(first + n, f"team-{n:04}") for n in range(N_ACCOUNTS)]
    accounts = ((id, name, name, "user", False, FIRST_MS) for id, name in owners)
    columns = "id, name, name_key, kind, is_admin, created_ms"
    connection.executemany(f"INSERT INTO accounts ({columns}) VALUES (?, ?, ?, ?, ?, ?)", accounts)
    source = random.Random(0)
    rows = (_repository(n, owners, source) for n in range(n_repositories))
    while chunk := list(itertools.islice(rows, 5_000)):
        _insert(connection, "repositories", chunk)
        _insert(connection, "repository_tags", [tag for row in chunk for tag in _tags(row)])
        for table, make in (("trees", _tree), ("revisions", _revision), ("refs", _ref)):
            _insert(connection, table, [make(row) for row in chunk])
        _insert(connection, "entries", [entry for row in chunk for entry in _entries(row)])
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _insert(connection: sqlite3.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    places = ", ".join(f":{name}" for name in names)
    connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", rows)


def _repository(n: int, owners: list[tuple[int, str]], source: random.Random) -> dict[str, Any]:
    owner_id, owner = owners[n % len(owners)]
    size, thing, kind = source.choice(SIZES), source.choice(THINGS), source.choice(KINDS)
    rare = RARE[n // N_RARE] if n < N_RARE * len(RARE) else ""
    name = "-".join(part for part in (thing, kind, size, rare, str(n)) if part)
    task, library, license = source.choice(TASKS), source.choice(LIBRARIES), source.choice(LICENSES)
    title = f"{thing.capitalize()} {kind}, {size}"
    description = f"A {size} {kind} model of {thing}: {' '.join(source.sample(WORDS, 12))} {rare}".strip()
    tags = [thing, kind]
    card = {"license": license, "library_name": library, "pipeline_tag": task, "tags": tags}
    text = " ".join([title, task, library, license, *tags, description])
    created_ms = FIRST_MS + n * 60_000
    return {
        "id": n + 1,
        "owner_id": owner_id,
        "kind": "model" if n % 10 else "dataset",
        "name": name,
        "name_key": name,
        "is_private": n % 50 == 49,
        "created_ms": created_ms,
        "updated_ms": created_ms + source.randrange(10**9),
        "n_downloads": int(source.paretovariate(0.7)) % 10**7,
        "n_likes": 0,
        "title": title,
        "description": description,
        "task": task,
        "library": library,
        "license": license,
        "tags": json.dumps(tags),
        "card": json.dumps(card),
        "search_name": _words(f"{owner}/{name}"),
        "search_text": _words(text),
    }


def _words(text: str) -> str:
    """As the server prepares texts for its index: letters and digits in lower case, spaces between."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def _tags(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    words = {row["task"], row["library"], f"license:{row['license']}", *json.loads(row["tags"])}
    return ({"tag": word, "repository_id": row["id"]} for word in sorted(words))


def _oid(row: dict[str, Any], what: str) -> str:
    return hashlib.sha1(f"{what} {row['id']}".encode()).hexdigest()


def _tree(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "repository_id": row["id"], "oid": _oid(row, "tree"), "n_files": 3, "n_bytes": 30_000}


def _revision(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "repository_id": row["id"],
        "oid": _oid(row, "revision"),
        "tree_id": row["id"],
        "title": "initial commit",
        "description": "",
        "author": "bench",
        "created_ms": row["created_ms"],
    }


def _ref(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "repository_id": row["id"],
        "kind": "branch",
        "name": "main",
        "revision_id": row["id"],
        "message": "",
        "created_ms": row["created_ms"],
    }


def _entries(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in ("README.md", "model.onnx", "reenact.toml"):
        sha256 = hashlib.sha256(f"{path} {row['id']}".encode()).hexdigest()
        yield {
            "tree_id": row["id"],
            "path": path,
            "folder": "",
            "sha256": sha256,
            "git_oid": _oid(row, path),
            "n_bytes": 10_000,
            "last_revision_id": row["id"],
        }


def _measure(url: str, question: Question) -> dict[str, Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    times_ms: list[float] = []
    began = time.monotonic()
    for word in itertools.islice(itertools.cycle(question.words), N_REQUESTS):
        sent = time.perf_counter()
        connection.request("GET", question.path.replace("{}", quote(word)))
        answer = connection.getresponse()
        body = answer.read()
        times_ms.append((time.perf_counter() - sent) * 1e3)
        if answer.status != 200 or b"team-" not in body:
            raise RuntimeError(f"{question.path} with `{word}`: {answer.status}, {body[:200]!r}")
        if time.monotonic() > began + LIMIT_S:
            break
    connection.close()
    p50_ms, p99_ms = running.percentile(times_ms, 0.5), running.percentile(times_ms, 0.99)
    return {"question": question.title, "n": len(times_ms), "p50_ms": p50_ms, "p99_ms": p99_ms}


def _print(machine: dict[str, Any], figures: list[dict[str, Any]], memory_mb: float) -> None:
    print(f"{machine['date']}, {machine['cores']} cores, load average {machine['load_1m']}")
    print(f"bar: p99 under {BAR_MS:g} ms; memory of the server afterwards: {memory_mb:.0f} MB\n")
    print("| | requests | p50, ms | p99, ms | |\n|---|---:|---:|---:|---|")
    for row in figures:
        verdict = "met" if row["p99_ms"] < BAR_MS else "MISSED"
        print(f"| {row['question']} | {row['n']} | {row['p50_ms']:.1f} | {row['p99_ms']:.1f} | {verdict} |")


if __name__ == "__main__":
    main()
