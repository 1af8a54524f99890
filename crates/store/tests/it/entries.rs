//! Listings of a tree: folders once, pages that join without gap or repeat, the same on both databases.

use store::Db;
use store::db::entries::{self, Listing};
use store::db::ids::TreeId;

use crate::world::{account, commit, put, repository};

on_both_databases!(
    a_folder_lists_files_and_folders_once,
    a_recursive_list_has_the_folders_too,
    any_page_size_gives_the_same_list,
    paths_come_back_in_the_order_they_were_asked_for,
    only_what_is_a_folder_is_one,
);

const FILES: &[&str] = &["a-b/1", "a/b/2", "a/b/3", "a/c", "a.txt", "a0", "É/ü", "z%_/4"];

async fn tree(db: &Db) -> TreeId {
    let alice = account(db, "alice").await;
    let iris = repository(db, &alice, "iris").await;
    let changes: Vec<_> = FILES.iter().map(|path| put(path, path)).collect();
    commit(db, &iris, "all", &changes).await.unwrap().revision.tree_id
}

async fn paths(db: &Db, tree: TreeId, listing: Listing<'_>) -> Vec<String> {
    let (mut paths, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = entries::list(db, tree, &Listing { after: after.as_deref(), ..listing }).await.unwrap();
        assert!(page.items.len() <= listing.limit as usize);
        paths.extend(page.items.into_iter().map(|entry| entry.path));
        after = page.next;
        if after.is_none() {
            return paths;
        }
    }
}

async fn a_folder_lists_files_and_folders_once(db: Db) {
    let tree = tree(&db).await;
    let root = Listing { limit: 100, ..Listing::default() };
    assert_eq!(paths(&db, tree, root).await, ["a", "a-b", "a.txt", "a0", "z%_", "É"]);
    assert_eq!(paths(&db, tree, Listing { folder: "a", ..root }).await, ["a/b", "a/c"]);
    assert_eq!(paths(&db, tree, Listing { folder: "z%_", ..root }).await, ["z%_/4"]);
    assert!(paths(&db, tree, Listing { folder: "%", ..root }).await.is_empty());
}

async fn a_recursive_list_has_the_folders_too(db: Db) {
    let tree = tree(&db).await;
    let all = Listing { is_recursive: true, limit: 100, ..Listing::default() };
    let expected =
        ["a", "a-b", "a-b/1", "a.txt", "a/b", "a/b/2", "a/b/3", "a/c", "a0", "z%_", "z%_/4", "É", "É/ü"];
    assert_eq!(paths(&db, tree, all).await, expected);
    assert_eq!(paths(&db, tree, Listing { folder: "a", ..all }).await, ["a/b", "a/b/2", "a/b/3", "a/c"]);
    assert_eq!(paths(&db, tree, Listing { folder: "É", ..all }).await, ["É/ü"]);
}

async fn any_page_size_gives_the_same_list(db: Db) {
    let tree = tree(&db).await;
    for folder in ["", "a"] {
        for is_recursive in [false, true] {
            let all = Listing { folder, is_recursive, limit: 100, after: None };
            let whole = paths(&db, tree, all).await;
            for limit in 1..5 {
                assert_eq!(paths(&db, tree, Listing { limit, ..all }).await, whole);
            }
        }
    }
}

async fn paths_come_back_in_the_order_they_were_asked_for(db: Db) {
    let tree = tree(&db).await;
    let asked = ["a0", "missing", "a/b", "a/b/3", "a0"];
    let found = entries::by_paths(&db, tree, &asked).await.unwrap();
    assert!(found.iter().map(|entry| entry.path.as_str()).eq(["a0", "a/b", "a/b/3"]));
    assert!(entries::by_paths(&db, tree, &[]).await.unwrap().is_empty());
}

async fn only_what_is_a_folder_is_one(db: Db) {
    let tree = tree(&db).await;
    for (path, expected) in
        [("", true), ("a", true), ("a/b", true), ("a/b/", false), ("a.txt", false), ("x", false)]
    {
        assert_eq!(entries::is_folder(&db, tree, path).await.unwrap(), expected, "{path}");
    }
    let totals = entries::totals(&db, tree).await.unwrap();
    assert_eq!(totals.n_files, FILES.len() as i64);
    assert_eq!(totals.n_bytes, FILES.iter().map(|path| path.len() as i64).sum::<i64>());
}
