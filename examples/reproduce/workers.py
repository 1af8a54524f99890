"""Workers that draw their own numbers, started in each of the three ways that Python knows. Nothing is seeded."""

import multiprocessing
import random
import subprocess
import sys

import numpy as np


def drawn(_):
    """What one worker draws: from C and from Python."""
    return [np.random.default_rng().random(), random.random()]


def main():
    found = {}
    for method in ["fork", "spawn", "forkserver"]:
        context = multiprocessing.get_context(method)
        for worker in range(2):
            # One at a time: who of a pool takes which task is chance that no entropy explains.
            with context.Pool(1) as pool:
                found[f"{method}_{worker}"] = np.array(pool.map(drawn, [worker]))
    program = "import random; print(random.random())"
    found["program"] = np.array(float(subprocess.check_output([sys.executable, "-c", program])))
    np.savez("drawn.npz", **found)


if __name__ == "__main__":
    main()
