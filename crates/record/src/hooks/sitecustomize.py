"""The first thing of ours that runs in a Python of a recorded run, put on `PYTHONPATH` by the recorder.

It knows nothing of what is hooked. Invariants: the program finds the module `sitecustomize` that it would have
found without us; nothing that goes wrong here stops the program.
"""

import os
import sys


def _start():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != here]
    if "REENACT_SHIM_LIBRARY" not in os.environ:
        return
    # Last, so that it hides nothing; workers that are started anew import tasks from there.
    sys.path.append(os.path.join(here, "lib"))
    try:
        from reenact_run import imports

        imports.install()
    except Exception as error:
        sys.stderr.write("reenact: the hooks in Python are off: %s\n" % error)


_start()
_own = sys.modules.pop("sitecustomize")
try:
    import sitecustomize  # noqa: F401
except ImportError as _error:
    if _error.name != "sitecustomize":
        raise
    # Whoever imports us looks for us there.
    sys.modules["sitecustomize"] = _own
