"""Handlers that mean harm, on a real server, as whoever runs the tests and as an ordinary user.

Knows what an attacker's handler can try, and that its neighbours must not feel it. Invariant: after each attempt the
prisoner's endpoint and its neighbour's answer again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import Running, running

import reenact as rn

NOBODY = 65534
PREDICT_S = 5
MEMORY_MIB = 512
NEIGHBOUR = "def predict(a: float) -> float:\n    return a + 1\n"
SHAPES = """
def predict(a: float) -> list[float]:
    if a == 1:
        return "text"
    if a == 2:
        return [[1.0], [2.0]]
    if a == 3:
        return None
    return [a, a]
"""
GREEDY = """
def predict(n_mib: int) -> str:
    return "x" * (n_mib << 20)
"""


@dataclass(frozen=True)
class Prison:
    """A server with a prisoner, its neighbour, and files that are none of theirs."""

    server: Running
    token: str
    secret: Path

    def ask(self, what: str, where: object = "") -> tuple[int, dict]:
        return self.post("/endpoints/alice/prisoner/invocations", {"inputs": [[what, str(where)]]})

    def neighbour_answers(self) -> bool:
        return self.post("/endpoints/alice/neighbour/invocations", {"inputs": [[1.0]]})[1] == {"predictions": [2.0]}

    def post(self, path: str, document: object) -> tuple[int, dict]:
        request = urllib.request.Request(
            self.server.url + path, json.dumps(document).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def log(self, name: str) -> str:
        request = urllib.request.Request(
            f"{self.server.url}/api/v1/endpoints/{name}/logs", headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()


@pytest.fixture(scope="module", params=["own user", "ordinary user"])
def prison(request: pytest.FixtureRequest, binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prison]:
    place = tmp_path_factory.mktemp("prison")
    is_other = request.param == "ordinary user"
    if is_other and os.geteuid() != 0:
        pytest.skip("only root can start a server as another user; the other half ran as one")
    flags = [f"--predict-timeout={PREDICT_S}s", f"--runtime-memory={MEMORY_MIB} MiB"]
    with _serving(binary, place, flags, is_other) as server:
        token = _token(server, is_other)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REENACT_URL", server.url)
            patch.setenv("REENACT_TOKEN", token)
            sources = {
                "prisoner": (Path(__file__).parent / "prisoner.py").read_text(),
                "neighbour": NEIGHBOUR,
                "shapes": SHAPES,
                "greedy": GREEDY,
            }
            for name, source in sources.items():
                folder = place / name
                folder.mkdir()
                (folder / "predict.py").write_text(source)
                rn.push(folder, f"alice/{name}", public=True)
                rn.deploy(f"alice/{name}")
        secret = server.data / "secret"
        secret.write_text("secret")
        secret.chmod(0o644)
        yield Prison(server, token, secret)


def _serving(binary: Path, place: Path, flags: list[str], is_other: bool):
    if not is_other:
        return running(binary, place / "data", *flags)
    # What an ordinary user can reach: a copy of the command, and folders of its own.
    for folder in [place, *place.parents]:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    copy = place / "reenact"
    shutil.copy(binary, copy)
    home = place / "home"
    home.mkdir()
    shutil.chown(home, NOBODY, NOBODY)
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "UV_PYTHON_PREFERENCE": "only-system"}
    return running(copy, home / "data", *flags, user=NOBODY, environment=environment)


def _token(server: Running, is_other: bool) -> str:
    if not is_other:
        return server.token("alice")
    command = [str(server.binary), "admin", "user", "add", "alice", "--data", str(server.data)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=30, user=NOBODY, group=NOBODY, cwd="/")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.fixture(autouse=True)
def unmoved(prison: Prison) -> Iterator[None]:
    """Whatever is tried, both answer afterwards."""
    yield
    assert prison.neighbour_answers()
    deadline = time.monotonic() + 20
    while (last := prison.ask("throw_away"))[0] != 200:
        assert time.monotonic() < deadline, last
        time.sleep(0.1)


REFUSED = "PermissionError|FileNotFoundError|OSError"


@pytest.mark.parametrize("what", ["throw_away", "use_temporary_folder"])
def test_what_it_may_do_is_done(prison: Prison, what: str) -> None:
    assert prison.ask(what) == (200, {"predictions": ["done"]})


@pytest.mark.parametrize(
    "what", ["fork", "listen", "run_a_program", "kill_the_parent", "look_at_the_parent", "write_beside_itself",
             "change_itself"],
)  # fmt: skip
def test_what_reaches_out_is_refused_in_words(prison: Prison, what: str) -> None:
    status, answer = prison.ask(what)
    assert status == 500 and re.search(REFUSED, answer["message"]), answer


def test_the_network_and_local_sockets_are_refused(prison: Prison) -> None:
    port = prison.server.url.rpartition(":")[2]
    for what, where in [("connect", port), ("speak_locally", "/run/nothing")]:
        status, answer = prison.ask(what, where)
        assert status == 500 and "PermissionError" in answer["message"], answer


def test_no_file_but_its_own_can_be_read(prison: Prison) -> None:
    data = prison.server.data
    stored = next(path for path in (data / "blobs").rglob("*") if path.is_file())
    others = [path for path in (data / "tmp").rglob("predict.py") if "a + 1" in path.read_text()]
    assert others
    for path in [
        "/etc/passwd",
        "/etc/hostname",
        prison.secret,
        data / "reenact.db",
        stored,
        *others,
        "/proc/1/environ",
    ]:
        status, answer = prison.ask("read", path)
        assert status == 500 and re.search(REFUSED, answer["message"]), (path, answer)
    for path in ["/", "/home", "/tmp", data, data / "environments"]:
        status, answer = prison.ask("look_into", path)
        assert status == 500 and re.search(REFUSED, answer["message"]), (path, answer)


def test_nothing_can_be_written_anywhere(prison: Prison) -> None:
    for path in ["/tmp", "/var/tmp", "/dev/shm", "/", prison.server.data, Path.home()]:
        status, answer = prison.ask("write", path)
        assert status == 500 and re.search(REFUSED, answer["message"]), (path, answer)
    assert not Path("/tmp/written").exists() and not Path("/dev/shm/written").exists()


def test_temporary_files_are_few_and_in_memory(prison: Prison) -> None:
    status, answer = prison.ask("fill_its_folder")
    assert status == 500 and "No space left on device" in answer["message"], answer
    left = [file for folder in Path(tempfile.gettempdir()).glob("reenact-*") for file in folder.rglob("endless")]
    assert not left, "nobody else sees what it wrote"


@pytest.mark.parametrize("how", ["take_memory", "share_memory", "take_stack"])
def test_memory_without_end_ends(prison: Prison, how: str) -> None:
    status, answer = prison.ask(how)
    assert status == 500 and re.search("MemoryError|memory|fell", answer["message"]), answer


def test_files_larger_than_its_memory_can_be_mapped(prison: Prison) -> None:
    assert prison.ask("map_files") == (200, {"predictions": ["done"]})


def test_a_loop_without_end_ends_with_its_time(prison: Prison) -> None:
    began = time.monotonic()
    status, answer = prison.ask("loop")
    assert status in (500, 504), answer
    assert PREDICT_S - 1 < time.monotonic() - began < PREDICT_S + 5


def test_threads_without_end_end(prison: Prison) -> None:
    status, answer = prison.ask("start_threads")
    assert status in (500, 504), answer


def test_a_crash_is_told_and_the_next_is_answered(prison: Prison) -> None:
    statuses = [prison.ask("crash_on_the_third") for _ in range(4)]
    assert [status for status, _ in statuses].count(500) == 1, statuses
    assert "signal 6" in next(answer for status, answer in statuses if status == 500)["message"]


@pytest.mark.parametrize("what", ["exit_quietly", "close_everything"])
def test_an_end_in_the_middle_is_told(prison: Prison, what: str) -> None:
    status, answer = prison.ask(what)
    assert status in (500, 504) and re.search("fell|ended|no answer", answer["message"]), answer


def test_rubbish_instead_of_an_answer_is_told(prison: Prison) -> None:
    status, answer = prison.ask("write_rubbish")
    assert status == 500 and "fell" in answer["message"], answer


def test_a_flood_of_output_is_cut(prison: Prison) -> None:
    began = time.monotonic()
    status, answer = prison.ask("print_a_flood")
    assert status in (200, 500, 504), answer
    assert time.monotonic() - began < 30
    log = prison.log("alice/prisoner")
    assert len(log) < 2_500_000 and "bytes of output left out" in log


def test_a_wrong_shape_is_told(prison: Prison) -> None:
    for a, words in [(1, "is not FP64"), (2, "shape"), (3, "FP64|None")]:
        status, answer = prison.post("/endpoints/alice/shapes/invocations", {"inputs": [[a]]})
        assert status == 500 and re.search(words, answer["message"]), answer
    assert prison.post("/endpoints/alice/shapes/invocations", {"inputs": [[4]]})[1] == {"predictions": [[4, 4]]}


def test_an_answer_beyond_all_bounds_is_told(prison: Prison) -> None:
    for n_mib in (1024, 300):
        status, answer = prison.post("/endpoints/alice/greedy/invocations", {"inputs": [[n_mib]]})
        assert status == 500 and re.search("MemoryError|at most|fell", answer["message"]), str(answer)[:300]
    assert prison.post("/endpoints/alice/greedy/invocations", {"inputs": [[0]]})[0] == 200
