"""Metrics of a training, for the recording that it may run in.

It knows the file that a recorder named, and no server. Invariant: outside of a recording nothing happens, so that
a training runs the same with it and without.
"""

from __future__ import annotations

import json
import os


def log(step: int | None = None, **metrics: float) -> None:
    """Give the values of metrics at one step to the recording that this process runs in, if it runs in one.

    `rn.log(step=epoch, loss=loss, accuracy=accuracy)`. Each name is a series of its own, in the order of the
    calls; `step` becomes one too, where it is given.
    """
    path = os.environ.get("REENACT_RUN_LINES")
    if not path:
        return
    values = metrics if step is None else {"step": step, **metrics}
    process = os.environ.get("REENACT_SHIM_PROCESS", "")
    lines = [
        json.dumps({"process": process, "metric": name, "value": repr(float(value))}) + "\n"
        for name, value in values.items()
    ]
    with open(path, "a", encoding="utf-8") as file:
        file.write("".join(lines))
