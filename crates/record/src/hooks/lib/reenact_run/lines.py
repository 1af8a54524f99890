"""Lines of JSON for the recorder, appended to a file that it named.

It knows nothing of what they say. Invariant: a line is written whole, and one that cannot be written is no error
of the program's.
"""

import os

_file = None
_writer = None
_is_forked = False


def _forked():
    global _is_forked
    _is_forked = True


os.register_at_fork(after_in_child=_forked)


def write(line):
    """Appends a line, with the path of this process in the run."""
    global _file, _writer
    path = os.environ.get("REENACT_RUN_LINES")
    if not path:
        return
    import json

    process = os.environ.get("REENACT_SHIM_PROCESS", "")
    text = json.dumps(dict(line, process=process + ".forked" * _is_forked))
    try:
        if _writer != os.getpid():
            _file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _writer = os.getpid()
        os.write(_file, (text + "\n").encode())
    except OSError:
        _writer = None
