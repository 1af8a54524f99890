"""A handler that tries to get out, pushed by the tests as `predict.py`: each attempt by its name.

An attempt answers `done`, or raises what it met. Invariant: nothing here is run by the tests themselves.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading

CALLS = []


def predict(what: str, where: str = "") -> str:
    CALLS.append(what)
    ATTEMPTS[what](where)
    return "done"


def take_memory(where):
    taken = []
    while True:
        taken.append(bytearray(64 << 20))


def loop(where):
    while True:
        pass


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
