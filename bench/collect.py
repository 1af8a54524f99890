"""What looking after a store costs as it grows: checking it, collecting, backing it up.

Fills a server with families of files: a file of random bytes, and versions of it in which a sixty-fourth was replaced, each
a commit of its own, a GiB for each repository. At each size everything is checked, collected and backed up; what counts
is the time for a GiB, which must not grow. Half of the repositories are deleted in the end, and collecting must give
their bytes back. Fails where the check finds anything.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import running

MIB = 1024 * 1024
FILE_BYTES = 64 * MIB
N_VERSIONS = 16
PART_BYTES = FILE_BYTES // 64
GROWTH = 1.5
"""How much longer a GiB may take at the largest size than at the smallest."""


class Family:
    """A file and its versions."""

    def __init__(self, number: int, folder: Path) -> None:
        self.source = random.Random(number)
        self.name = f"bench/family-{number}"
        self.folder = folder / f"family-{number}"
        self.folder.mkdir()
        self.content = bytearray(self.source.randbytes(FILE_BYTES))

    def push(self, environment: dict[str, str]) -> None:
        for _ in range(N_VERSIONS):
            start = self.source.randrange(FILE_BYTES - PART_BYTES)
            self.content[start : start + PART_BYTES] = self.source.randbytes(PART_BYTES)
            (self.folder / "model.bin").write_bytes(self.content)
            _run(["push", str(self.folder), self.name], environment)


def _run(words: list[str], environment: dict[str, str] | None = None) -> str:
    command = [str(running.binary()), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"`{' '.join(words)}` ended with {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


def _timed(words: list[str]) -> float:
    began = time.monotonic()
    _run(words)
    return time.monotonic() - began


def _stored(data: Path) -> int:
    return sum(path.stat().st_size for path in (data / "blobs").rglob("*") if path.is_file())


def measure(data: Path, backups: Path, n_gib: int) -> dict[str, Any]:
    """One size."""
    place = ["--data", str(data)]
    return {
        "gib": n_gib,
        "stored_mb": _stored(data) / 1e6,
        "fsck_s": _timed(["admin", "fsck", *place]),
        "gc_s": _timed(["admin", "gc", *place]),
        "stats_s": _timed(["admin", "stats", *place]),
        "backup_s": _timed(["admin", "backup", str(backups), *place]),
        "backup_again_s": _timed(["admin", "backup", str(backups), *place]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 10, 100], metavar="GIB")
    parser.add_argument("--folder", type=Path, help="where to measure; needs some 0.2 times the largest size")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="reenact-bench-", dir=arguments.folder) as name:
        folder = Path(name)
        data, backups = folder / "data", folder / "backups"
        with running.reenact(data, "--unused-after=0s", "--making-rate=0") as server:
            token = server.token("bench")
            told = {"REENACT_URL": server.url, "REENACT_TOKEN": token, "REENACT_CACHE": str(folder / "cache")}
            environment = {**os.environ, **told}
            n_families = 0
            for n_gib in sorted(arguments.sizes):
                for number in range(n_families, n_gib):
                    Family(number, folder).push(environment)
                n_families = n_gib
                results.append(measure(data, backups, n_gib))
                print(json.dumps(results[-1]), flush=True)
            before = _stored(data)
            for number in range(n_families // 2):
                body = {"name": f"family-{number}", "organization": "bench", "type": "model"}
                running.ask("DELETE", f"{server.url}/api/repos/delete", body, token=token)
            collected_s = _timed(["admin", "gc", "--data", str(data), "--config", str(_config(folder))])
            freed = 1 - _stored(data) / before
            _run(["admin", "fsck", "--data", str(data)])
    _print(results, (collected_s, freed))
    running.report({"machine": running.machine(), "sizes": results, "collected_s": collected_s, "freed": freed}, arguments.json)


def _config(folder: Path) -> Path:
    """What is unused may go at once."""
    path = folder / "collect.toml"
    path.write_text('unused_after = "0s"\n')
    return path


def _print(results: list[dict[str, Any]], collected: tuple[float, float]) -> None:
    works = [name for name in results[0] if name.endswith("_s")]
    print(f"\n| GiB | stored MB | {' | '.join(work.removesuffix('_s') + ', s' for work in works)} |")
    print("|---:" * (2 + len(works)) + "|")
    for result in results:
        print(f"| {result['gib']} | {result['stored_mb']:.0f} | " + " | ".join(f"{result[work]:.2f}" for work in works) + " |")
    first, last = results[0], results[-1]
    for work in works:
        growth = (last[work] / last["gib"]) / (first[work] / first["gib"])
        print(f"{work.removesuffix('_s')}: a GiB takes {growth:.2f} of what it took at first (at most {GROWTH}){'' if growth <= GROWTH else ' MISSED'}")
    print(f"half of the repositories deleted: collected in {collected[0]:.2f} s, {collected[1]:.0%} of the bytes went")


if __name__ == "__main__":
    main()
