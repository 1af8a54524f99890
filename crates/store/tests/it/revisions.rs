//! Commits, refs, history, facts.

use spec::git;
use store::db::facts::{self, Facts};
use store::db::refs::{self, NewRef, RefKind};
use store::db::revisions::{self, Change, IfUnchanged, NewRevision, Squash};
use store::db::{entries, ids::RevisionId};
use store::{Db, Error};

use crate::world::{NOW_MS, account, commit, delete, new_revision, put, repository, sent};

on_both_databases!(
    a_commit_has_the_id_git_gives_it,
    a_stale_parent_is_refused,
    of_many_writers_that_saw_the_same_commit_one_wins,
    writers_who_expect_nothing_all_commit,
    unchanged_files_make_no_commit,
    a_refused_change_leaves_no_trace,
    an_entry_remembers_who_changed_it_last,
    the_same_commit_on_another_branch_is_the_same_revision,
    a_name_resolves_as_branch_tag_or_commit,
    history_follows_the_parents,
    what_differs_between_two_trees_is_told_once_for_each_path,
    a_squashed_history_is_one_commit_with_the_same_files,
    refs_are_listed_and_deleted,
    a_ref_names_a_revision_of_its_own_repository,
    facts_are_replaced,
    a_commit_of_many_files_takes_seconds,
);

async fn a_commit_has_the_id_git_gives_it(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let branch = "main".parse().unwrap();
    let changes = [put("README.md", "hello\n"), put("src/a.txt", "a\n")];
    let new = NewRevision { changes: &changes, title: "t", description: "d", ..new_revision(&iris, &branch) };
    sent(&db, &iris, &changes).await;
    let committed = revisions::commit(&db, &new).await.unwrap();
    let (readme, a) = (git::blob(b"hello\n"), git::blob(b"a\n"));
    let tree = git::tree([("README.md", readme), ("src/a.txt", a)]);
    let time_s = NOW_MS / 1000;
    let commit = git::Commit { tree, parent: None, author: "alice", time_s, message: "t\n\nd" };
    assert_eq!(committed.revision.oid, git::commit(&commit));
    assert!(committed.is_new);
    let folder = entries::by_path(&db, committed.revision.tree_id, "src").await.unwrap().unwrap();
    assert_eq!((folder.git_oid, folder.n_bytes, folder.sha256), (git::tree([("a.txt", a)]), 2, None));
}

async fn a_stale_parent_is_refused(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let first = commit(&db, &iris, "1", &[put("a", "1")]).await.unwrap().revision;
    let second = commit(&db, &iris, "2", &[put("a", "2")]).await.unwrap().revision;
    let branch = "main".parse().unwrap();
    let changes = [put("a", "3")];
    let stale =
        NewRevision { expected_parent: Some(first.oid), changes: &changes, ..new_revision(&iris, &branch) };
    let error = revisions::commit(&db, &stale).await.unwrap_err();
    assert!(matches!(error, Error::StaleParent { current: Some(oid), .. } if oid == second.oid));
    let new_branch = "other".parse().unwrap();
    let error = revisions::commit(&db, &NewRevision { branch: &new_branch, ..stale }).await.unwrap_err();
    assert!(matches!(error, Error::StaleParent { current: None, .. }));
}

async fn of_many_writers_that_saw_the_same_commit_one_wins(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let seen = commit(&db, &iris, "1", &[put("a", "1")]).await.unwrap().revision.oid;
    let writers = (0..32).map(|n| {
        let (db, iris) = (db.clone(), iris.clone());
        tokio::spawn(async move {
            let branch = "main".parse().unwrap();
            let changes = [put(&format!("by-{n}"), "x")];
            sent(&db, &iris, &changes).await;
            let new = NewRevision {
                expected_parent: Some(seen),
                changes: &changes,
                ..new_revision(&iris, &branch)
            };
            revisions::commit(&db, &new).await
        })
    });
    let mut n_won = 0;
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            Ok(_) => n_won += 1,
            Err(Error::StaleParent { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(n_won, 1);
}

async fn writers_who_expect_nothing_all_commit(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let writers = (0..32).map(|n| {
        let (db, iris) = (db.clone(), iris.clone());
        tokio::spawn(async move {
            for i in 0..4 {
                commit(&db, &iris, "more", &[put(&format!("by-{n}/{i}"), "x")]).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let head = revisions::resolve(&db, iris.id, "main").await.unwrap().unwrap();
    assert_eq!(entries::totals(&db, head.tree_id).await.unwrap().n_files, 128);
    let history = revisions::history(&db, head.id, None, 1000).await.unwrap();
    assert_eq!(history.items.len(), 128);
}

async fn unchanged_files_make_no_commit(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let first = commit(&db, &iris, "1", &[put("a", "1")]).await.unwrap().revision;
    let same = commit(&db, &iris, "2", &[put("a", "1")]).await.unwrap();
    assert_eq!((same.revision.oid, same.is_new), (first.oid, false));
    let branch = "main".parse().unwrap();
    let forced = NewRevision { if_unchanged: IfUnchanged::Commit, ..new_revision(&iris, &branch) };
    let forced = revisions::commit(&db, &forced).await.unwrap();
    assert_ne!(forced.revision.oid, first.oid);
    assert_eq!(forced.revision.parent_id, Some(first.id));
    let empty = repository(&db, &alice, "empty").await;
    let first = commit(&db, &empty, "nothing yet", &[]).await.unwrap();
    assert!(first.is_new, "the first commit of a branch is made though it has no files");
}

async fn a_refused_change_leaves_no_trace(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let first = commit(&db, &iris, "1", &[put("a", "1"), put("b/c", "1")]).await.unwrap().revision;
    let missing = commit(&db, &iris, "2", &[put("d", "1"), delete("nothing")]).await.unwrap_err();
    assert!(matches!(missing, Error::EntryNotFound { path } if path == "nothing"));
    let folder = Change::DeleteFolder { path: "a".parse().unwrap() };
    assert!(matches!(commit(&db, &iris, "2", &[folder]).await, Err(Error::EntryNotFound { .. })));
    let conflict = commit(&db, &iris, "2", &[put("b", "1")]).await.unwrap_err();
    assert!(
        matches!(conflict, Error::PathConflict { path, other } if (path.as_str(), other.as_str()) == ("b", "b/c"))
    );
    let head = revisions::resolve(&db, iris.id, "main").await.unwrap().unwrap();
    assert_eq!(head, first);
}

async fn an_entry_remembers_who_changed_it_last(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let files = [put("a", "1"), put("d/x", "1"), put("d/y", "1"), put("e/f/z", "1")];
    commit(&db, &iris, "first", &files).await.unwrap();
    let changes = [put("d/x", "2"), put("a", "1"), delete("e/f/z")];
    let second = commit(&db, &iris, "second", &changes).await.unwrap().revision;
    let paths = ["a", "d", "d/x", "d/y", "e", "e/f"];
    let found = entries::by_paths(&db, second.tree_id, &paths).await.unwrap();
    let titles: Vec<(&str, &str)> =
        found.iter().map(|entry| (entry.path.as_str(), entry.last_revision.title.as_str())).collect();
    assert_eq!(titles, [("a", "first"), ("d", "second"), ("d/x", "second"), ("d/y", "first")]);
}

async fn the_same_commit_on_another_branch_is_the_same_revision(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let (main, other) = ("main".parse().unwrap(), "other".parse().unwrap());
    let changes = [put("a", "1")];
    sent(&db, &iris, &changes).await;
    let new = NewRevision { changes: &changes, ..new_revision(&iris, &main) };
    let first = revisions::commit(&db, &new).await.unwrap();
    let second = revisions::commit(&db, &NewRevision { branch: &other, ..new }).await.unwrap();
    assert_eq!((second.revision, second.is_new), (first.revision, false));
    assert!(revisions::resolve(&db, iris.id, "other").await.unwrap().is_some());
}

async fn a_name_resolves_as_branch_tag_or_commit(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let first = commit(&db, &iris, "1", &[put("a", "1")]).await.unwrap().revision;
    let second = commit(&db, &iris, "2", &[put("a", "2")]).await.unwrap().revision;
    let tag = "v/1".parse().unwrap();
    let new = NewRef {
        repository_id: iris.id,
        kind: RefKind::Tag,
        name: &tag,
        revision_id: first.id,
        message: "",
        created_ms: NOW_MS,
    };
    refs::create(&db, &new).await.unwrap();
    let oid = first.oid.to_string();
    let named =
        ["main", "refs/heads/main", "v/1", "refs/tags/v/1", &oid, &oid[..5], &oid[..8].to_uppercase()];
    let mut found = Vec::new();
    for name in named {
        found.push(revisions::resolve(&db, iris.id, name).await.unwrap().map(|revision| revision.id));
    }
    let (one, two) = (Some(first.id), Some(second.id));
    assert_eq!(found, [two, two, one, one, one, one, one]);
    for nothing in ["refs/tags/main", "refs/heads/v/1", &oid[..4], "0000000", "", "%", "m_in"] {
        assert_eq!(revisions::resolve(&db, iris.id, nothing).await.unwrap(), None, "{nothing}");
    }
    let other = repository(&db, &alice, "other").await;
    assert_eq!(revisions::resolve(&db, other.id, &oid).await.unwrap(), None);
}

async fn history_follows_the_parents(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    for n in 0..7 {
        commit(&db, &iris, &format!("{n}"), &[put("a", &format!("{n}"))]).await.unwrap();
    }
    let head = revisions::resolve(&db, iris.id, "main").await.unwrap().unwrap();
    let (mut titles, mut after) = (Vec::new(), None);
    loop {
        let page = revisions::history(&db, head.id, after.as_deref(), 3).await.unwrap();
        titles.push(page.items.into_iter().map(|revision| revision.title).collect::<Vec<_>>().concat());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(titles, ["654", "321", "0"]);
    assert!(matches!(revisions::history(&db, head.id, Some("-"), 3).await, Err(Error::Cursor(_))));
}

async fn what_differs_between_two_trees_is_told_once_for_each_path(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let before = [put("a", "1"), put("b/c", "2"), put("b/d", "3"), put("same", "4")];
    let old = commit(&db, &iris, "1", &before).await.unwrap().revision;
    // What was a file is a folder now.
    let after = [delete("a"), put("a/x", "5"), put("b/c", "22"), delete("b/d"), put("e", "6")];
    let new = commit(&db, &iris, "2", &after).await.unwrap().revision;
    let (mut told, mut after) = (Vec::new(), None);
    loop {
        let trees = (Some(old.tree_id), new.tree_id);
        let page = revisions::changes(&db, trees, after.as_deref(), 2).await.unwrap();
        told.extend(page.items.into_iter().map(|changed| {
            let n_bytes = |version: Option<revisions::Version>| version.map(|version| version.n_bytes);
            (changed.path.clone(), n_bytes(changed.old), n_bytes(changed.new))
        }));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let wanted = [
        ("a", Some(1), None),
        ("a/x", None, Some(1)),
        ("b/c", Some(1), Some(2)),
        ("b/d", Some(1), None),
        ("e", None, Some(1)),
    ];
    assert_eq!(told, wanted.map(|(path, old, new)| (path.to_owned(), old, new)));
    let first = revisions::changes(&db, (None, old.tree_id), None, 100).await.unwrap();
    assert_eq!(first.items.len(), 4);
    assert!(first.items.iter().all(|changed| changed.old.is_none()));
}

async fn a_squashed_history_is_one_commit_with_the_same_files(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let first = commit(&db, &iris, "1", &[put("a", "1"), put("b/c", "2")]).await.unwrap().revision;
    let second = commit(&db, &iris, "2", &[put("a", "3")]).await.unwrap().revision;
    let (branch, missing) = ("main".parse().unwrap(), "missing".parse().unwrap());
    let new = crate::world::squash(&iris, &branch);
    let squashed = revisions::squash(&db, &new).await.unwrap();
    let head = revisions::resolve(&db, iris.id, "main").await.unwrap().unwrap();
    assert!(squashed.is_new && head == squashed.revision && head.parent_id.is_none());
    let alone = revisions::history(&db, head.id, None, 10).await.unwrap().items;
    assert_eq!(alone.iter().map(|revision| revision.title.as_str()).collect::<Vec<_>>(), ["all"]);
    let trees = (Some(second.tree_id), head.tree_id);
    assert_eq!(revisions::changes(&db, trees, None, 10).await.unwrap().items, []);
    let entry = entries::by_path(&db, head.tree_id, "b/c").await.unwrap().unwrap();
    assert_eq!(entry.last_revision.title, "all");
    // Whoever knows a commit before still has it.
    let known = revisions::resolve(&db, iris.id, &first.oid.to_string()).await.unwrap();
    assert_eq!(known, Some(first));
    let again = revisions::squash(&db, &new).await.unwrap();
    assert!(!again.is_new && again.revision == head);
    let nowhere = revisions::squash(&db, &Squash { branch: &missing, ..new }).await;
    assert!(matches!(nowhere, Err(Error::NotFound { .. })), "{nowhere:?}");
}

async fn refs_are_listed_and_deleted(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let first = commit(&db, &iris, "1", &[put("a", "1")]).await.unwrap().revision;
    for (kind, name) in [(RefKind::Tag, "b"), (RefKind::Tag, "A/b"), (RefKind::Branch, "dev")] {
        let name = name.parse().unwrap();
        let new = NewRef {
            repository_id: iris.id,
            kind,
            name: &name,
            revision_id: first.id,
            message: "m",
            created_ms: NOW_MS,
        };
        refs::create(&db, &new).await.unwrap();
        let again = refs::create(&db, &new).await.unwrap_err();
        assert!(again.is_already_exists(), "{again:?}");
    }
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = refs::list(&db, iris.id, after.as_deref(), 1).await.unwrap();
        names.extend(page.items.into_iter().map(|found| format!("{} {}", found.kind, found.name)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(names, ["branch dev", "branch main", "tag A/b", "tag b"]);
    refs::delete(&db, iris.id, RefKind::Tag, "b").await.unwrap();
    let gone = refs::delete(&db, iris.id, RefKind::Tag, "b").await.unwrap_err();
    assert!(matches!(gone, Error::NotFound { what: "tag", .. }));
    let found = refs::by_name(&db, iris.id, RefKind::Tag, "A/b").await.unwrap().unwrap();
    assert_eq!((found.oid, found.message.as_str()), (first.oid, "m"));
}

async fn a_ref_names_a_revision_of_its_own_repository(db: Db) {
    let alice = account(&db, "alice").await;
    let (iris, other) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "other").await);
    let revision = commit(&db, &iris, "1", &[put("a", "1")]).await.unwrap().revision;
    let name = "stolen".parse().unwrap();
    let new = NewRef {
        repository_id: other.id,
        kind: RefKind::Branch,
        name: &name,
        revision_id: revision.id,
        message: "",
        created_ms: NOW_MS,
    };
    assert!(matches!(refs::create(&db, &new).await, Err(Error::NotFound { what: "revision", .. })));
}

async fn facts_are_replaced(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let revision = commit(&db, &iris, "1", &[put("a", "1")]).await.unwrap().revision;
    assert_eq!(facts::get(&db, revision.id).await.unwrap(), None);
    for json in ["{}", "{\"model\":\"a\"}"] {
        let new = Facts { revision_id: revision.id, json: json.to_owned(), inspected_ms: NOW_MS };
        facts::put(&db, &new).await.unwrap();
        assert_eq!(facts::get(&db, revision.id).await.unwrap(), Some(new));
    }
    let nowhere = Facts { revision_id: RevisionId(999), json: "{}".to_owned(), inspected_ms: NOW_MS };
    assert!(matches!(facts::put(&db, &nowhere).await, Err(Error::NotFound { what: "revision", .. })));
}

async fn a_commit_of_many_files_takes_seconds(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let changes: Vec<Change> =
        (0..20_000).map(|n| put(&format!("{}/{}/{n}.txt", n % 7, n % 300), "x")).collect();
    let start = std::time::Instant::now();
    commit(&db, &iris, "many", &changes).await.unwrap();
    let many = start.elapsed();
    let second = commit(&db, &iris, "one more", &[put("0/0/more", "y")]).await.unwrap().revision;
    eprintln!("20,000 files: {many:?}, one more: {:?}", start.elapsed() - many);
    assert_eq!(entries::totals(&db, second.tree_id).await.unwrap().n_files, 20_001);
    assert!(many.as_secs() < 60, "{many:?}");
}
