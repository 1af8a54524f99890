"""Libraries of numbers in this process: how many threads they use, and for which processor.

It asks the libraries that the program has loaded, and loads none but the one that asks. Invariant: what a library
does not say is left out.
"""

import sys

from . import profile

# Beyond what processors of the last ten years have in common; NumPy chooses among these by what it finds.
_BEYOND = ("AVX512", "AVX10", "X86_V4")


def libraries():
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        _numpy(numpy)
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return
    for library in threadpool_info():
        what = library.get("internal_api") or library.get("user_api")
        more = {"threads": library.get("num_threads"), "architecture": library.get("architecture")}
        profile.note("library", str(what), **{name: value for name, value in more.items() if value})


def _numpy(numpy):
    core = getattr(numpy, "_core", None) or numpy.core
    inner = core._multiarray_umath
    found = [name for name in inner.__cpu_dispatch__ if inner.__cpu_features__.get(name)]
    own = [name for name in found if name.startswith(_BEYOND)]
    if own:
        profile.note("library", "numpy", architecture=" ".join(own))
