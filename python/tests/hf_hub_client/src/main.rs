//! What people do with the Hub's client in Rust, `hf-hub`: run as a program, and not imported by anything.
//!
//! The server and the token are in the environment, as that client reads them. Invariant: whatever is not as it was sent
//! ends it with a panic that says what.
//!
//!     HF_ENDPOINT=… HF_TOKEN=… hf_hub_client <owner> <folder>

use std::fs;
use std::path::Path;

use futures_util::{StreamExt, pin_mut};
use hf_hub::repository::{AddSource, CommitOperation, RepoTreeEntry, RepoTypeDataset, RepoTypeModel};
use hf_hub::{HFClient, HFError, HFRepository};

type Model = HFRepository<RepoTypeModel>;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [owner, folder] = words.as_slice() else { panic!("usage: hf_hub_client <owner> <folder>") };
    let (client, folder) = (HFClient::new().unwrap(), Path::new(folder));
    assert_eq!(client.whoami().await.unwrap().username, *owner);
    let large = noise(12_000_000);
    let given = folder.join("given");
    fs::create_dir_all(given.join("deep")).unwrap();
    fs::write(given.join("deep/w.safetensors"), &large).unwrap();
    fs::write(given.join("README.md"), "---\nlicense: mit\n---\n# A\n").unwrap();
    fs::write(given.join("empty.txt"), "").unwrap();

    let made = client.create_repository().repo_id(&format!("{owner}/by-rust")).repo_type(RepoTypeModel);
    made.private(true).send().await.unwrap();
    let repo = client.model(owner.as_str(), "by-rust");
    repo.upload_folder().folder_path(given.clone()).commit_message("All").send().await.unwrap();
    let listed = list(&repo).await;
    let names: Vec<&str> = listed.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(names, [".gitattributes", "README.md", "deep/w.safetensors", "empty.txt"]);
    assert!(listed[2].1, "what is large is told to be had in chunks");

    let got = folder.join("got");
    repo.snapshot_download().local_dir(got.clone()).send().await.unwrap();
    for name in ["README.md", "deep/w.safetensors", "empty.txt"] {
        assert!(fs::read(got.join(name)).unwrap() == fs::read(given.join(name)).unwrap(), "{name}");
    }
    let kept = repo.download_file().filename("deep/w.safetensors").send().await.unwrap();
    assert!(fs::read(kept).unwrap() == large);
    let part = repo.download_file_to_bytes().filename("deep/w.safetensors").range(70_000..9_000_000);
    assert!(part.send().await.unwrap() == large[70_000..9_000_000]);

    change(&repo, &large).await;
    misses(&client, &repo, owner).await;
    rows(&client, owner, folder).await;
}

/// Files of `main` with whether they are told to be had in chunks, by their paths.
async fn list(repo: &Model) -> Vec<(String, bool)> {
    let entries = repo.list_tree().recursive(true).send().unwrap();
    pin_mut!(entries);
    let mut files = Vec::new();
    while let Some(entry) = entries.next().await {
        if let RepoTreeEntry::File { path, xet_hash, lfs, .. } = entry.unwrap() {
            assert_eq!(xet_hash.is_some(), lfs.is_some());
            files.push((path, xet_hash.is_some()));
        }
    }
    files.sort();
    files
}

async fn change(repo: &Model, large: &[u8]) {
    repo.create_branch().branch("next").send().await.unwrap();
    repo.create_tag().tag("v1").send().await.unwrap();
    let mut second = large.to_vec();
    second[5_000_000..5_001_000].fill(7);
    let operations = vec![
        CommitOperation::add_bytes("deep/w.safetensors", second.clone()),
        CommitOperation::add_bytes("small.txt", &b"small"[..]),
        CommitOperation::delete("empty.txt"),
    ];
    repo.create_commit().operations(operations).commit_message("Second").send().await.unwrap();
    let now = repo.download_file_to_bytes().filename("deep/w.safetensors").send().await.unwrap();
    assert!(now == second);
    let then = repo.download_file_to_bytes().filename("deep/w.safetensors").revision("v1").send().await.unwrap();
    assert!(then == large);
    assert!(!repo.file_exists().filename("empty.txt").send().await.unwrap());
    let refs = repo.list_refs().send().await.unwrap();
    let mut branches: Vec<&str> = refs.branches.iter().map(|branch| branch.name.as_str()).collect();
    branches.sort_unstable();
    assert_eq!(branches, ["main", "next"]);
    let small = AddSource::bytes(&b"on a branch"[..]);
    repo.upload_file().source(small).path_in_repo("b.txt").revision("next").send().await.unwrap();
    let there = repo.download_file_to_bytes().filename("b.txt").revision("next").send().await.unwrap();
    assert_eq!(&there[..], b"on a branch");
}

async fn misses(client: &HFClient, repo: &Model, owner: &str) {
    let missing = repo.download_file_to_bytes().filename("none.txt").send().await.unwrap_err();
    assert!(matches!(missing, HFError::EntryNotFound { .. }), "{missing:?}");
    let missing = repo.download_file_to_bytes().filename("small.txt").revision("none").send().await.unwrap_err();
    assert!(!matches!(missing, HFError::Request { .. }), "{missing:?}");
    assert!(!client.model(owner, "none").exists().send().await.unwrap());
    assert!(repo.exists().send().await.unwrap());
}

async fn rows(client: &HFClient, owner: &str, folder: &Path) {
    let id = format!("{owner}/rows-by-rust");
    client.create_repository().repo_id(&id).repo_type(RepoTypeDataset).send().await.unwrap();
    let rows = client.dataset(owner, "rows-by-rust");
    let table = AddSource::bytes(&b"a\n1\n"[..]);
    rows.upload_file().source(table).path_in_repo("train.csv").send().await.unwrap();
    let path = rows.download_file().filename("train.csv").local_dir(folder.join("rows")).send().await.unwrap();
    assert_eq!(fs::read(path).unwrap(), b"a\n1\n");
    client.delete_repository().repo_id(&id).repo_type(RepoTypeDataset).send().await.unwrap();
    assert!(!rows.exists().send().await.unwrap());
}

/// Bytes that nothing can pack, always the same.
fn noise(n: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(n).collect()
}
