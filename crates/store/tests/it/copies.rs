//! Copies between repositories: what comes along, what does not, and that both live on alone.

use spec::name::{RefName, RepositoryKind};
use store::db::chunked_files::{self, NewChunkedFile};
use store::db::facts::{self, Facts};
use store::db::refs::{self, NewRef, RefKind};
use store::db::repositories::{self, Duplicate, Gate, NewRepository, Repository, Summary};
use store::db::revisions::{self, NewRevision};
use store::db::storage::bytes_in;
use store::db::{accounts, entries, uploads};
use store::{Db, Error};

use crate::chunks::file;
use crate::world::{NOW_MS, account, commit, create, new_revision, put, repository, repository_name, sent};

on_both_databases!(
    a_copy_has_the_same_commits_branches_and_tags,
    what_no_branch_leads_to_is_not_copied,
    a_copy_outlives_what_it_was_made_from,
    a_name_that_is_taken_is_refused_and_nothing_is_made,
    a_file_is_lent_by_who_has_it_in_a_commit,
);

async fn duplicate(db: &Db, from: &Repository, name: &str) -> Result<Repository, Error> {
    let name = repository_name(&format!("alice/{name}"));
    let (owner_id, kind, created_ms) = (from.owner_id, RepositoryKind::Model, NOW_MS + 5);
    let new = NewRepository { owner_id, kind, name: &name, is_private: true, created_ms };
    repositories::duplicate(db, &Duplicate { from: from.id, new, gate: Gate::Manual }).await
}

async fn tag(db: &Db, of: &Repository, revision_id: revisions::Revision) {
    let name: RefName = "v1".parse().unwrap();
    let (kind, message, revision_id) = (RefKind::Tag, "first", revision_id.id);
    let new = NewRef { repository_id: of.id, kind, name: &name, revision_id, message, created_ms: NOW_MS };
    refs::create(db, &new).await.unwrap();
}

async fn a_copy_has_the_same_commits_branches_and_tags(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let first = commit(&db, &iris, "1", &[put("a", "1"), put("b/c", "2")]).await.unwrap().revision;
    tag(&db, &iris, first.clone()).await;
    let second = commit(&db, &iris, "2", &[put("a", "3")]).await.unwrap().revision;
    let side: RefName = "side".parse().unwrap();
    let changes = [put("d", "4")];
    sent(&db, &iris, &changes).await;
    let new = NewRevision { changes: &changes, title: "3", ..new_revision(&iris, &side) };
    revisions::commit(&db, &new).await.unwrap();
    let read = Facts { revision_id: second.id, json: "{\"a\":1}".to_owned(), inspected_ms: NOW_MS };
    facts::put(&db, &read).await.unwrap();
    let summary = Summary { title: "Iris", tags: &["flowers".to_owned()], card: "{}", ..Summary::default() };
    repositories::set_summary(&db, iris.id, &summary).await.unwrap();
    let copy = duplicate(&db, &iris, "copy").await.unwrap();
    assert_eq!((copy.is_private, copy.gate, copy.title.as_str()), (true, Gate::Manual, "Iris"));
    assert_eq!((copy.created_ms, copy.n_likes), (NOW_MS + 5, 0));
    for name in ["main", "side", "v1", &first.oid.to_string()] {
        let (old, new) = (
            revisions::resolve(&db, iris.id, name).await.unwrap().unwrap(),
            revisions::resolve(&db, copy.id, name).await.unwrap().unwrap(),
        );
        assert_eq!((old.oid, &old.title, old.created_ms), (new.oid, &new.title, new.created_ms));
        assert!(old.id != new.id && old.tree_id != new.tree_id, "{name}");
    }
    let head = revisions::resolve(&db, copy.id, "main").await.unwrap().unwrap();
    assert_eq!(facts::get(&db, head.id).await.unwrap().unwrap().json, read.json);
    let line = revisions::history(&db, head.id, None, 9).await.unwrap().items;
    assert_eq!(line.iter().map(|one| one.title.as_str()).collect::<Vec<_>>(), ["2", "1"]);
    let entry = entries::by_path(&db, head.tree_id, "b/c").await.unwrap().unwrap();
    assert_eq!((entry.n_bytes, entry.last_revision.oid), (1, first.oid));
    // Each goes its own way from here.
    commit(&db, &copy, "4", &[put("a", "5")]).await.unwrap();
    assert_eq!(revisions::resolve(&db, iris.id, "main").await.unwrap().unwrap(), second);
}

async fn what_no_branch_leads_to_is_not_copied(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let secret = commit(&db, &iris, "secret", &[put("key", "1")]).await.unwrap().revision;
    commit(&db, &iris, "without", &[crate::world::delete("key"), put("a", "2")]).await.unwrap();
    let branch = "main".parse().unwrap();
    revisions::squash(&db, &crate::world::squash(&iris, &branch)).await.unwrap();
    let extent = revisions::extent(&db, iris.id).await.unwrap();
    assert_eq!((extent.n_revisions, extent.n_files), (1, 1));
    let copy = duplicate(&db, &iris, "copy").await.unwrap();
    assert!(revisions::resolve(&db, iris.id, &secret.oid.to_string()).await.unwrap().is_some());
    assert!(revisions::resolve(&db, copy.id, &secret.oid.to_string()).await.unwrap().is_none());
}

async fn a_copy_outlives_what_it_was_made_from(db: Db) {
    let (_, new, terms) = file(&db, "weights").await;
    let alice = accounts::by_name(&db, "alice").await.unwrap().unwrap();
    let iris = repository(&db, &alice, "iris").await;
    chunked_files::put(&db, &NewChunkedFile { terms: &terms, ..new.clone() }, iris.id).await.unwrap();
    commit(&db, &iris, "large", &[put("w.bin", "weights"), put("small", "whole")]).await.unwrap();
    let copy = duplicate(&db, &iris, "copy").await.unwrap();
    assert_eq!(bytes_in(&db, copy.id).await.unwrap(), 550);
    repositories::delete(&db, iris.id).await.unwrap();
    assert_eq!(chunked_files::in_repository(&db, copy.id, &[new.sha256]).await.unwrap().len(), 1);
    let whole = spec::digest::Sha256::of(b"whole");
    assert_eq!(store::db::storage::named(&db, &[whole]).await.unwrap(), [whole].into());
    let gone = duplicate(&db, &iris, "second").await;
    assert!(matches!(gone, Err(Error::NotFound { what: "repository", .. })), "{gone:?}");
}

async fn a_name_that_is_taken_is_refused_and_nothing_is_made(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    commit(&db, &iris, "1", &[put("a", "1")]).await.unwrap();
    let rose = create(&db, &alice, "rose", false).await.unwrap();
    let taken = duplicate(&db, &iris, "ROSE").await;
    assert!(matches!(taken, Err(Error::AlreadyExists { .. })), "{taken:?}");
    assert!(revisions::resolve(&db, rose.id, "main").await.unwrap().is_none());
}

async fn a_file_is_lent_by_who_has_it_in_a_commit(db: Db) {
    let (_, new, terms) = file(&db, "weights").await;
    let alice = accounts::by_name(&db, "alice").await.unwrap().unwrap();
    let (iris, rose) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "rose").await);
    chunked_files::put(&db, &NewChunkedFile { terms: &terms, ..new.clone() }, iris.id).await.unwrap();
    let wanted = [new.sha256].into();
    let copy = async || chunked_files::copy(&db, (iris.id, rose.id), &wanted, NOW_MS + 9).await;
    assert!(copy().await.unwrap().is_empty(), "it was sent and not committed");
    commit(&db, &iris, "large", &[put("w.bin", "weights")]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(copy().await.unwrap(), wanted);
    }
    assert_eq!(uploads::find(&db, rose.id, new.sha256).await.unwrap().unwrap().n_bytes, 550);
    repositories::delete(&db, rose.id).await.unwrap();
    assert!(matches!(copy().await, Err(Error::NotFound { what: "repository", .. })));
}
