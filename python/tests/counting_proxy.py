"""A proxy that counts what goes through it, so that a test can say how much a client sent and fetched."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

BLOCK_BYTES = 256 * 1024


class Counts:
    """Bytes that went through, by direction."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.n_sent = 0
        self.n_fetched = 0
        self._lock = threading.Lock()

    def reset(self) -> None:
        with self._lock:
            self.n_sent = self.n_fetched = 0

    def add(self, n_sent: int, n_fetched: int) -> None:
        with self._lock:
            self.n_sent += n_sent
            self.n_fetched += n_fetched


@contextmanager
def counting(url: str) -> Iterator[Counts]:
    """Passes on to the server at `url` whatever comes, and counts it."""
    there = urlsplit(url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        counts = Counts(f"http://127.0.0.1:{listener.getsockname()[1]}")
        threading.Thread(target=_accept, args=(listener, (there.hostname, there.port), counts), daemon=True).start()
        yield counts


def _accept(listener: socket.socket, there: tuple[str | None, int | None], counts: Counts) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(there)
            for source, target, is_sent in ((client, server, True), (server, client, False)):
                threading.Thread(target=_pass_on, args=(source, target, counts, is_sent), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, counts: Counts, is_sent: bool) -> None:
    with suppress(OSError):
        while block := source.recv(BLOCK_BYTES):
            counts.add(len(block) if is_sent else 0, 0 if is_sent else len(block))
            target.sendall(block)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
