"""Large files by Git LFS, sent by the unmodified client: whole and in parts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

huggingface_hub = pytest.importorskip("huggingface_hub")

from huggingface_hub import CommitOperationAdd, HfApi  # noqa: E402
from huggingface_hub.errors import HfHubHTTPError  # noqa: E402

from conftest import Running, running  # noqa: E402

SMALL = b"0123456789abcdef" * 1_000
LARGE = bytes(range(256)) * 40_000


@pytest.fixture(scope="module")
def large_files(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    """A server that has all files of 10,000 bytes sent apart, in parts of 4 MiB, and Alice's token."""
    flags = ("--large-files", "apart", "--large-file", "10000 B", "--upload-part", "4 MiB")
    with running(binary, tmp_path_factory.mktemp("data"), *flags) as server:
        yield server, server.token("alice")


@pytest.fixture
def api(large_files: tuple[Running, str], tmp_path, monkeypatch) -> HfApi:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    server, token = large_files
    return HfApi(endpoint=server.url, token=token)


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["whole", "in-parts"])
@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_large_file_is_sent_apart_and_comes_back(api, tmp_path, content, kind):
    repo = f"alice/apart-{kind}-{len(content)}"
    api.create_repo(repo, repo_type=kind)
    path = tmp_path / "w.bin"
    path.write_bytes(content)
    added = CommitOperationAdd("w.bin", path)
    api.preupload_lfs_files(repo, [added], repo_type=kind)
    assert added._upload_mode == "lfs"
    api.create_commit(repo, [added], commit_message="Large", repo_type=kind)
    got = api.hf_hub_download(repo, "w.bin", repo_type=kind, local_dir=tmp_path / "to")
    assert Path(got).read_bytes() == content
    head = api.repo_info(repo, repo_type=kind).sha
    # The same again is seen to be there, and makes no commit.
    api.upload_file(path_or_fileobj=path, path_in_repo="w.bin", repo_id=repo, repo_type=kind)
    assert api.repo_info(repo, repo_type=kind).sha == head


def test_a_folder_of_large_and_small_files_is_one_commit(api, tmp_path):
    api.create_repo("alice/folder")
    folder = tmp_path / "given"
    folder.mkdir()
    files = {"a.bin": SMALL, "b.bin": LARGE, "c.txt": b"small", "again.bin": SMALL, "empty": b""}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    api.upload_folder(repo_id="alice/folder", folder_path=folder)
    got = Path(api.snapshot_download("alice/folder", local_dir=tmp_path / "got"))
    assert {name: (got / name).read_bytes() for name in files} == files
    assert [commit.title for commit in api.list_repo_commits("alice/folder")][1:] == ["initial commit"]


def test_an_open_file_is_sent_apart_though_the_client_has_another_way(api, monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", False)
    api.create_repo("alice/open-file")
    api.upload_file(path_or_fileobj=io.BytesIO(LARGE), path_in_repo="w.bin", repo_id="alice/open-file")
    got = api.hf_hub_download("alice/open-file", "w.bin", local_dir=tmp_path)
    assert Path(got).read_bytes() == LARGE


def test_a_stranger_is_given_no_address(api, large_files):
    api.create_repo("alice/closed", private=True)
    server, _ = large_files
    bob = HfApi(endpoint=server.url, token=server.token("bob"))
    with pytest.raises(HfHubHTTPError) as caught:
        bob.preupload_lfs_files("alice/closed", [CommitOperationAdd("w.bin", SMALL)])
    assert caught.value.response.status_code == 404
