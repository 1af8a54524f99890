"""Which server is meant, the token for it, and the file that keeps both."""

from __future__ import annotations

import stat

import pytest

from reenact import ArgumentError, CredentialsError, _credentials
from reenact._credentials import Server, keep, server

A, B = "http://a.example:8484", "https://b.example"


def test_arguments_win_over_the_environment_and_that_over_the_file(own_home, monkeypatch):
    keep(Server(A, "from-file"))
    assert server() == Server(A, "from-file")
    monkeypatch.setenv("HF_ENDPOINT", B)
    monkeypatch.setenv("HF_TOKEN", "hf")
    assert server() == Server(B, "hf")
    monkeypatch.setenv("REENACT_URL", A)
    monkeypatch.setenv("REENACT_TOKEN", "ours")
    assert server() == Server(A, "ours")
    assert server(url=B, token="mine") == Server(B, "mine")


def test_a_token_goes_only_to_the_server_it_is_for(own_home, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hugging-face")
    assert server(url=A).token == "", "HF_TOKEN without HF_ENDPOINT belongs to somebody else"
    monkeypatch.setenv("HF_ENDPOINT", B)
    assert server(url=A).token == ""
    monkeypatch.setenv("REENACT_URL", A)
    monkeypatch.setenv("REENACT_TOKEN", "for-a")
    assert server(url=B).token == "hugging-face"
    keep(Server("http://c.example", "for-c"))
    assert server(url="http://c.example/").token == "for-c"


def test_the_file_is_its_owners_alone_and_keeps_the_other_servers(own_home):
    keep(Server(A, "one"))
    path = keep(Server(B, 'two "quoted"'))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path == own_home / "credentials.toml"
    assert _credentials._read() == {
        "default": B,
        "servers": {A: {"token": "one"}, B: {"token": 'two "quoted"'}},
    }
    assert [entry.name for entry in own_home.iterdir()] == ["credentials.toml"]


def test_without_any_server_the_error_says_how_to_name_one(own_home):
    with pytest.raises(CredentialsError, match="no server is known") as caught:
        server()
    assert "REENACT_URL" in caught.value.hint


@pytest.mark.parametrize("address", ["alice/iris", "ftp://a", "localhost:8484", ""])
def test_what_is_no_address_is_refused(own_home, address):
    with pytest.raises((ArgumentError, CredentialsError)):
        server(url=address)


def test_a_broken_file_is_named(own_home):
    own_home.mkdir()
    (own_home / "credentials.toml").write_text("default = ")
    with pytest.raises(CredentialsError, match="credentials.toml` could not be read"):
        server()


def test_a_token_is_never_shown():
    assert "secret" not in repr(Server(A, "secret"))
