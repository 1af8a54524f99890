//! Discussions and pull requests: numbers, filters, and changes that come whole or not at all.

use store::db::discussions::{self, Change, EventKind, Filter, NewDiscussion, NewEvent, Status};
use store::db::refs::{self, RefKind};
use store::db::repositories;
use store::db::revisions::{self, NewRevision};
use store::{Db, Error};

use crate::world::{NOW_MS, account, commit, new_revision, put, repository, sent};

on_both_databases!(
    numbers_count_up_in_each_repository,
    a_pull_request_comes_with_its_commit_or_not_at_all,
    what_is_merged_stays_so,
    discussions_are_filtered_and_counted,
);

fn said<'a>(author: store::db::ids::AccountId) -> NewEvent<'a> {
    NewEvent { author, kind: EventKind::Comment, data: r#"{"text":"x"}"#, now_ms: NOW_MS }
}

async fn numbers_count_up_in_each_repository(db: Db) {
    let alice = account(&db, "alice").await;
    let (iris, rose) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "rose").await);
    for (of, wanted) in [(&iris, 1), (&rose, 1), (&iris, 2)] {
        let opening = said(alice.id);
        let new = NewDiscussion { repository: of.id, title: "t", status: Status::Open, base: None, opening };
        let created = discussions::create(&db, &new).await.unwrap();
        assert_eq!((created.number, created.author_name.as_deref()), (wanted, Some("alice")));
        assert_eq!(discussions::find(&db, of.id, wanted).await.unwrap(), Some(created));
    }
    repositories::delete(&db, iris.id).await.unwrap();
    assert_eq!(discussions::find(&db, iris.id, 1).await.unwrap(), None);
    assert!(discussions::find(&db, rose.id, 1).await.unwrap().is_some());
}

async fn a_pull_request_comes_with_its_commit_or_not_at_all(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let iris = repository(&db, &alice, "iris").await;
    let base = commit(&db, &iris, "1", &[put("a", "1")]).await.unwrap().revision;
    let main = "main".parse().unwrap();
    let opening = said(bob.id);
    let new =
        NewDiscussion { repository: iris.id, title: "t", status: Status::Open, base: Some(base.id), opening };
    let open = async |changes: &[revisions::Change]| {
        sent(&db, &iris, changes).await;
        let first = NewRevision { changes, ..new_revision(&iris, &main) };
        discussions::create_with_commit(&db, &new, &first, |made| made.revision.oid.to_string()).await
    };
    assert!(matches!(open(&[put("a/b", "2")]).await, Err(Error::PathConflict { .. })));
    assert_eq!(discussions::find(&db, iris.id, 1).await.unwrap(), None);
    assert_eq!(refs::by_name(&db, iris.id, RefKind::Pull, "1").await.unwrap(), None);
    let (pull, made) = open(&[put("a", "2")]).await.unwrap();
    assert_eq!((pull.number, made.revision.parent_id), (1, Some(base.id)));
    let head = revisions::resolve(&db, iris.id, "refs/pr/1").await.unwrap();
    assert_eq!(head, Some(made.revision.clone()));
    assert_eq!(revisions::resolve(&db, iris.id, "main").await.unwrap(), Some(base));
    assert_eq!(revisions::resolve(&db, iris.id, "1").await.unwrap(), None, "its number alone names nothing");
    let events = discussions::events(&db, pull.id, 10).await.unwrap();
    assert_eq!(
        events.iter().map(|event| event.kind).collect::<Vec<_>>(),
        [EventKind::Comment, EventKind::Commit]
    );
    assert_eq!(events[1].data, made.revision.oid.to_string());
}

async fn what_is_merged_stays_so(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let base = commit(&db, &iris, "1", &[put("a", "1")]).await.unwrap().revision;
    let opening = said(alice.id);
    let new = NewDiscussion {
        repository: iris.id,
        title: "t",
        status: Status::Draft,
        base: Some(base.id),
        opening,
    };
    let pull = discussions::create(&db, &new).await.unwrap();
    let main = "main".parse().unwrap();
    let changes = [put("a", "2")];
    sent(&db, &iris, &changes).await;
    let merge =
        NewRevision { changes: &changes, expected_parent: Some(base.oid), ..new_revision(&iris, &main) };
    let merged = discussions::merge(&db, pull.id, &merge, &said(alice.id)).await.unwrap();
    let found = discussions::find(&db, iris.id, 1).await.unwrap().unwrap();
    assert_eq!((found.status, found.merge_oid), (Status::Merged, Some(merged.revision.oid.to_string())));
    // Neither again nor back; and a second merge leaves no commit.
    let again = [put("a", "3")];
    sent(&db, &iris, &again).await;
    let merge = NewRevision { changes: &again, expected_parent: None, ..merge };
    assert!(matches!(
        discussions::merge(&db, pull.id, &merge, &said(alice.id)).await,
        Err(Error::NotFound { .. })
    ));
    assert_eq!(revisions::resolve(&db, iris.id, "main").await.unwrap(), Some(merged.revision));
    let reopen = Change::Status(Status::Open);
    let refused = discussions::change(&db, pull.id, &reopen, &said(alice.id)).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
    let renamed = discussions::change(&db, pull.id, &Change::Title("new"), &said(alice.id)).await.unwrap();
    assert_eq!(renamed.author_name.as_deref(), Some("alice"));
    assert_eq!(discussions::find(&db, iris.id, 1).await.unwrap().unwrap().title, "new");
}

async fn discussions_are_filtered_and_counted(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let iris = repository(&db, &alice, "iris").await;
    let base = commit(&db, &iris, "1", &[put("a", "1")]).await.unwrap().revision;
    for (author, base, status) in [
        (alice.id, None, Status::Open),
        (bob.id, Some(base.id), Status::Draft),
        (bob.id, None, Status::Closed),
    ] {
        let new = NewDiscussion { repository: iris.id, title: "t", status, base, opening: said(author) };
        discussions::create(&db, &new).await.unwrap();
    }
    let check = async |filter: Filter, start, wanted: (i64, &[i64])| {
        let (n_all, found) = discussions::list(&db, iris.id, filter, start, 2).await.unwrap();
        let numbers: Vec<i64> = found.iter().map(|found| found.number).collect();
        assert_eq!((n_all, numbers.as_slice()), wanted, "{filter:?}");
    };
    check(Filter::default(), 0, (3, &[3, 2])).await;
    check(Filter::default(), 2, (3, &[1])).await;
    check(Filter { is_open: Some(true), ..Filter::default() }, 0, (2, &[2, 1])).await;
    check(Filter { is_pull_request: Some(true), ..Filter::default() }, 0, (1, &[2])).await;
    let of_bob = Filter { author: Some(bob.id), is_pull_request: Some(false), is_open: Some(false) };
    check(of_bob, 0, (1, &[3])).await;
}
