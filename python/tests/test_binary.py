"""The command: which one is taken, what it is told, and what becomes of its failures."""

from __future__ import annotations

from pathlib import Path

import pytest

import reenact as rn
from reenact import _binary
from reenact._credentials import Server

RECORDS = """#!/bin/sh
printf '%s\\n' "$@" > "$0.arguments"
env > "$0.environment"
echo "http://here/alice/iris"
"""
FAILS = """#!/bin/sh
echo 'error: could not push `alice/iris`: the disk is full' >&2
echo 'hint: make room' >&2
exit 1
"""


@pytest.fixture
def command(own_home, tmp_path, monkeypatch):
    def write(script: str) -> Path:
        path = tmp_path / "command"
        path.write_text(script)
        path.chmod(0o755)
        monkeypatch.setenv("REENACT_BINARY", str(path))
        return path

    return write


def test_a_push_tells_the_command_what_was_asked_and_the_token_in_secret(command, tmp_path):
    path = command(RECORDS)
    folder = tmp_path / "given"
    folder.mkdir()
    pushed = rn.push(folder, "alice/iris", public=True, message="Two words", url="http://a.example", token="secret")
    assert pushed == rn.Pushed("alice/iris", "http://here/alice/iris")
    told = path.with_name("command.arguments").read_text().splitlines()
    assert told == ["push", str(folder), "alice/iris", "--public", "-m", "Two words"]
    environment = path.with_name("command.environment").read_text().splitlines()
    assert "REENACT_TOKEN=secret" in environment and "REENACT_URL=http://a.example" in environment


def test_a_failure_keeps_the_commands_words_and_hint(command):
    command(FAILS)
    with pytest.raises(rn.BinaryError) as caught:
        _binary.run(["push", "x", "alice/iris"], server=Server("http://a.example"))
    assert caught.value.message == "`reenact push` failed: could not push `alice/iris`: the disk is full"
    assert caught.value.hint == "make room"


def test_a_command_that_is_not_there_is_named(own_home, monkeypatch):
    monkeypatch.setenv("REENACT_BINARY", "/no/such/command")
    with pytest.raises(rn.BinaryError, match="`/no/such/command`, which is no file"):
        _binary.find()


def test_without_any_command_the_error_says_how_to_get_one(own_home, monkeypatch, tmp_path):
    monkeypatch.delenv("REENACT_BINARY", raising=False)
    monkeypatch.setattr(_binary, "_BUNDLED", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(rn.BinaryError, match="was not found"):
        _binary.find()
    made = tmp_path / "reenact"
    made.write_bytes(b"\x7fELF")
    made.chmod(0o755)
    assert _binary.find() == made


@pytest.mark.parametrize(
    "options",
    [{"input": "picture"}, {"shape": (8, 8)}, {"example": [[1.0]], "convert": True, "repository": "iris"}],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(command, tmp_path, options):
    path = command(RECORDS)
    repository = options.pop("repository", "alice/iris")
    with pytest.raises(rn.ArgumentError):
        rn.push(tmp_path, repository, url="http://a.example", **options)
    assert not path.with_name("command.arguments").exists()
