"""Copies between repositories, as the unmodified client makes them: nothing large goes over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

huggingface_hub = pytest.importorskip("huggingface_hub")

from huggingface_hub import CommitOperationCopy, HfApi  # noqa: E402
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError  # noqa: E402

from conftest import Running, running  # noqa: E402
from counting_proxy import Counts, counting  # noqa: E402

LARGE = np.random.default_rng(21).bytes(3_000_000)
SMALL = b"small"


@dataclass
class House:
    server: Running
    counts: Counts
    alice: HfApi
    bob: HfApi


@pytest.fixture(scope="module")
def house(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data, home = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, running(binary, data) as server, counting(server.url) as counts:
        patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(home / "hub"))
        alice, bob = (HfApi(endpoint=counts.url, token=server.token(name)) for name in ("alice", "bob"))
        alice.create_repo("alice/source", private=True)
        folder = home / "given"
        folder.mkdir()
        (folder / "w.safetensors").write_bytes(LARGE)
        (folder / "config.json").write_bytes(SMALL)
        alice.upload_folder(repo_id="alice/source", folder_path=folder)
        alice.create_tag("alice/source", tag="v1")
        counts.reset()
        yield House(server, counts, alice, bob)


def read(api: HfApi, repo: str, name: str, folder: Path, **options: str) -> bytes:
    return Path(api.hf_hub_download(repo, name, local_dir=folder, **options)).read_bytes()


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_large_file_is_copied_by_a_commit(house: House, tmp_path: Path, kind: str) -> None:
    repo = f"alice/into-{kind}"
    house.alice.create_repo(repo, repo_type=kind, private=True)
    house.counts.reset()
    copies = [
        CommitOperationCopy("w.safetensors", "sub/copy.safetensors", src_repo_id="alice/source", src_repo_type="model"),
        CommitOperationCopy("config.json", "config.json", src_repo_id="alice/source", src_repo_type="model"),
    ]
    house.alice.create_commit(repo, copies, commit_message="Copied", repo_type=kind)
    assert house.counts.n_sent + house.counts.n_fetched < 50_000
    assert read(house.alice, repo, "sub/copy.safetensors", tmp_path, repo_type=kind) == LARGE
    assert read(house.alice, repo, "config.json", tmp_path, repo_type=kind) == SMALL


def test_a_folder_is_copied_and_a_file_renamed_within_a_repository(house: House, tmp_path: Path) -> None:
    house.alice.create_repo("alice/folders", private=True)
    house.counts.reset()
    house.alice.copy_files("hf://alice/source/", "hf://alice/folders/all/")
    house.alice.copy_files("hf://alice/folders/all/w.safetensors", "hf://alice/folders/again.safetensors")
    assert house.counts.n_sent + house.counts.n_fetched < 100_000
    assert read(house.alice, "alice/folders", "all/w.safetensors", tmp_path) == LARGE
    assert read(house.alice, "alice/folders", "again.safetensors", tmp_path) == LARGE


def test_a_repository_is_duplicated_with_its_history(house: House, tmp_path: Path) -> None:
    house.counts.reset()
    url = house.alice.duplicate_repo("alice/source", "alice/duplicate")
    assert (url.repo_id, url.files_copy_pending) == ("alice/duplicate", False)
    assert house.counts.n_sent + house.counts.n_fetched < 20_000
    info = house.alice.model_info("alice/duplicate")
    assert info.private and info.sha == house.alice.model_info("alice/source").sha
    assert [tag.name for tag in house.alice.list_repo_refs("alice/duplicate").tags] == ["v1"]
    assert read(house.alice, "alice/duplicate", "w.safetensors", tmp_path, revision="v1") == LARGE
    with pytest.raises(HfHubHTTPError, match="409"):
        house.alice.duplicate_repo("alice/source", "alice/duplicate")
    assert house.alice.duplicate_repo("alice/source", "alice/duplicate", exist_ok=True).repo_id == "alice/duplicate"


def test_what_may_not_be_read_is_not_copied(house: House) -> None:
    house.bob.create_repo("bob/own", private=True)
    copy = CommitOperationCopy("w.safetensors", "w.safetensors", src_repo_id="alice/source", src_repo_type="model")
    with pytest.raises(RepositoryNotFoundError):
        house.bob.create_commit("bob/own", [copy], commit_message="Taken")
    with pytest.raises(RepositoryNotFoundError):
        house.bob.duplicate_repo("alice/source", "bob/taken")
    assert not house.bob.repo_exists("bob/taken")


def test_lists_tell_what_is_large(house: House) -> None:
    entries = {entry.path: entry for entry in house.alice.list_repo_tree("alice/source")}
    large, small = entries["w.safetensors"], entries["config.json"]
    assert (large.lfs.size, len(large.lfs.sha256), len(large.xet_hash)) == (len(LARGE), 64, 64)
    assert (small.lfs, small.xet_hash) == (None, None)
    (found,) = house.alice.get_paths_info("alice/source", ["w.safetensors"])
    assert (found.lfs.sha256, found.xet_hash) == (large.lfs.sha256, large.xet_hash)
    siblings = house.alice.model_info("alice/source", files_metadata=True).siblings
    told = {file.rfilename: file.lfs for file in siblings}
    assert told["w.safetensors"].sha256 == large.lfs.sha256 and told["config.json"] is None
