"""What people do with the Hub's client, in words that it has known since its early versions.

Run as a script by a Python of its own, whose version of the client is the one that is tried, and not imported. The
server and the token are in the environment.

    HF_ENDPOINT=… HF_TOKEN=… python hub_client.py <owner/name> <folder>
"""

from __future__ import annotations

import sys
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.utils import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

LARGE = bytes(range(256)) * 4_000


def main(repo: str, folder: Path) -> None:
    api = HfApi()
    assert api.whoami()["name"] == repo.partition("/")[0]
    assert api.create_repo(repo, private=True).endswith(repo)
    assert api.create_repo(repo, private=True, exist_ok=True).endswith(repo)
    given = files(folder / "given")
    api.upload_folder(repo_id=repo, folder_path=str(folder / "given"), commit_message="All")
    listed = {name for name in api.list_repo_files(repo) if name != ".gitattributes"}
    assert listed == set(given), listed
    info = api.model_info(repo, files_metadata=True)
    sizes = {file.rfilename: file.size for file in info.siblings}
    assert {name: sizes[name] for name in given} == {name: len(content) for name, content in given.items()}
    got = Path(snapshot_download(repo, local_dir=str(folder / "got")))
    assert {name: (got / name).read_bytes() for name in given} == given
    branches(api, repo)
    change(api, repo)
    misses(repo)
    assert any(one.id == repo for one in api.list_models(author="alice"))
    data = api.create_repo(f"{repo}-rows", repo_type="dataset")
    assert "/datasets/" in data
    api.upload_file(path_or_fileobj=b"a\n1\n", path_in_repo="train.csv", repo_id=f"{repo}-rows", repo_type="dataset")
    assert Path(hf_hub_download(f"{repo}-rows", "train.csv", repo_type="dataset")).read_bytes() == b"a\n1\n"
    api.delete_repo(f"{repo}-rows", repo_type="dataset")


def files(folder: Path) -> dict[str, bytes]:
    given = {"README.md": b"---\nlicense: mit\n---\n# A\n", "deep/er/w.bin": LARGE, "again.bin": LARGE, "c.txt": b"c"}
    for name, content in given.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return given


def branches(api: HfApi, repo: str) -> None:
    api.create_branch(repo, branch="next")
    api.upload_file(path_or_fileobj=b"d", path_in_repo="d.txt", repo_id=repo, revision="next")
    api.create_tag(repo, tag="v1")
    refs = api.list_repo_refs(repo)
    assert {ref.name for ref in refs.branches} == {"main", "next"} and [ref.name for ref in refs.tags] == ["v1"]
    assert Path(hf_hub_download(repo, "d.txt", revision="next")).read_bytes() == b"d"
    assert len(api.list_repo_commits(repo, revision="next")) == 3


def change(api: HfApi, repo: str) -> None:
    operations = [
        CommitOperationDelete(path_in_repo="deep/"),
        CommitOperationAdd(path_in_repo="w.bin", path_or_fileobj=LARGE[::-1]),
    ]
    asked = api.create_commit(repo, operations, commit_message="Instead", create_pr=True)
    assert asked.pr_num == 1
    api.merge_pull_request(repo, 1)
    names = set(api.list_repo_files(repo))
    assert "w.bin" in names and "deep/er/w.bin" not in names
    assert Path(hf_hub_download(repo, "w.bin")).read_bytes() == LARGE[::-1]
    assert Path(hf_hub_download(repo, "deep/er/w.bin", revision="v1")).read_bytes() == LARGE


def misses(repo: str) -> None:
    for missing, options in (
        (EntryNotFoundError, {"repo_id": repo, "filename": "none.txt"}),
        (RevisionNotFoundError, {"repo_id": repo, "filename": "c.txt", "revision": "none"}),
        (RepositoryNotFoundError, {"repo_id": f"{repo}-none", "filename": "c.txt"}),
    ):
        try:
            hf_hub_download(**options)
        except missing:
            continue
        raise AssertionError(f"{options} gave no {missing.__name__}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
