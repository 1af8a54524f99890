//! Commits that nothing leads to: which go and when, and that nothing goes which somebody names.

use spec::digest::Sha256;
use store::Db;
use store::db::answers::{self, By, NewAnswer};
use store::db::apps::{self, NewApp};
use store::db::chunked_files::{self, NewChunkedFile};
use store::db::discussions::{self, EventKind, NewDiscussion, NewEvent, Status};
use store::db::endpoints::{self, NewEndpoint};
use store::db::facts::{self, Facts};
use store::db::ids::{ChunkedFileId, RepositoryId};
use store::db::links::{self, NewLink};
use store::db::refs::{self, NewRef, RefKind};
use store::db::repositories::Repository;
use store::db::revisions::{self, Revision, collect_unreached, count_unreached};
use store::db::storage::{named, unused_files, unused_uploads};
use store::db::{accounts, entries};

use crate::chunks::file;
use crate::world::{NOW_MS, account, commit, put, repository};

on_both_databases!(
    what_a_squashed_history_had_goes_after_its_time,
    what_is_named_again_stays,
    whatever_names_a_commit_keeps_it_and_those_before,
    what_only_such_commits_had_is_named_by_nothing,
    many_commits_go,
);

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

async fn squash(db: &Db, of: &Repository) -> Revision {
    let branch = "main".parse().unwrap();
    revisions::squash(db, &crate::world::squash(of, &branch)).await.unwrap().revision
}

/// As if it were some days after the tests' moment, and what is out of reach were kept for a week.
async fn collect(db: &Db, of: RepositoryId, days: i64) -> u64 {
    let now_ms = NOW_MS + days * DAY_MS;
    collect_unreached(db, of, (now_ms, now_ms - 7 * DAY_MS)).await.unwrap()
}

async fn is_there(db: &Db, revision: &Revision) -> bool {
    revisions::by_id(db, revision.id).await.unwrap().is_some()
}

async fn what_a_squashed_history_had_goes_after_its_time(db: Db) {
    let alice = account(&db, "alice").await;
    let (iris, rose) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "rose").await);
    let first = commit(&db, &iris, "1", &[put("a", "1"), put("b", "same")]).await.unwrap().revision;
    let second = commit(&db, &iris, "2", &[put("a", "2")]).await.unwrap().revision;
    let other = commit(&db, &rose, "1", &[put("a", "1")]).await.unwrap().revision;
    let read = Facts { revision_id: first.id, json: "{}".to_owned(), inspected_ms: NOW_MS };
    facts::put(&db, &read).await.unwrap();
    assert_eq!(collect(&db, iris.id, 100).await, 0, "all of it is in reach");
    let head = squash(&db, &iris).await;
    assert_eq!(collect(&db, iris.id, 100).await, 0, "it was not seen out of reach before");
    assert_eq!(collect(&db, iris.id, 106).await, 0);
    let later = (NOW_MS + 107 * DAY_MS, NOW_MS + 100 * DAY_MS);
    assert_eq!(count_unreached(&db, iris.id, later).await.unwrap(), 2);
    assert_eq!(collect(&db, iris.id, 107).await, 2);
    assert_eq!((collect(&db, iris.id, 108).await, collect(&db, rose.id, 108).await), (0, 0));
    assert!(!is_there(&db, &first).await && !is_there(&db, &second).await);
    assert!(is_there(&db, &head).await && is_there(&db, &other).await);
    assert!(entries::by_path(&db, second.tree_id, "a").await.unwrap().is_none());
    assert!(entries::by_path(&db, head.tree_id, "a").await.unwrap().is_some());
    // Of what was kept whole, what the head has is named, and what is in the other repository.
    let digests = ["1", "2", "same"].map(|text| Sha256::of(text.as_bytes()));
    let uploads = unused_uploads(&db, NOW_MS + 99, None).await.unwrap();
    assert_eq!(uploads.iter().map(|upload| upload.sha256).collect::<Vec<_>>(), [digests[0]]);
    assert_eq!(named(&db, &digests).await.unwrap(), digests.into());
}

async fn what_is_named_again_stays(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let old = commit(&db, &iris, "1", &[put("a", "1")]).await.unwrap().revision;
    squash(&db, &iris).await;
    assert_eq!(collect(&db, iris.id, 0).await, 0);
    let name = "again".parse().unwrap();
    let new = NewRef {
        repository_id: iris.id,
        kind: RefKind::Branch,
        name: &name,
        revision_id: old.id,
        message: "",
        created_ms: NOW_MS,
    };
    refs::create(&db, &new).await.unwrap();
    assert_eq!(collect(&db, iris.id, 8).await, 0);
    refs::delete(&db, iris.id, RefKind::Branch, "again").await.unwrap();
    assert_eq!(collect(&db, iris.id, 9).await, 0, "its time begins anew");
    assert_eq!(collect(&db, iris.id, 16).await, 1);
    let gone = refs::create(&db, &new).await;
    assert!(matches!(gone, Err(store::Error::NotFound { what: "revision", .. })), "{gone:?}");
}

async fn whatever_names_a_commit_keeps_it_and_those_before(db: Db) {
    let alice = account(&db, "alice").await;
    // Each round makes four commits, of which the third stands on the second, and the others on nothing that stays.
    let iris = repository(&db, &alice, "iris").await;
    let mut made = Vec::new();
    for n in 0..7 {
        commit(&db, &iris, "n", &[put("a", &n.to_string())]).await.unwrap();
        squash(&db, &iris).await;
        made.push(commit(&db, &iris, "then", &[put("b", &n.to_string())]).await.unwrap().revision);
        squash(&db, &iris).await;
    }
    let named: Vec<&Revision> = made.iter().collect();
    name_all(&db, &iris, &named).await;
    collect(&db, iris.id, 0).await;
    let n_gone = collect(&db, iris.id, 7).await;
    for (n, revision) in named.iter().enumerate() {
        assert!(is_there(&db, revision).await, "what names the {n}th");
        let parent = revision.parent_id.unwrap();
        assert!(revisions::by_id(&db, parent).await.unwrap().is_some(), "before the {n}th");
    }
    let head = revisions::resolve(&db, iris.id, "main").await.unwrap().unwrap();
    assert!(is_there(&db, &head).await);
    // What stays are the seven, the one before each, and the head.
    assert_eq!(n_gone, 7 * 4 - 15);
}

/// Gives each of seven commits a name of another kind.
async fn name_all(db: &Db, iris: &Repository, named: &[&Revision]) {
    let [tag, link, endpoint, former, app, base, answered] = named else { panic!("seven commits") };
    let alice = accounts::by_name(db, "alice").await.unwrap().unwrap();
    let name = "v1".parse().unwrap();
    let new = NewRef {
        repository_id: iris.id,
        kind: RefKind::Tag,
        name: &name,
        revision_id: tag.id,
        message: "",
        created_ms: NOW_MS,
    };
    refs::create(db, &new).await.unwrap();
    let new = NewLink {
        hash: "h",
        repository_id: iris.id,
        revision_id: link.id,
        action: spec::rights::Action::Read,
        is_anonymous: false,
        hidden: "[]",
        expires_ms: None,
        max_calls: None,
        calls_per_minute: None,
        n_decimals: None,
        top_k: None,
        has_app: false,
        created_by: "alice",
        created_ms: NOW_MS,
    };
    links::create(db, &new).await.unwrap();
    for revision in [former, endpoint] {
        let (repository_id, revision_id) = (iris.id, revision.id);
        let new = NewEndpoint { repository_id, revision_id, percent: 100, state: "pending", now_ms: NOW_MS };
        let endpoint = endpoints::put(db, &new).await.unwrap();
        let target = (revision_id, 100);
        endpoints::targets::set(db, endpoint.id, &[target]).await.unwrap();
    }
    let new = NewApp { repository_id: iris.id, revision_id: app.id, state: "pending", now_ms: NOW_MS };
    apps::put(db, &new).await.unwrap();
    let opening = NewEvent { author: alice.id, kind: EventKind::Comment, data: "{}", now_ms: NOW_MS };
    let base = Some(base.id);
    let new = NewDiscussion { repository: iris.id, title: "t", status: Status::Open, base, opening };
    discussions::create(db, &new).await.unwrap();
    let revision = answered.oid.to_string();
    let (hash, by, schema, input, output) = ("a", By::Account(alice.id), "{}", "{}", "{}");
    let (repository, revision, created_ms) = (iris.id, revision.as_str(), NOW_MS);
    let new = NewAnswer { hash, repository, by, revision, schema, input, output, created_ms };
    answers::create(db, &new).await.unwrap();
}

async fn what_only_such_commits_had_is_named_by_nothing(db: Db) {
    let (_, new, terms) = file(&db, "weights").await;
    let alice = accounts::by_name(&db, "alice").await.unwrap().unwrap();
    let iris = repository(&db, &alice, "iris").await;
    chunked_files::put(&db, &NewChunkedFile { terms: &terms, ..new.clone() }, iris.id).await.unwrap();
    commit(&db, &iris, "large", &[put("w.bin", "weights")]).await.unwrap();
    commit(&db, &iris, "instead", &[put("w.bin", "small")]).await.unwrap();
    let n_unused = async || unused_files(&db, i64::MAX, ChunkedFileId(0)).await.unwrap().len();
    assert_eq!(n_unused().await, 0);
    squash(&db, &iris).await;
    assert_eq!((collect(&db, iris.id, 0).await, n_unused().await), (0, 0));
    assert_eq!((collect(&db, iris.id, 7).await, n_unused().await), (2, 1));
    assert!(chunked_files::in_repository(&db, iris.id, &[new.sha256]).await.unwrap().is_empty());
}

async fn many_commits_go(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    for n in 0..1050 {
        let branch = "main".parse().unwrap();
        let new = revisions::NewRevision {
            now_ms: NOW_MS + n * 1000,
            if_unchanged: revisions::IfUnchanged::Commit,
            ..crate::world::new_revision(&iris, &branch)
        };
        revisions::commit(&db, &new).await.unwrap();
    }
    squash(&db, &iris).await;
    assert_eq!((collect(&db, iris.id, 0).await, collect(&db, iris.id, 7).await), (0, 1050));
}
