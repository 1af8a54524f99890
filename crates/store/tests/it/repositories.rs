//! Repositories and endpoints.

use spec::digest::Sha256;
use spec::git;
use spec::name::RepositoryKind;
use spec::xet::XetHash;
use store::contents::Receipt;
use store::db::chunked_files::packed::{self, NewFile, NewFiles};
use store::db::endpoints::{self, NewEndpoint, NewState};
use store::db::facts::{self, Facts};
use store::db::repositories::{self, NewRepository, Summary, Viewer};
use store::db::revisions::{self, NewRevision};
use store::{Db, Error};

use crate::world::{NOW_MS, account, commit, create, new_revision, put, repository, repository_name};

on_both_databases!(
    a_name_is_taken_for_its_kind_and_owner,
    a_repository_comes_with_its_first_commit_or_not_at_all,
    deleting_takes_all_that_hangs_on_it,
    a_summary_is_read_back,
    downloads_are_counted,
    a_former_name_leads_to_whoever_had_it_last,
    a_repository_has_one_endpoint,
    a_private_repositorys_endpoint_is_listed_for_its_owner_only,
    text_with_a_zero_byte_is_kept_without_it,
);

async fn a_name_is_taken_for_its_kind_and_owner(db: Db) {
    let (alice, bob) = (account(&db, "Alice").await, account(&db, "bob").await);
    let iris = repository(&db, &alice, "Iris").await;
    assert_eq!((iris.owner_name.as_str(), iris.name.as_str()), ("Alice", "Iris"));
    let error = create(&db, &alice, "iRIS", false).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { what: "repository", .. }), "{error:?}");
    create(&db, &bob, "iris", false).await.unwrap();
    let name = repository_name("alice/iris");
    let kind = RepositoryKind::Dataset;
    let dataset =
        NewRepository { owner_id: alice.id, kind, name: &name, is_private: true, created_ms: NOW_MS };
    let dataset = repositories::create(&db, &dataset).await.unwrap();
    let found = repositories::by_name(&db, RepositoryKind::Model, &name).await.unwrap();
    assert_eq!(found, Some(iris));
    assert_eq!(repositories::by_id(&db, dataset.id).await.unwrap(), Some(dataset));
}

async fn a_repository_comes_with_its_first_commit_or_not_at_all(db: Db) {
    let alice = account(&db, "alice").await;
    let any = repository(&db, &alice, "any").await;
    let (branch, name) = ("main".parse().unwrap(), repository_name("alice/iris"));
    let kind = RepositoryKind::Model;
    let new = NewRepository { owner_id: alice.id, kind, name: &name, is_private: false, created_ms: NOW_MS };
    let bad = [put("a", "1"), put("a/b", "1")];
    let first = NewRevision { changes: &bad, ..new_revision(&any, &branch) };
    let error = repositories::create_with_first_revision(&db, &new, &first).await.unwrap_err();
    assert!(matches!(error, Error::PathConflict { .. }));
    assert_eq!(repositories::by_name(&db, kind, &name).await.unwrap(), None);
    let good = [put("a", "")];
    let empty = NewFile {
        hash: XetHash::of_file(&[]),
        sha256: Sha256::of(b""),
        git_oid: git::blob(b""),
        n_bytes: 0,
        pieces: Vec::new(),
        first: None,
    };
    let receipt = Receipt { repository: None, now_ms: NOW_MS };
    packed::put(&db, &NewFiles { xorbs: Vec::new(), files: vec![empty] }, receipt).await.unwrap();
    let first = NewRevision { changes: &good, ..first };
    let (iris, committed) = repositories::create_with_first_revision(&db, &new, &first).await.unwrap();
    let head = revisions::resolve(&db, iris.id, "main").await.unwrap();
    assert_eq!(head, Some(committed.revision));
}

async fn deleting_takes_all_that_hangs_on_it(db: Db) {
    let alice = account(&db, "alice").await;
    let (iris, kept) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "kept").await);
    for repository in [&iris, &kept] {
        let first = commit(&db, repository, "1", &[put("a/b", "1")]).await.unwrap().revision;
        commit(&db, repository, "2", &[put("a/c", "2")]).await.unwrap();
        facts::put(&db, &Facts { revision_id: first.id, json: "{}".to_owned(), inspected_ms: 0 })
            .await
            .unwrap();
        let tags = ["x".to_owned()];
        repositories::set_summary(&db, repository.id, &Summary { tags: &tags, ..Summary::default() })
            .await
            .unwrap();
        let new = NewEndpoint {
            repository_id: repository.id,
            revision_id: first.id,
            percent: 100,
            state: "pending",
            now_ms: NOW_MS,
        };
        endpoints::put(&db, &new).await.unwrap();
    }
    repositories::delete(&db, iris.id).await.unwrap();
    assert_eq!(repositories::by_id(&db, iris.id).await.unwrap(), None);
    assert_eq!(endpoints::by_repository(&db, iris.id).await.unwrap(), None);
    assert!(matches!(repositories::delete(&db, iris.id).await, Err(Error::NotFound { .. })));
    assert!(revisions::resolve(&db, kept.id, "main").await.unwrap().is_some());
    let again = repository(&db, &alice, "iris").await;
    assert!(again.id > iris.id, "an id never comes back");
    assert_eq!(revisions::resolve(&db, again.id, "main").await.unwrap(), None);
}

async fn a_summary_is_read_back(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let tags = ["Flowers".to_owned(), "flowers".to_owned(), "x\"y".to_owned()];
    let summary = Summary {
        title: "Iris",
        description: "Three species",
        task: Some("tabular-classification"),
        library: None,
        license: Some("mit"),
        tags: &tags,
        card: "{\"a\":1}",
    };
    repositories::set_summary(&db, iris.id, &summary).await.unwrap();
    repositories::set_private(&db, iris.id, true, NOW_MS + 7).await.unwrap();
    let found = repositories::by_id(&db, iris.id).await.unwrap().unwrap();
    assert_eq!((found.title.as_str(), found.description.as_str()), ("Iris", "Three species"));
    assert_eq!(
        (found.task.as_deref(), found.library, found.license.as_deref()),
        (summary.task, None, Some("mit"))
    );
    assert_eq!(serde_json::from_str::<Vec<String>>(&found.tags).unwrap(), tags);
    assert_eq!((found.card.as_str(), found.is_private, found.updated_ms), ("{\"a\":1}", true, NOW_MS + 7));
    let nowhere = store::db::ids::RepositoryId(999);
    assert!(matches!(repositories::set_summary(&db, nowhere, &summary).await, Err(Error::NotFound { .. })));
}

async fn downloads_are_counted(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let gone = store::db::ids::RepositoryId(999);
    repositories::add_downloads(&db, &[(gone, 5), (iris.id, 2), (iris.id, 1)]).await.unwrap();
    assert_eq!(repositories::by_id(&db, iris.id).await.unwrap().unwrap().n_downloads, 3);
}

async fn a_repository_has_one_endpoint(db: Db) {
    let alice = account(&db, "alice").await;
    let (iris, other) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "other").await);
    let first = commit(&db, &iris, "1", &[put("a", "1")]).await.unwrap().revision;
    let second = commit(&db, &iris, "2", &[put("a", "2")]).await.unwrap().revision;
    let deploy = |revision_id| NewEndpoint {
        repository_id: iris.id,
        revision_id,
        percent: 100,
        state: "pending",
        now_ms: NOW_MS,
    };
    let created = endpoints::put(&db, &deploy(first.id)).await.unwrap();
    assert_eq!((created.oid, created.state.as_str(), created.is_stopped), (first.oid, "pending", false));
    let stopped = NewState { state: "stopped", reason: "by its owner", now_ms: NOW_MS + 1 };
    assert!(endpoints::stop(&db, iris.id, &stopped).await.unwrap());
    let found = endpoints::by_repository(&db, iris.id).await.unwrap().unwrap();
    assert_eq!(
        (found.state.as_str(), found.reason.as_str(), found.is_stopped),
        ("stopped", "by its owner", true)
    );
    let moved = endpoints::put(&db, &deploy(second.id)).await.unwrap();
    assert_eq!((moved.id, moved.oid, moved.is_stopped), (created.id, second.oid, false));
    assert_eq!(moved.reason, "");
    assert_eq!(endpoints::in_state(&db, "pending").await.unwrap(), [iris.id]);
    assert!(endpoints::in_state(&db, "building").await.unwrap().is_empty());
    let foreign = NewEndpoint { repository_id: other.id, ..deploy(first.id) };
    assert!(matches!(endpoints::put(&db, &foreign).await, Err(Error::NotFound { .. })));
    endpoints::delete(&db, iris.id).await.unwrap();
    assert!(!endpoints::stop(&db, iris.id, &stopped).await.unwrap());
}

async fn a_private_repositorys_endpoint_is_listed_for_its_owner_only(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    for (name, is_private) in [("open", false), ("secret", true)] {
        let model = create(&db, &alice, name, is_private).await.unwrap();
        let revision_id = commit(&db, &model, "1", &[put("a", "1")]).await.unwrap().revision.id;
        let new = NewEndpoint {
            repository_id: model.id,
            revision_id,
            percent: 100,
            state: "ready",
            now_ms: NOW_MS,
        };
        endpoints::put(&db, &new).await.unwrap();
    }
    for (viewer, expected) in [
        (Viewer::Nobody, &["open"][..]),
        (Viewer::Account(bob.id), &["open"]),
        (Viewer::Account(alice.id), &["secret", "open"]),
        (Viewer::Everything, &["secret", "open"]),
    ] {
        let found = endpoints::list(&db, viewer, None, 10).await.unwrap().items;
        assert!(found.iter().map(|endpoint| endpoint.repository_name.as_str()).eq(expected.iter().copied()));
    }
    let first = endpoints::list(&db, Viewer::Everything, None, 1).await.unwrap();
    let second = endpoints::list(&db, Viewer::Everything, first.next.as_deref(), 1).await.unwrap();
    assert_eq!((second.items[0].repository_name.as_str(), second.next), ("open", None));
}

async fn text_with_a_zero_byte_is_kept_without_it(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let summary = Summary { title: "a\0b", ..Summary::default() };
    repositories::set_summary(&db, iris.id, &summary).await.unwrap();
    assert_eq!(repositories::by_id(&db, iris.id).await.unwrap().unwrap().title, "a\u{fffd}b");
}

async fn a_former_name_leads_to_whoever_had_it_last(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let iris = repository(&db, &alice, "Iris").await;
    let rose = repository(&db, &alice, "rose").await;
    let kind = RepositoryKind::Model;
    let former = async |name: &str| {
        let found = repositories::by_former_name(&db, kind, &repository_name(name)).await.unwrap();
        found.map(|found| format!("{}/{}", found.owner_name, found.name))
    };
    let taken = repositories::rename(&db, &iris, alice.id, &repository_name("alice/ROSE"), NOW_MS).await;
    assert!(matches!(taken, Err(Error::AlreadyExists { .. })));
    let moved = repositories::rename(&db, &iris, bob.id, &repository_name("bob/lily"), NOW_MS).await.unwrap();
    assert_eq!((moved.id, moved.owner_id, moved.name.as_str()), (iris.id, bob.id, "lily"));
    assert_eq!(former("ALICE/iris").await.as_deref(), Some("bob/lily"));
    assert_eq!(former("bob/lily").await, None);
    let query = repositories::ListQuery { search: Some("lily"), ..Default::default() };
    assert_eq!(repositories::list(&db, &query).await.unwrap().items, std::slice::from_ref(&moved));
    // Another repository has the name for a while.
    let rose =
        repositories::rename(&db, &rose, alice.id, &repository_name("alice/iris"), NOW_MS).await.unwrap();
    repositories::rename(&db, &rose, alice.id, &repository_name("alice/tulip"), NOW_MS).await.unwrap();
    assert_eq!(former("alice/iris").await.as_deref(), Some("alice/tulip"));
    assert_eq!(former("alice/rose").await.as_deref(), Some("alice/tulip"));
    repositories::delete(&db, rose.id).await.unwrap();
    assert_eq!(former("alice/iris").await, None);
    // Another letter case is no other name.
    let again =
        repositories::rename(&db, &moved, bob.id, &repository_name("bob/LILY"), NOW_MS).await.unwrap();
    assert_eq!(again.name, "LILY");
}
