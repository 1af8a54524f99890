"""Servers that are asked the same by `wrk`, and what follows from their rates.

Knows no model. Invariant: a ratio is taken within a round, so that what else the machine did befell both.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WARM_UP_S = 1

# Us, a peer, and by number of connections the ratio to reach.
Bar = tuple[str, str, dict[int, float]]


@dataclass
class Side:
    """One server under measurement."""

    name: str
    url: str
    bodies: Path
    first_label: Callable[[Any], int] | None
    token: str = ""
    samples: dict[int, list[dict[str, float]]] = field(default_factory=dict)


def drive(side: Side, n_connections: int, n_seconds: int) -> dict[str, float]:
    """Rate and latency under so many connections; the rows of the file are sent in turn."""
    for duration in (WARM_UP_S, n_seconds):
        command = ["wrk", "-t1", f"-c{n_connections}", f"-d{duration}s", "--timeout", "30s"]
        command += ["-s", str(HERE / "rows.lua"), side.url]
        arguments = ["--", str(side.bodies), *([side.token] if side.token else [])]
        out = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True).stdout
    (line,) = (line for line in out.splitlines() if line.startswith("RESULT "))
    found = json.loads(line.removeprefix("RESULT "))
    if found["refused"] or found["broken"]:
        print(f"{side.name} at {n_connections}: {found['refused']} refused, {found['broken']} broken", file=sys.stderr)
    if found["n"] == 0:
        sys.exit(f"{side.name} at {n_connections} connections answered nothing in {n_seconds} s: measure longer")
    rate = found["n"] / found["us"] * 1e6
    return {"rate": rate, "p50_ms": found["p50_us"] / 1e3, "p99_ms": found["p99_us"] / 1e3}


def results(sides: list[Side], connections: Sequence[int], bars: Sequence[Bar]) -> dict[str, Any]:
    """The medians of each side, and of the ratios within a round."""
    by_name = {side.name: side for side in sides}
    figures = []
    for n in connections:
        for side in sides:
            samples = side.samples[n]
            middle = {key: statistics.median(sample[key] for sample in samples) for key in samples[0]}
            figures.append({"server": side.name, "connections": n, **middle})
    return {"figures": figures, "ratios": list(_ratios(by_name, bars))}


def _ratios(sides: dict[str, Side], bars: Sequence[Bar]) -> Iterator[dict[str, Any]]:
    for us, peer, wanted in bars:
        if us not in sides or peer not in sides:
            continue
        for n, bar in wanted.items():
            rounds = list(zip(sides[us].samples[n], sides[peer].samples[n], strict=True))
            ratio = statistics.median(ours["rate"] / theirs["rate"] for ours, theirs in rounds)
            p99 = statistics.median(ours["p99_ms"] / theirs["p99_ms"] for ours, theirs in rounds)
            # A peer that is not checked does a part of the work; only its rate is a bar.
            is_met = ratio >= bar and (sides[peer].first_label is None or p99 < 1)
            yield {"us": us, "peer": peer, "connections": n, "ratio": ratio, "bar": bar, "p99": p99, "met": is_met}


def show(results: dict[str, Any]) -> None:
    """Prints two tables, as the notes on the measurements have them."""
    machine = results["machine"]
    print(f"{machine['date']}, {machine['cores']} cores, {machine['cpu']}", end="; ")
    print(f"load average {machine['load_1m']} before, {machine['load_1m_after']} after\n")
    print("| server | connections | requests/s | p50, ms | p99, ms |\n|---|---:|---:|---:|---:|")
    for row in results["figures"]:
        numbers = f"{row['rate']:,.0f} | {row['p50_ms']:.2f} | {row['p99_ms']:.2f}"
        print(f"| {row['server']} | {row['connections']} | {numbers} |")
    print("\n| ours to theirs | connections | requests/s | bar | p99 | |\n|---|---:|---:|---:|---:|---|")
    for row in results["ratios"]:
        ratio = f"{row['ratio']:.2f} x | {row['bar']:g} x | {row['p99']:.2f} x | {'met' if row['met'] else 'MISSED'}"
        print(f"| {row['us']} to {row['peer']} | {row['connections']} | {ratio} |")
    for line in results["skipped"]:
        print(f"\nSKIPPED {line}")
