"""Fetching a file: block by block, whole or not at all, and on from where it broke off."""

from __future__ import annotations

import hashlib
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from reenact import ServerError, _download
from reenact._client import Repository
from reenact._credentials import Server

CONTENT = bytes(range(256)) * 20_000
MODEL = Repository("alice/iris", "main")


class Source:
    """A server of one file, and what it was asked."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.etag = hashlib.sha256(CONTENT).hexdigest()
        self.asked: list[str | None] = []
        self.breaks: Callable[[int], int | None] = lambda _: None
        """After how many bytes the answer of that number ends, if it does before its time."""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        is_part = wanted is not None and request.headers.get("If-Range") == f'"{self.etag}"'
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if is_part and wanted else 0
        request.send_response(206 if is_part else 200)
        request.send_header("Content-Length", str(len(self.content) - start))
        request.send_header("ETag", f'"{self.etag}"')
        request.end_headers()
        ends = self.breaks(len(self.asked))
        request.wfile.write(self.content[start:] if ends is None else self.content[start : start + ends])
        request.close_connection = True


@pytest.fixture
def source() -> Iterator[tuple[Source, Server]]:
    of = Source()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            of.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield of, Server(f"http://127.0.0.1:{http.server_address[1]}")
    http.shutdown()
    http.server_close()


def test_what_breaks_off_goes_on_where_it_was(source: tuple[Source, Server], tmp_path: Path) -> None:
    of, server = source
    of.breaks = lambda n: 1_000_000 if n < 3 else None
    path = _download.download(server, MODEL, "w.bin", tmp_path / "deep" / "w.bin")
    assert path.read_bytes() == CONTENT
    assert of.asked == [None, "bytes=1000000-", "bytes=2000000-"]
    assert [entry.name for entry in path.parent.iterdir()] == ["w.bin"]


def test_what_changed_meanwhile_is_fetched_anew(source: tuple[Source, Server], tmp_path: Path) -> None:
    of, server = source

    def change(n: int) -> int | None:
        if n > 1:
            return None
        of.content = CONTENT[::-1]
        of.etag = hashlib.sha256(of.content).hexdigest()
        return 5000

    of.breaks = change
    assert _download.download(server, MODEL, "w.bin", tmp_path / "w.bin").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("n_digits", [64, 40])
def test_what_arrives_otherwise_than_announced_is_refused(
    source: tuple[Source, Server], tmp_path: Path, n_digits: int
) -> None:
    of, server = source
    of.etag = "0" * n_digits
    with pytest.raises(ServerError, match="did not arrive as the server holds it"):
        _download.download(server, MODEL, "w.bin", tmp_path / "w.bin")
    assert list(tmp_path.iterdir()) == []


def test_patience_ends(source: tuple[Source, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of, server = source
    monkeypatch.setattr(_download, "_PATIENCE_S", 0.5)
    of.breaks = lambda n: 10 if n == 1 else 0
    with pytest.raises(ServerError, match=rf"broke off after 10 of {len(CONTENT)} bytes"):
        _download.download(server, MODEL, "w.bin", tmp_path / "w.bin")
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_takes_little_memory(source: tuple[Source, Server], tmp_path: Path) -> None:
    of, server = source
    of.content = bytes(64 * 1024 * 1024)
    of.etag = hashlib.sha256(of.content).hexdigest()
    tracemalloc.start()
    _download.download(server, MODEL, "w.bin", tmp_path / "w.bin")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 8 * 1024 * 1024
    assert (tmp_path / "w.bin").stat().st_size == len(of.content)
