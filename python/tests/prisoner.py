"""A handler that tries to get out, pushed by the tests as `predict.py`: each attempt by its name.

An attempt answers `done`, or raises what it met. Invariant: nothing here is run by the tests themselves.
"""

import ctypes
import mmap
import os
import socket
import subprocess
import sys
import tempfile
import threading

CALLS = []
# Not in Python before 3.14: the memory is there at once, and need not be written to first.
POPULATED = 0x8000


def predict(what: str, where: str = "") -> str:
    CALLS.append(what)
    ATTEMPTS[what](where)
    return "done"


def take_memory(where):
    taken = []
    while True:
        taken.append(bytearray(64 << 20))


def share_memory(where):
    taken = []
    while True:
        taken.append(mmap.mmap(-1, 64 << 20, flags=mmap.MAP_SHARED | POPULATED))


def take_stack(where):
    """Memory as that of a stack, which is counted neither as shared nor as what can be written."""
    grows_down = 0x100
    taken = []
    while True:
        taken.append(mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | POPULATED | grows_down))


def map_files(where):
    """As who reads large weights does: no memory is taken. What lies behind a file's end can be mapped too."""
    map_ = ctypes.CDLL(None, use_errno=True).mmap
    map_.restype = ctypes.c_void_p
    with open(sys.executable, "rb") as file:
        length = ctypes.c_size_t(16 << 30)
        place = map_(None, length, mmap.PROT_READ, mmap.MAP_PRIVATE, file.fileno(), ctypes.c_long(0))
    if place == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "could not map")
    assert ctypes.string_at(place, 4) == b"\x7fELF"


def loop(where):
    while True:
        pass


def fill_its_folder(where):
    """Where libraries put temporary files is memory, and does not last."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "small"), "wb") as file:
            file.write(bytes(1 << 20))
    with open(os.path.join(tempfile.gettempdir(), "endless"), "wb") as file:
        while True:
            file.write(bytes(1 << 20))


def fork(where):
    if os.fork() == 0:
        os._exit(0)


def connect(where):
    socket.create_connection(("127.0.0.1", int(where)), timeout=2)


def listen(where):
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).bind(("127.0.0.1", 0))


def speak_locally(where):
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(where)


def read(where):
    with open(where, "rb") as file:
        file.read(1)


def look_into(where):
    os.listdir(where)


def write(where):
    with open(os.path.join(where, "written"), "w") as file:
        file.write("x")


def write_beside_itself(where):
    write(os.path.dirname(__file__))


def change_itself(where):
    with open(__file__, "a") as file:
        file.write("x")


def use_temporary_folder(where):
    tempfile.mkdtemp()


def throw_away(where):
    with open(os.devnull, "w") as file:
        file.write("x")


def run_a_program(where):
    subprocess.run(["/bin/true"], check=True)


def kill_the_parent(where):
    os.kill(os.getppid(), 9)


def look_at_the_parent(where):
    with open(f"/proc/{os.getppid()}/environ", "rb") as file:
        file.read()


def print_a_flood(where):
    line = "x" * 9_999 + "\n"
    for _ in range(100_000):
        sys.stdout.write(line)


def crash_on_the_third(where):
    if CALLS.count("crash_on_the_third") == 3:
        os.abort()


def write_rubbish(where):
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, b"\xff" * 4096)
        except OSError:
            continue


def close_everything(where):
    os.closerange(0, 100)


def exit_quietly(where):
    os._exit(0)


def start_threads(where):
    wait = threading.Event()
    for _ in range(100_000):
        threading.Thread(target=wait.wait, daemon=True).start()


ATTEMPTS = {name: value for name, value in list(globals().items()) if callable(value) and name != "predict"}
