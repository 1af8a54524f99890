//! What nothing names: found, deleted, and left alone where somebody names it meanwhile.

use store::Db;
use store::db::chunked_files::{self, NewChunkedFile};
use store::db::ids::{ChunkedFileId, RepositoryId, XorbId};
use store::db::repositories;
use store::db::storage::{
    Totals, delete_files, delete_uploads, delete_xorbs, known_files, named, of_repositories, totals,
    unused_files, unused_uploads, unused_xorbs,
};
use store::db::xorbs;
use store::{Error, db::accounts};

use crate::chunks::file;
use crate::world::{NOW_MS, commit, put, repository};

on_both_databases!(
    what_was_named_since_it_was_looked_at_stays,
    a_deleted_repository_leaves_what_can_be_deleted,
    a_xorb_that_went_cannot_be_named,
    what_is_kept_whole_is_named_by_its_places,
    what_is_stored_is_counted_once_and_for_each_repository,
);

const LATER_MS: i64 = NOW_MS + 1;

async fn found(db: &Db, before_ms: i64) -> (usize, usize, usize) {
    let uploads = unused_uploads(db, before_ms, None).await.unwrap();
    let files = unused_files(db, before_ms, ChunkedFileId(0)).await.unwrap();
    let xorbs = unused_xorbs(db, before_ms, XorbId(0)).await.unwrap();
    (uploads.len(), files.len(), xorbs.len())
}

async fn what_was_named_since_it_was_looked_at_stays(db: Db) {
    let (_, new, terms) = file(&db, "weights").await;
    let alice = accounts::by_name(&db, "alice").await.unwrap().unwrap();
    let iris = repository(&db, &alice, "iris").await;
    chunked_files::put(&db, &NewChunkedFile { terms: &terms, ..new.clone() }, iris.id).await.unwrap();
    assert_eq!(found(&db, NOW_MS).await, (0, 0, 0), "all of it came at that time");
    assert_eq!(found(&db, LATER_MS + 9).await, (1, 1, 2));
    let uploads = unused_uploads(&db, LATER_MS + 9, None).await.unwrap();
    assert!(unused_uploads(&db, LATER_MS + 9, uploads.last()).await.unwrap().is_empty());
    let files = unused_files(&db, LATER_MS + 9, ChunkedFileId(0)).await.unwrap();
    let looked_at = unused_xorbs(&db, LATER_MS + 9, XorbId(0)).await.unwrap();
    // At the very time at which it came, and the row changes nevertheless.
    commit(&db, &iris, "large", &[put("w.bin", "weights")]).await.unwrap();
    assert_eq!(delete_files(&db, &files).await.unwrap(), 0);
    assert!(delete_xorbs(&db, &looked_at, NOW_MS).await.unwrap().is_empty());
    assert_eq!(found(&db, LATER_MS + 9).await, (0, 0, 0));
    let again = NewChunkedFile { terms: &terms, now_ms: LATER_MS, ..new };
    chunked_files::put(&db, &again, iris.id).await.unwrap();
    assert_eq!(delete_uploads(&db, &uploads).await.unwrap(), 0, "it was sent again");
}

async fn a_deleted_repository_leaves_what_can_be_deleted(db: Db) {
    let (sent, new, terms) = file(&db, "weights").await;
    let alice = accounts::by_name(&db, "alice").await.unwrap().unwrap();
    let (iris, lily) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "lily").await);
    for to in [&iris, &lily] {
        chunked_files::put(&db, &NewChunkedFile { terms: &terms, ..new.clone() }, to.id).await.unwrap();
        commit(&db, to, "large", &[put("w.bin", "weights")]).await.unwrap();
    }
    repositories::delete(&db, iris.id).await.unwrap();
    assert_eq!(found(&db, LATER_MS + 99).await, (0, 0, 0), "the other has it still");
    repositories::delete(&db, lily.id).await.unwrap();
    assert_eq!(found(&db, LATER_MS + 99).await, (0, 1, 2));
    let files = unused_files(&db, LATER_MS + 99, ChunkedFileId(0)).await.unwrap();
    let unused = unused_xorbs(&db, LATER_MS + 99, XorbId(0)).await.unwrap();
    assert!(delete_xorbs(&db, &unused, NOW_MS).await.unwrap().is_empty(), "a file is made of them");
    assert_eq!(delete_files(&db, &files).await.unwrap(), 1);
    let bytes = [sent[0].sha256, sent[1].sha256, new.sha256];
    assert_eq!(named(&db, &bytes).await.unwrap(), bytes[..2].iter().copied().collect());
    let ids = [sent[0].id, sent[1].id].into();
    assert_eq!(delete_xorbs(&db, &unused, NOW_MS).await.unwrap(), ids);
    assert!(named(&db, &bytes).await.unwrap().is_empty());
}

async fn a_xorb_that_went_cannot_be_named(db: Db) {
    let (sent, new, terms) = file(&db, "weights").await;
    let alice = accounts::by_name(&db, "alice").await.unwrap().unwrap();
    let iris = repository(&db, &alice, "iris").await;
    let unused = unused_xorbs(&db, LATER_MS, XorbId(0)).await.unwrap();
    xorbs::touch(&db, &[sent[1].id], NOW_MS + 2 * 3_600_000).await.unwrap();
    assert_eq!(delete_xorbs(&db, &unused, NOW_MS).await.unwrap(), [sent[0].id].into());
    let gone = chunked_files::put(&db, &NewChunkedFile { terms: &terms, ..new.clone() }, iris.id).await;
    assert!(matches!(gone, Err(Error::NotFound { what: "xorb", .. })), "{gone:?}");
    assert_eq!(chunked_files::by_sha256(&db, new.sha256).await.unwrap(), None);
    let gone = xorbs::put_sender(&db, sent[0].id, alice.id, NOW_MS).await;
    assert!(matches!(gone, Err(Error::NotFound { what: "xorb", .. })), "{gone:?}");
}

async fn what_is_kept_whole_is_named_by_its_places(db: Db) {
    let (_, new, _) = file(&db, "weights").await;
    let alice = accounts::by_name(&db, "alice").await.unwrap().unwrap();
    let iris = repository(&db, &alice, "iris").await;
    commit(&db, &iris, "small", &[put("a.txt", "weights")]).await.unwrap();
    assert_eq!(named(&db, &[new.sha256]).await.unwrap(), [new.sha256].into());
    assert_eq!(known_files(&db, &[new.sha256]).await.unwrap(), [new.sha256].into());
    commit(&db, &iris, "none", &[crate::world::delete("a.txt")]).await.unwrap();
    assert_eq!(named(&db, &[new.sha256]).await.unwrap().len(), 1, "an older commit has it");
    repositories::delete(&db, iris.id).await.unwrap();
    assert!(named(&db, &[new.sha256]).await.unwrap().is_empty());
}

async fn what_is_stored_is_counted_once_and_for_each_repository(db: Db) {
    let (_, new, terms) = file(&db, "weights").await;
    let alice = accounts::by_name(&db, "alice").await.unwrap().unwrap();
    let (iris, lily) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "lily").await);
    for to in [&iris, &lily] {
        chunked_files::put(&db, &NewChunkedFile { terms: &terms, ..new.clone() }, to.id).await.unwrap();
        commit(&db, to, "large", &[put("w.bin", "weights")]).await.unwrap();
    }
    // The same bytes under two paths and in two commits.
    commit(&db, &lily, "small", &[put("a.txt", "seven b"), put("b.txt", "seven b")]).await.unwrap();
    commit(&db, &lily, "again", &[put("c.txt", "seven b")]).await.unwrap();
    let all = totals(&db).await.unwrap();
    let expected = Totals {
        n_files: 2,
        file_bytes: 557,
        logical_bytes: 1107,
        n_xorbs: 2,
        chunk_bytes: 800,
        xorb_bytes: 600,
        n_whole: 1,
        whole_bytes: 7,
    };
    assert_eq!(all, expected);
    let each = of_repositories(&db, RepositoryId(0), 9).await.unwrap();
    let counted: Vec<_> =
        each.iter().map(|of| (of.name.as_str(), of.n_files, of.n_bytes, of.own_bytes)).collect();
    assert_eq!(counted, [("iris", 1, 550, 0), ("lily", 1, 550, 0)]);
    repositories::delete(&db, iris.id).await.unwrap();
    let each = of_repositories(&db, RepositoryId(0), 9).await.unwrap();
    assert_eq!((each.len(), each[0].own_bytes), (1, 550));
}
