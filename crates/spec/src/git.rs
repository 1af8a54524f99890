//! Object ids as git computes them, so that a revision of ours is the commit id git would give it.
//!
//! Knows nothing of where objects are kept. Source: git's `object-file` format, "Git Internals", chapter 10.2.

use sha1::{Digest, Sha1};

use crate::digest::Oid;

/// Computes the id of a blob while its bytes pass by. Its length must be known before the first byte.
pub struct BlobHasher(Sha1);

impl BlobHasher {
    pub fn new(n_bytes: u64) -> Self {
        let mut hasher = Sha1::new();
        hasher.update(format!("blob {n_bytes}\0"));
        Self(hasher)
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> Oid {
        Oid::from_bytes(self.0.finalize().into())
    }
}

/// The id of a blob that is all here.
pub fn blob(bytes: &[u8]) -> Oid {
    let mut hasher = BlobHasher::new(bytes.len() as u64);
    hasher.update(bytes);
    hasher.finish()
}

/// The id of the tree that holds these files. `files` are full paths with the ids of their blobs, in any order.
pub fn tree<'a>(files: impl IntoIterator<Item = (&'a str, Oid)>) -> Oid {
    let mut files: Vec<(&str, Oid)> = files.into_iter().collect();
    files.sort_unstable_by(|a, b| a.0.cmp(b.0));
    subtree(&files)
}

/// What a commit says, in the order git writes it.
pub struct Commit<'a> {
    pub tree: Oid,
    pub parent: Option<Oid>,
    pub author: &'a str,
    /// Seconds since 1970-01-01 UTC.
    pub time_s: i64,
    pub message: &'a str,
}

/// The id of a commit. The author's address is `<name>@users.noreply`, since we hold none that may be shown.
pub fn commit(commit: &Commit<'_>) -> Oid {
    let Commit { tree, parent, author, time_s, message } = commit;
    let parent = parent.map_or_else(String::new, |oid| format!("parent {oid}\n"));
    let who = format!("{author} <{author}@users.noreply> {time_s} +0000");
    object("commit", format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\n{message}\n").as_bytes())
}

fn object(kind: &str, body: &[u8]) -> Oid {
    let mut hasher = Sha1::new();
    hasher.update(format!("{kind} {}\0", body.len()));
    hasher.update(body);
    Oid::from_bytes(hasher.finalize().into())
}

/// `files` are sorted and their paths relative to this tree.
fn subtree(files: &[(&str, Oid)]) -> Oid {
    let mut entries: Vec<(String, &str, Oid)> = Vec::new();
    let mut rest = files;
    while let Some((path, oid)) = rest.first() {
        let Some((directory, _)) = path.split_once('/') else {
            entries.push(((*path).to_owned(), "100644", *oid));
            rest = &rest[1..];
            continue;
        };
        let inside = |path: &str| path.strip_prefix(directory).is_some_and(|tail| tail.starts_with('/'));
        let n = rest.iter().take_while(|(path, _)| inside(path)).count();
        let children: Vec<(&str, Oid)> =
            rest[..n].iter().map(|(path, oid)| (&path[directory.len() + 1..], *oid)).collect();
        entries.push((directory.to_owned(), "40000", subtree(&children)));
        rest = &rest[n..];
    }
    // Git sorts a directory as if its name ended in `/`.
    entries.sort_by_key(|(name, mode, _)| if *mode == "40000" { format!("{name}/") } else { name.clone() });
    let mut body = Vec::new();
    for (name, mode, oid) in entries {
        body.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        body.extend_from_slice(oid.as_bytes());
    }
    object("tree", &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Ids printed by git 2.47.3 (`git hash-object`, `git write-tree`) for the same contents.
    #[test]
    fn ids_are_those_of_git() {
        assert_eq!(blob(b"hello\n").to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(tree([]).to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        let hello = blob(b"hello\n");
        let nested = tree([("a/x.txt", hello), ("a.txt", hello), ("a-b", hello)]);
        assert_eq!(nested.to_string(), "32a6f309ce546382ee9b7993d12e74ee4a607565");
    }
}
