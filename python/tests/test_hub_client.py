"""The unmodified client of the Hugging Face Hub, and its command `hf`, against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

huggingface_hub = pytest.importorskip("huggingface_hub")

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi  # noqa: E402
from huggingface_hub.errors import (  # noqa: E402
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from conftest import Running, until  # noqa: E402

CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def api(server, alice, tmp_path, monkeypatch) -> HfApi:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return HfApi(endpoint=server.url, token=alice.token)


@pytest.fixture
def repo(api, request) -> str:
    name = f"alice/{request.node.name.removeprefix('test_')[:60].replace('_', '-').rstrip('-')}"
    api.create_repo(name)
    return name


def ask(server: Running, method: str, path: str, *, token: str, body: dict | None = None) -> int:
    """The status of a plain request, for what the client has no call for."""
    data = None if body is None else json.dumps(body).encode()
    is_page = not path.startswith("/api/")
    content_type = "application/x-www-form-urlencoded" if is_page else "application/json"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type}
    request = urllib.request.Request(server.url + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def paths(api: HfApi, repo: str, **options) -> list[str]:
    return sorted(path for path in api.list_repo_files(repo, **options) if path != ".gitattributes")


def test_whoami_names_the_account(api):
    assert api.whoami()["name"] == "alice"


def test_creating_twice_is_refused_unless_it_may_exist(api):
    url = api.create_repo("alice/created", private=True)
    assert url.repo_id == "alice/created"
    assert api.create_repo("alice/created", exist_ok=True).repo_id == "alice/created"
    with pytest.raises(HfHubHTTPError) as caught:
        api.create_repo("alice/created")
    assert caught.value.response.status_code == 409
    api.delete_repo("alice/created")
    assert not api.repo_exists("alice/created")


def test_a_file_is_uploaded_and_downloaded(api, repo, tmp_path):
    done = api.upload_file(path_or_fileobj=CONTENT, path_in_repo="sub dir/wéights.bin", repo_id=repo)
    assert len(done.oid) == 40
    got = Path(api.hf_hub_download(repo, "sub dir/wéights.bin", local_dir=tmp_path / "to"))
    assert got.read_bytes() == CONTENT


def test_a_broken_off_download_is_continued(api, repo, server, alice):
    api.upload_file(path_or_fileobj=CONTENT, path_in_repo="w.bin", repo_id=repo)
    headers = {"Authorization": f"Bearer {alice.token}", "Range": "bytes=1000-"}
    request = urllib.request.Request(f"{server.url}/{repo}/resolve/main/w.bin", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 206
        assert response.headers["Content-Range"] == f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"
        assert response.read() == CONTENT[1000:]
    # The client continues what lies under its own name for an unfinished download.
    path = Path(api.hf_hub_download(repo, "w.bin"))
    unfinished = path.resolve().with_name(path.resolve().name + ".incomplete")
    path.resolve().unlink()
    path.unlink()
    unfinished.write_bytes(CONTENT[:5000])
    assert Path(api.hf_hub_download(repo, "w.bin")).read_bytes() == CONTENT


def test_a_folder_is_uploaded_and_taken_as_a_snapshot(api, repo, tmp_path):
    folder = tmp_path / "given"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Mine\n")
    (folder / "a" / "b" / "c.bin").write_bytes(CONTENT)
    (folder / "empty").write_bytes(b"")
    api.upload_folder(repo_id=repo, folder_path=folder)
    assert paths(api, repo) == ["README.md", "a/b/c.bin", "empty"]
    got = Path(api.snapshot_download(repo, local_dir=tmp_path / "got"))
    assert (got / "a" / "b" / "c.bin").read_bytes() == CONTENT
    assert (got / "empty").read_bytes() == b""
    assert api.model_info(repo).card_data.license == "mit"


def test_one_commit_adds_and_deletes(api, repo):
    added = [CommitOperationAdd(name, name.encode()) for name in ("a.txt", "d/b.txt", "d/c.txt", "e.txt")]
    first = api.create_commit(repo, added, commit_message="Add four")
    operations = [CommitOperationDelete("d/", is_folder=True), CommitOperationDelete("a.txt")]
    second = api.create_commit(
        repo,
        [*operations, CommitOperationAdd("e.txt", b"new")],
        commit_message="Less\n\nWhy so.",
        parent_commit=first.oid,
    )
    assert paths(api, repo) == ["e.txt"]
    assert paths(api, repo, revision=first.oid) == ["a.txt", "d/b.txt", "d/c.txt", "e.txt"]
    late = [CommitOperationAdd("f.txt", b"f.txt")]
    with pytest.raises(HfHubHTTPError) as caught:
        api.create_commit(repo, late, commit_message="Late", parent_commit=first.oid)
    assert caught.value.response.status_code == 412
    commits = api.list_repo_commits(repo)
    assert [commit.title for commit in commits[:2]] == ["Less", "Add four"]
    assert commits[0].commit_id == second.oid and commits[0].authors == ["alice"]


def test_deleting_what_is_not_there_makes_no_commit(api, repo):
    before = api.model_info(repo).sha
    with pytest.raises(EntryNotFoundError):
        api.delete_file("nothing.txt", repo)
    assert api.model_info(repo).sha == before


def test_the_tree_lists_files_and_folders(api, repo):
    api.create_commit(
        repo, [CommitOperationAdd("x/y/z.txt", b"zz"), CommitOperationAdd("top.txt", b"t")], commit_message="Add"
    )
    flat = {entry.path: type(entry).__name__ for entry in api.list_repo_tree(repo)}
    assert flat["x"] == "RepoFolder" and flat["top.txt"] == "RepoFile" and "x/y/z.txt" not in flat
    deep = {entry.path for entry in api.list_repo_tree(repo, recursive=True)}
    assert {"x", "x/y", "x/y/z.txt"} <= deep
    assert [entry.path for entry in api.list_repo_tree(repo, "x/y")] == ["x/y/z.txt"]
    (found,) = api.get_paths_info(repo, ["x/y/z.txt", "missing"], expand=True)
    assert (found.size, found.last_commit.title) == (2, "Add")
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(repo, "no/such"))


def test_branches_and_tags_come_and_go(api, repo):
    first = api.upload_file(path_or_fileobj=b"1", path_in_repo="f", repo_id=repo).oid
    api.create_branch(repo, branch="feat/x", revision=first)
    api.upload_file(path_or_fileobj=b"2", path_in_repo="f", repo_id=repo, revision="feat/x")
    api.create_tag(repo, tag="v1", revision="main", tag_message="one")
    refs = api.list_repo_refs(repo)
    assert {branch.name for branch in refs.branches} == {"main", "feat/x"}
    assert {tag.name: tag.target_commit for tag in refs.tags} == {"v1": first}
    assert Path(api.hf_hub_download(repo, "f", revision="feat/x")).read_bytes() == b"2"
    assert Path(api.hf_hub_download(repo, "f", revision="v1")).read_bytes() == b"1"
    with pytest.raises(HfHubHTTPError) as caught:
        api.create_branch(repo, branch="feat/x")
    assert caught.value.response.status_code == 409
    api.create_branch(repo, branch="feat/x", exist_ok=True)
    api.delete_branch(repo, branch="feat/x")
    api.delete_tag(repo, tag="v1")
    assert not api.revision_exists(repo, "feat/x")
    assert api.list_repo_refs(repo).tags == []


def test_what_exists_and_what_does_not_is_told(api, repo):
    api.upload_file(path_or_fileobj=b"1", path_in_repo="f", repo_id=repo)
    assert api.repo_exists(repo) and not api.repo_exists("alice/never-made")
    assert api.file_exists(repo, "f") and not api.file_exists(repo, "g")
    assert api.revision_exists(repo, "main") and not api.revision_exists(repo, "none")
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download(repo, "f", revision="none")
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download(repo, "g")


def test_models_are_found_sorted_and_paged(api):
    names = [f"alice/paged-{index}" for index in range(5)]
    for name in names:
        api.create_repo(name, private=False)
    found = [model.id for model in api.list_models(search="paged-", author="alice")]
    assert sorted(found) == names
    newest = [model.id for model in api.list_models(search="paged-", author="alice", sort="created_at", limit=2)]
    assert newest == names[:2:-1]
    assert [model.id for model in api.list_models(search="paged-3")] == ["alice/paged-3"]


def test_a_list_longer_than_a_page_is_followed(server, alice, api):
    for index in range(3):
        api.create_repo(f"alice/chained-{index}", private=False)
    url, seen = f"{server.url}/api/models?search=chained-&limit=1", []
    while url:
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {alice.token}"})
        with urllib.request.urlopen(request, timeout=30) as response:
            seen += [model["id"] for model in json.load(response)]
            link = response.headers.get("Link") or ""
        url = link.partition(">")[0].lstrip("<") if 'rel="next"' in link else ""
    assert sorted(seen) == [f"alice/chained-{index}" for index in range(3)]


def test_a_private_repository_is_not_found_by_strangers(api, server, bob):
    api.create_repo("alice/private", private=True)
    api.upload_file(path_or_fileobj=b"secret", path_in_repo="f", repo_id="alice/private")
    for token in (bob.token, False):
        stranger = HfApi(endpoint=server.url, token=token)
        calls = [
            stranger.model_info,
            stranger.list_repo_files,
            stranger.list_repo_refs,
            stranger.list_repo_commits,
            stranger.snapshot_download,
        ]
        for call in calls:
            with pytest.raises(RepositoryNotFoundError):
                call("alice/private")
        with pytest.raises(RepositoryNotFoundError):
            stranger.hf_hub_download("alice/private", "f")
        assert not stranger.repo_exists("alice/private")
        assert "alice/private" not in [model.id for model in stranger.list_models(author="alice")]


def test_a_stranger_cannot_write_to_a_public_repository(api, server, bob):
    api.create_repo("alice/public", private=False)
    stranger = HfApi(endpoint=server.url, token=bob.token)
    with pytest.raises(HfHubHTTPError) as caught:
        stranger.upload_file(path_or_fileobj=b"x", path_in_repo="f", repo_id="alice/public")
    assert caught.value.response.status_code == 403
    assert paths(api, "alice/public") == []


def test_a_wrong_token_is_told_so(server):
    with pytest.raises(HfHubHTTPError):
        HfApi(endpoint=server.url, token="wrong").whoami()


def test_a_dataset_lives_under_its_own_address(api, tmp_path):
    api.create_repo("alice/rows", repo_type="dataset")
    api.upload_file(path_or_fileobj=b"a,b\n1,2\n", path_in_repo="rows.csv", repo_id="alice/rows", repo_type="dataset")
    got = api.hf_hub_download("alice/rows", "rows.csv", repo_type="dataset", local_dir=tmp_path)
    assert Path(got).read_bytes() == b"a,b\n1,2\n"
    assert not api.repo_exists("alice/rows", repo_type="model")


def test_likes_are_listed_counted_and_taken_back(api, server, alice, bob):
    for name in ("alice/liked", "alice/unloved"):
        api.create_repo(name, private=False)
    for token in (alice.token, bob.token, bob.token):
        # The client has no call for this: people press a button.
        assert ask(server, "POST", "/api/models/alice/liked/like", token=token) == 200
    assert sorted(user.username for user in api.list_repo_likers("alice/liked")) == ["alice", "bob"]
    assert api.list_liked_repos("bob").models == ["alice/liked"]
    assert api.model_info("alice/liked").likes == 2
    found = api.list_models(author="alice", search="liked", sort="likes", limit=1)
    assert [model.id for model in found] == ["alice/liked"]
    api.unlike("alice/liked")
    assert api.list_liked_repos().models == []
    assert api.model_info("alice/liked").likes == 1
    api.update_repo_settings("alice/liked", private=True)
    assert HfApi(endpoint=server.url, token=bob.token).list_liked_repos("bob").models == []


def test_a_snapshot_of_many_files_counts_as_one_download(api, tmp_path):
    api.create_repo("alice/counted", private=False)
    files = [CommitOperationAdd(name, name.encode()) for name in ("README.md", "config.json", "a.bin", "b/c.bin")]
    api.create_commit("alice/counted", files, commit_message="Add")
    for n_snapshots in (1, 2):
        api.snapshot_download("alice/counted", local_dir=tmp_path / str(n_snapshots))
        until(lambda: api.model_info("alice/counted").downloads >= n_snapshots)
    api.hf_hub_download("alice/counted", "a.bin", local_dir=tmp_path / "one")
    api.snapshot_download("alice/counted", local_dir=tmp_path / "last")
    until(lambda: api.model_info("alice/counted").downloads >= 3)
    assert api.model_info("alice/counted").downloads == 3


def test_access_to_a_gated_repository_is_asked_for_and_given(api, server, alice, bob, tmp_path):
    repo = "alice/gated"
    api.create_repo(repo, private=False)
    api.upload_file(path_or_fileobj=CONTENT, path_in_repo="w.bin", repo_id=repo)
    api.update_repo_settings(repo, gated="manual")
    assert api.model_info(repo).gated == "manual"
    stranger = HfApi(endpoint=server.url, token=bob.token)
    with pytest.raises(GatedRepoError):
        stranger.hf_hub_download(repo, "w.bin", local_dir=tmp_path)
    with pytest.raises(GatedRepoError):
        stranger.auth_check(repo)
    with pytest.raises(GatedRepoError):
        stranger.snapshot_download(repo, local_dir=tmp_path)
    assert ask(server, "POST", f"/{repo}/ask-access", token=bob.token) == 200
    (request,) = api.list_pending_access_requests(repo)
    assert (request.username, request.status) == ("bob", "pending")
    api.accept_access_request(repo, user="bob")
    assert [request.username for request in api.list_accepted_access_requests(repo)] == ["bob"]
    stranger.auth_check(repo)
    assert Path(stranger.hf_hub_download(repo, "w.bin", local_dir=tmp_path)).read_bytes() == CONTENT
    api.reject_access_request(repo, user="bob", rejection_reason="No more.")
    assert [request.username for request in api.list_rejected_access_requests(repo)] == ["bob"]
    with pytest.raises(GatedRepoError):
        stranger.hf_hub_download(repo, "w.bin", local_dir=tmp_path / "again")
    api.cancel_access_request(repo, user="bob")
    api.grant_access(repo, "bob")
    stranger.auth_check(repo)
    api.update_repo_settings(repo, gated=False)
    assert HfApi(endpoint=server.url, token=False).file_exists(repo, "w.bin")


def test_a_discussion_is_begun_answered_and_closed(api, repo):
    begun = api.create_discussion(repo, title="Which data?", description="Is it public?")
    assert (begun.num, begun.status, begun.is_pull_request) == (1, "open", False)
    assert api.comment_discussion(repo, 1, "It is.").content == "It is."
    api.rename_discussion(repo, 1, "Which data was it?")
    assert api.change_discussion_status(repo, 1, "closed", comment="Done.").new_status == "closed"
    details = api.get_discussion_details(repo, 1)
    assert [event.type for event in details.events][:4] == ["comment", "comment", "title-change", "status-change"]
    assert [found.title for found in api.get_repo_discussions(repo)] == ["Which data was it?"]
    assert list(api.get_repo_discussions(repo, discussion_status="open")) == []


def test_a_stranger_offers_a_change_and_its_owner_merges_it(api, server, bob, tmp_path):
    repo = "alice/offered"
    api.create_repo(repo, private=False)
    api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo)
    stranger = HfApi(endpoint=server.url, token=bob.token)
    offered = stranger.upload_file(
        path_or_fileobj=CONTENT, path_in_repo="w.bin", repo_id=repo, commit_message="Weights", create_pr=True
    )
    assert (offered.pr_num, offered.pr_revision) == (1, "refs/pr/1")
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "more.txt").write_text("more")
    stranger.upload_folder(repo_id=repo, folder_path=folder, revision="refs/pr/1")
    assert paths(api, repo) == ["a.txt"]
    assert paths(api, repo, revision="refs/pr/1") == ["a.txt", "more.txt", "w.bin"]
    assert [ref.ref for ref in api.list_repo_refs(repo, include_pull_requests=True).pull_requests] == ["refs/pr/1"]
    with pytest.raises(HfHubHTTPError) as caught:
        stranger.merge_pull_request(repo, 1)
    assert caught.value.response.status_code == 403
    api.merge_pull_request(repo, 1, comment="Thanks")
    assert paths(api, repo) == ["a.txt", "more.txt", "w.bin"]
    details = api.get_discussion_details(repo, 1)
    assert (details.status, details.merge_commit_oid) == ("merged", api.model_info(repo).sha)
    # A folder too, whose pull request is made before its commit.
    url = stranger.upload_folder(repo_id=repo, folder_path=folder, path_in_repo="sub", create_pr=True)
    assert paths(api, repo, revision=url.pr_revision) == ["a.txt", "more.txt", "sub/more.txt", "w.bin"]


def test_a_repository_that_moved_is_used_under_its_old_name(api, tmp_path):
    api.create_repo("alice/before", private=False)
    api.upload_file(path_or_fileobj=CONTENT, path_in_repo="w.bin", repo_id="alice/before")
    api.create_repo("alice/taken")
    with pytest.raises(HfHubHTTPError) as caught:
        api.move_repo("alice/before", "alice/taken")
    assert caught.value.response.status_code == 409
    api.move_repo("alice/before", "alice/after")
    assert api.model_info("alice/before").id == "alice/after"
    got = Path(api.snapshot_download("alice/before", local_dir=tmp_path / "got"))
    assert (got / "w.bin").read_bytes() == CONTENT
    assert Path(api.hf_hub_download("alice/before", "w.bin")).read_bytes() == CONTENT
    api.upload_file(path_or_fileobj=b"more", path_in_repo="more.txt", repo_id="alice/before")
    assert paths(api, "alice/after") == ["more.txt", "w.bin"]


@pytest.mark.parametrize("is_xet", [True, False], ids=["in-chunks", "plain"])
def test_the_command_hf_works_unmodified(server, alice, tmp_path, is_xet):
    environment = {
        **os.environ,
        "HF_ENDPOINT": server.url,
        "HF_TOKEN": alice.token,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_COLOR": "1",
    }
    environment.pop("HF_HUB_DISABLE_XET", None)
    environment |= {} if is_xet else {"HF_HUB_DISABLE_XET": "1"}
    repo = f"alice/by-command-{'in-chunks' if is_xet else 'plain'}"
    large = CONTENT * 12

    def hf(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("hf")), *arguments]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == 0, f"`hf {' '.join(arguments)}`: {ended.stdout}{ended.stderr}"
        return ended.stdout

    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "w.bin").write_bytes(CONTENT)
    (tmp_path / "given" / "large.bin").write_bytes(large)
    assert "alice" in hf("auth", "whoami")
    hf("repos", "create", repo)
    hf("upload", repo, str(tmp_path / "given"))
    hf("download", repo, "--local-dir", str(tmp_path / "got"))
    for name, content in (("w.bin", CONTENT), ("large.bin", large)):
        assert (tmp_path / "got" / name).read_bytes() == content
    hf("upload", repo, str(tmp_path / "given" / "large.bin"), "again.bin", "--repo-type", "model")
    hf("download", repo, "again.bin", "--local-dir", str(tmp_path / "got"))
    assert (tmp_path / "got" / "again.bin").read_bytes() == large
    assert "large.bin" in hf("models", "info", repo, "--expand", "siblings")


def test_a_history_is_squashed(api: HfApi, repo: str) -> None:
    for number in range(3):
        api.upload_file(
            path_or_fileobj=f"{number}".encode(), path_in_repo="a.txt", repo_id=repo, commit_message=f"Number {number}"
        )
    before = api.list_repo_commits(repo)
    api.create_tag(repo, tag="kept", revision="main")
    api.super_squash_history(repo, commit_message="All of it")
    (after,) = api.list_repo_commits(repo)
    assert after.title == "All of it" and after.commit_id != before[0].commit_id
    assert Path(api.hf_hub_download(repo, "a.txt", force_download=True)).read_text() == "2"
    assert [commit.title for commit in api.list_repo_commits(repo, revision="kept")][0] == "Number 2"
    with pytest.raises(RevisionNotFoundError):
        api.super_squash_history(repo, branch="nowhere")
