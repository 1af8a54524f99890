"""Webhooks as their receivers meet them: the real command, a receiver, and the Hub's own class for what is sent."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import Running, running, until
from huggingface_hub import HfApi, WebhookPayload

GUIDE = Path(__file__).parents[2] / "docs" / "accounts.md"


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent, and answers with its status."""

    status = 204

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Take)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"


class Take(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        yield receiver
        receiver.shutdown()


@pytest.fixture(scope="module")
def hub(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = {**os.environ, "REENACT_PRIVATE_WEBHOOKS": "allow", "REENACT_WEBHOOK_RETRY": "1h"}
    with running(binary, tmp_path_factory.mktemp("webhooks"), environment=settings) as server:
        yield server


def run(server: Running, token: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "REENACT_URL": server.url, "REENACT_TOKEN": token}
    command = [str(server.binary), "webhook", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def test_what_is_sent_is_what_the_hub_sends_and_its_signature_holds(hub, receiver, own_home):
    token = hub.token("alice")
    api = HfApi(endpoint=hub.url, token=token)
    api.create_repo("alice/iris", private=True)
    added = run(hub, token, "add", "alice/iris", receiver.url, "--topic", "content", "--topic", "discussions")
    assert added.returncode == 0, added.stderr
    secret = added.stdout.strip()
    commit = api.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id="alice/iris")
    api.create_discussion("alice/iris", title="Question")
    api.comment_discussion("alice/iris", 1, comment="Why?")
    until(lambda: len(receiver.got) >= 3)
    scope: dict[str, object] = {}
    (code,) = re.findall(r"```python\n(import base64.*?)```", GUIDE.read_text(), re.DOTALL)
    exec(code, scope)
    told = {}
    for headers, body in receiver.got:
        assert scope["is_genuine"](secret, headers, body)
        assert not scope["is_genuine"](secret, headers, body + b" ")
        assert secret not in str(headers) and secret.encode() not in body
        payload = WebhookPayload.model_validate(json.loads(body))
        told[payload.event.scope] = payload
    assert sorted(told) == ["discussion", "discussion.comment", "repo.content"]
    content = told["repo.content"]
    assert (content.repo.name, content.repo.type, content.repo.private) == ("alice/iris", "model", True)
    assert [(ref.ref, ref.newSha) for ref in content.updatedRefs] == [("refs/heads/main", commit.oid)]
    assert told["discussion"].discussion.title == "Question"
    assert told["discussion.comment"].comment.content == "Why?"


def test_the_command_makes_tries_lists_and_removes(hub, receiver, own_home):
    token = hub.token("bob")
    HfApi(endpoint=hub.url, token=token).create_repo("bob/iris", private=True)
    assert run(hub, token, "add", "bob/iris", receiver.url).returncode == 0
    (webhook,) = json.loads(run(hub, token, "list", "bob/iris", "--json").stdout)
    number = str(webhook["id"])
    assert webhook["topics"] == ["content", "discussions", "endpoint", "settings"]
    tried = run(hub, token, "test", "bob/iris", number)
    assert (tried.returncode, tried.stdout) == (0, "sent: the receiver answered 204\n")
    receiver.status = 500
    tried = run(hub, token, "test", "bob/iris", number)
    assert (tried.returncode, tried.stdout) == (1, "not sent: the receiver answered 500\n")
    assert run(hub, token, "remove", "bob/iris", number).returncode == 0
    assert json.loads(run(hub, token, "list", "bob/iris", "--json").stdout) == []
    refused = run(hub, token, "add", "bob/iris", "ftp://example.org")
    assert refused.returncode == 1 and "https://" in refused.stderr
    stranger = run(hub, hub.token("carol"), "list", "bob/iris")
    assert stranger.returncode == 1 and "no repository" in stranger.stderr


def test_a_private_network_is_out_of_reach_unless_the_operator_says_so(server, alice, receiver, own_home):
    HfApi(endpoint=server.url, token=alice.token).create_repo("alice/webhooks-here", private=True)
    refused = run(server, alice.token, "add", "alice/webhooks-here", receiver.url)
    assert refused.returncode == 1 and "public network" in refused.stderr
    request = urllib.request.Request(f"{server.url}/api/v1/models/alice/webhooks-here/webhooks")
    request.add_header("authorization", f"Bearer {alice.token}")
    assert json.load(urllib.request.urlopen(request, timeout=30)) == {"items": []}
