"""Pools of two workers that take tasks as they come, each task drawing numbers of its own. Nothing is seeded."""

import random
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Pool

import numpy as np


def drawn(task):
    """What one task draws, in a time that nobody chose, so that either worker may get the next."""
    time.sleep(time.time_ns() % 10_000_000 / 1e9)
    return [task, np.random.default_rng().random(), np.random.rand(), random.random()]


def main():
    with Pool(2) as pool:
        mapped = pool.map(drawn, range(8), chunksize=1)
        applied = [pool.apply_async(drawn, [task]) for task in range(4)]
        mapped += [result.get() for result in applied]
    with ProcessPoolExecutor(2) as executor:
        submitted = list(executor.map(drawn, range(8)))
    np.savez("drawn.npz", mapped=np.array(mapped), submitted=np.array(submitted))


if __name__ == "__main__":
    main()
