//! All rows as lines: the same from either database, as of one moment, and back again whole or not at all.

use futures_util::stream;
use store::db::chunked_files::{self, NewChunkedFile};
use store::db::dump::{self, Exported, TABLES};
use store::db::ids::XorbId;
use store::db::storage::{delete_xorbs, unused_xorbs};
use store::db::{accounts, holds, repositories, revisions, secrets};
use store::{Db, Error};

use crate::chunks::file;
use crate::world::{NOW_MS, account, commit, on_postgres, on_sqlite, put, repository};

on_both_databases!(
    an_export_is_of_one_moment,
    lines_that_do_not_fit_leave_nothing,
    what_is_held_is_not_forgotten,
    what_is_named_is_listed,
);

/// Rows of most tables, with texts that quotes and encodings could harm.
async fn fill(db: &Db) {
    let (_, new, terms) = file(db, "weights").await;
    let alice = accounts::by_name(db, "alice").await.unwrap().unwrap();
    let gone = account(db, "gone").await;
    let iris = repository(db, &alice, "iris").await;
    let grown = NewChunkedFile { terms: &terms, ..new };
    chunked_files::put(db, &grown, iris.id).await.unwrap();
    commit(db, &iris, "it's \"large\": ä\u{1f33a}\\", &[put("w.bin", "weights"), put("ä/ö.txt", "text")])
        .await
        .unwrap();
    commit(db, &iris, "and\nsmall", &[put("Z.txt", "text"), put("a.txt", "'; --")]).await.unwrap();
    secrets::get_or_create(db, "key", "{\"a\": [null, 1.5]}").await.unwrap();
    secrets::get_or_create(db, "Key", "").await.unwrap();
    // Its id is not given again.
    accounts::delete(db, gone.id).await.unwrap();
}

async fn export(db: &Db) -> (Exported, Vec<Vec<u8>>) {
    let mut blocks = Vec::new();
    let (exported, _) = dump::export(db, TABLES, async |block| {
        blocks.push(block);
        Ok(())
    })
    .await
    .unwrap();
    (exported, blocks)
}

async fn import(db: &Db, version: i64, blocks: Vec<Vec<u8>>) -> Result<(), Error> {
    dump::import(db, version, stream::iter(blocks.into_iter().map(Ok)), async || Ok(())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_go_from_one_database_to_the_other_and_back() {
    on_sqlite(async |from| {
        fill(&from).await;
        let (told, lines) = export(&from).await;
        assert!(told.n_rows() > 20 && told.version == dump::version(), "{told:?}");
        on_postgres(async |to| {
            assert!(dump::is_empty(&to).await.unwrap());
            import(&to, told.version, lines.clone()).await.unwrap();
            assert!(!dump::is_empty(&to).await.unwrap());
            assert_eq!(export(&to).await, (told.clone(), lines.clone()), "the same lines to the last byte");
            on_sqlite(async |back| {
                import(&back, told.version, export(&to).await.1).await.unwrap();
                assert_eq!(export(&back).await, (told.clone(), lines.clone()));
                goes_on(&back).await;
            })
            .await;
            goes_on(&to).await;
        })
        .await;
    })
    .await;
}

/// What was imported is used as if it had been there ever since.
async fn goes_on(db: &Db) {
    let alice = accounts::by_name(db, "alice").await.unwrap().unwrap();
    let bob = account(db, "bob").await;
    assert_eq!(bob.id.0, alice.id.0 + 2, "the id of an account that is gone was given again");
    let name = crate::world::repository_name("alice/iris");
    let iris = repositories::by_name(db, spec::name::RepositoryKind::Model, &name).await.unwrap().unwrap();
    commit(db, &iris, "more", &[put("more.txt", "more")]).await.unwrap();
    let head = revisions::resolve(db, iris.id, "main").await.unwrap().unwrap();
    assert_eq!((&head.title[..], head.parent_id.is_some()), ("more", true));
    assert_eq!(revisions::of_tree(db, head.tree_id).await.unwrap(), Some(head));
}

async fn an_export_is_of_one_moment(db: Db) {
    fill(&db).await;
    let before = export(&db).await;
    let mut n_accounts = 0;
    let mut lines = Vec::new();
    let (told, _) = dump::export(&db, TABLES, async |block| {
        // Writers are not held up, and their rows are of a later moment.
        let carol = account(&db, &format!("carol-{n_accounts}")).await;
        repository(&db, &carol, "later").await;
        n_accounts += 1;
        lines.push(block);
        Ok(())
    })
    .await
    .unwrap();
    assert!(n_accounts >= TABLES.len());
    assert_eq!(told, before.0);
    assert_ne!(export(&db).await.0.difference(&told), None);
}

async fn lines_that_do_not_fit_leave_nothing(db: Db) {
    let lines = |text: &str| vec![text.as_bytes().to_vec()];
    let good = "{\"table\":\"secrets\",\"columns\":[[\"name\",\"text\"],[\"value\",\"text\"]],\"last_id\":null}\n[\"a\",\"b\"]\n";
    let version = dump::version();
    for bad in [
        "[1]\n",
        "{\"table\":\"nothing\",\"columns\":[],\"last_id\":null}\n",
        "{\"table\":\"facts\",\"columns\":[[\"json\",\"text\"]],\"last_id\":null}\n",
        "[\"c\"]\n",
        "[\"c\",1]\n",
        "[\"d\",null]\n",
        "[\"a\",\"twice\"]\n",
        "\"c\"",
        "{\"tabl",
    ] {
        let refused = import(&db, version, lines(&format!("{good}{bad}"))).await;
        assert!(refused.is_err() && dump::is_empty(&db).await.unwrap(), "{bad}");
    }
    let newer = import(&db, version + 1, Vec::new()).await;
    assert!(matches!(newer, Err(Error::NewerDatabase { .. })), "{newer:?}");
    let unwanted = dump::import(&db, version, stream::iter([Ok(good.into())]), async || {
        Err(Error::Changed { table: "accounts".to_owned() })
    });
    assert!(matches!(unwanted.await, Err(Error::Changed { .. })));
    assert!(dump::is_empty(&db).await.unwrap());
    import(&db, version, lines(good)).await.unwrap();
    let again = import(&db, version, lines(good)).await;
    assert!(matches!(again, Err(Error::NotEmpty { .. })), "{again:?}");
}

async fn what_is_held_is_not_forgotten(db: Db) {
    file(&db, "weights").await;
    let unused = unused_xorbs(&db, NOW_MS + 9, XorbId(0)).await.unwrap();
    for (name, until_ms) in [("one", NOW_MS + 5), ("two", NOW_MS + 9)] {
        holds::take(&db, name, until_ms).await.unwrap();
    }
    let held = async |now_ms| matches!(delete_xorbs(&db, &unused, now_ms).await, Err(Error::Held));
    assert!(held(NOW_MS).await && held(NOW_MS + 7).await);
    assert!(matches!(holds::check(&db, NOW_MS).await, Err(Error::Held)));
    holds::release(&db, "two", NOW_MS).await.unwrap();
    assert!(held(NOW_MS).await, "the other holds still");
    // One that was killed holds for a while and no longer.
    holds::check(&db, NOW_MS + 5).await.unwrap();
    assert_eq!(delete_xorbs(&db, &unused, NOW_MS + 5).await.unwrap().len(), unused.len());
}

async fn what_is_named_is_listed(db: Db) {
    let (sent, new, terms) = file(&db, "weights").await;
    let alice = accounts::by_name(&db, "alice").await.unwrap().unwrap();
    let iris = repository(&db, &alice, "iris").await;
    chunked_files::put(&db, &NewChunkedFile { terms: &terms, ..new.clone() }, iris.id).await.unwrap();
    let small = spec::digest::Sha256::of(b"small");
    commit(&db, &iris, "both", &[put("w.bin", "weights"), put("s.txt", "small")]).await.unwrap();
    let mut expected = vec![sent[0].sha256, sent[1].sha256, small];
    expected.sort_unstable();
    assert_eq!(dump::objects(&db).await.unwrap(), expected);
}
