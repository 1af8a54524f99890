//! Lists and searches of repositories.

use spec::name::RepositoryKind;
use store::db::accounts::Account;
use store::db::repositories::{self, ListQuery, NewRepository, Sort, Summary, Viewer};
use store::{Db, Error};

use crate::world::{NOW_MS, account, create, repository_name};

on_both_databases!(
    a_private_repository_is_listed_for_its_owner_only,
    every_order_is_total_and_pages_add_up,
    filters_narrow_together,
    words_are_found_in_any_part,
    the_best_name_comes_first,
    relevance_pages_add_up,
    hostile_text_finds_nothing_and_breaks_nothing,
    what_is_deleted_or_renamed_is_not_found,
    a_cursor_of_another_kind_is_refused,
);

/// A model with a title, and as many downloads as its place.
async fn model(db: &Db, owner: &Account, name: &str, title: &str) {
    let model = create(db, owner, name, false).await.unwrap();
    let summary = Summary { title, ..Summary::default() };
    repositories::set_summary(db, model.id, &summary).await.unwrap();
    repositories::add_downloads(db, &[(model.id, model.id.0 % 3)]).await.unwrap();
}

async fn names(db: &Db, wanted: &ListQuery<'_>) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), None::<String>);
    loop {
        let page =
            repositories::list(db, &ListQuery { after: after.as_deref(), ..wanted.clone() }).await.unwrap();
        assert!(page.items.len() <= wanted.limit as usize);
        names.extend(page.items.into_iter().map(|found| found.name));
        after = page.next;
        if after.is_none() {
            return names;
        }
    }
}

async fn search(db: &Db, text: &str) -> Vec<String> {
    let mut found = names(db, &ListQuery { search: Some(text), ..ListQuery::default() }).await;
    found.sort();
    found
}

async fn a_private_repository_is_listed_for_its_owner_only(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    create(&db, &alice, "open", false).await.unwrap();
    create(&db, &alice, "secret", true).await.unwrap();
    for (viewer, expected) in [
        (Viewer::Nobody, 1),
        (Viewer::Account(bob.id), 1),
        (Viewer::Account(alice.id), 2),
        (Viewer::Everything, 2),
    ] {
        for search in [None, Some("alice")] {
            let query = ListQuery { viewer, search, ..ListQuery::default() };
            assert_eq!(names(&db, &query).await.len(), expected, "{viewer:?}");
        }
    }
}

async fn every_order_is_total_and_pages_add_up(db: Db) {
    let alice = account(&db, "alice").await;
    for n in 0..11 {
        model(&db, &alice, &format!("m{n}"), "a model").await;
    }
    for sort in Sort::ALL.iter().copied() {
        for search in [None, Some("model")] {
            let query = ListQuery { sort, search, limit: 100, ..ListQuery::default() };
            let down = names(&db, &query).await;
            assert_eq!(down.len(), 11);
            for limit in [1, 2, 3, 11] {
                assert_eq!(names(&db, &ListQuery { limit, ..query.clone() }).await, down, "{sort}");
            }
            let mut up = names(&db, &ListQuery { is_descending: false, limit: 4, ..query }).await;
            if sort != Sort::Relevance {
                up.reverse();
            }
            assert_eq!(up, down, "{sort}");
        }
    }
}

async fn filters_narrow_together(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    for (owner, kind, name, task, tags) in [
        (&alice, RepositoryKind::Model, "a", "image-classification", ["Small", "vision"]),
        (&alice, RepositoryKind::Model, "b", "image-classification", ["large", "vision"]),
        (&bob, RepositoryKind::Model, "c", "text-generation", ["small", "text"]),
        (&alice, RepositoryKind::Dataset, "d", "image-classification", ["small", "vision"]),
    ] {
        let full = repository_name(&format!("{}/{name}", owner.name));
        let new =
            NewRepository { owner_id: owner.id, kind, name: &full, is_private: false, created_ms: NOW_MS };
        let id = repositories::create(&db, &new).await.unwrap().id;
        let tags = tags.map(str::to_owned);
        let summary = Summary { task: Some(task), license: Some("MIT"), tags: &tags, ..Summary::default() };
        repositories::set_summary(&db, id, &summary).await.unwrap();
    }
    let all = ListQuery { sort: Sort::Created, is_descending: false, ..ListQuery::default() };
    let model = Some(RepositoryKind::Model);
    assert_eq!(names(&db, &ListQuery { tags: &["small"], ..all.clone() }).await, ["a", "c", "d"]);
    assert_eq!(
        names(&db, &ListQuery { tags: &["SMALL", "vision"], kind: model, ..all.clone() }).await,
        ["a"]
    );
    assert_eq!(names(&db, &ListQuery { tags: &["text-generation"], ..all.clone() }).await, ["c"]);
    assert_eq!(
        names(&db, &ListQuery { tags: &["license:mit"], owner: Some(bob.id), ..all.clone() }).await,
        ["c"]
    );
    assert_eq!(
        names(&db, &ListQuery { tags: &["small"], search: Some("alice"), ..all.clone() }).await,
        ["a", "d"]
    );
    assert!(names(&db, &ListQuery { tags: &["small", "large"], ..all }).await.is_empty());
}

async fn words_are_found_in_any_part(db: Db) {
    let alice = account(&db, "alice").await;
    model(&db, &alice, "Resnet50-v1.5_small", "Bilder erkennen: Äpfel").await;
    model(&db, &alice, "other", "nothing of the kind").await;
    for text in [
        "resnet50",
        "resnet",
        "RESNET50",
        "v1",
        "small",
        "sma",
        "alice/resnet50-v1.5",
        "äpfel",
        "ÄPF",
        "erkennen bilder",
        "bilder small",
        "5",
    ] {
        assert_eq!(search(&db, text).await, ["Resnet50-v1.5_small"], "{text}");
    }
    for text in ["net50", "resnet small v2", "bild erkennen", "lice"] {
        assert!(search(&db, text).await.is_empty(), "{text}");
    }
    assert_eq!(search(&db, "alice").await.len(), 2);
    assert_eq!(search(&db, "  ").await.len(), 2, "nothing typed means everything");
}

async fn the_best_name_comes_first(db: Db) {
    let alice = account(&db, "alice").await;
    for (name, title, n_downloads) in
        [("guide", "all about iris", 9), ("iris-small", "", 1), ("iris-large", "", 5), ("iris", "", 0)]
    {
        model(&db, &alice, name, title).await;
        let full = repository_name(&format!("alice/{name}"));
        let id = repositories::by_name(&db, RepositoryKind::Model, &full).await.unwrap().unwrap().id;
        repositories::add_downloads(&db, &[(id, n_downloads * 10)]).await.unwrap();
    }
    let query = ListQuery { search: Some("Iris"), sort: Sort::Relevance, ..ListQuery::default() };
    assert_eq!(names(&db, &query).await, ["iris", "iris-large", "iris-small", "guide"]);
    let query = ListQuery { search: Some("alice/iris"), ..query };
    assert_eq!(names(&db, &query).await[0], "iris");
}

async fn relevance_pages_add_up(db: Db) {
    let alice = account(&db, "alice").await;
    for n in 0..4 {
        model(&db, &alice, &format!("iris-{n}"), "").await;
        model(&db, &alice, &format!("other-{n}"), "iris").await;
    }
    model(&db, &alice, "iris", "").await;
    let query = ListQuery { search: Some("iris"), sort: Sort::Relevance, limit: 100, ..ListQuery::default() };
    let whole = names(&db, &query).await;
    assert_eq!(whole.len(), 9);
    for limit in 1..9 {
        assert_eq!(names(&db, &ListQuery { limit, ..query.clone() }).await, whole, "{limit}");
    }
}

async fn hostile_text_finds_nothing_and_breaks_nothing(db: Db) {
    let alice = account(&db, "alice").await;
    model(&db, &alice, "iris", "a model").await;
    let long = "x".repeat(100_000);
    let many = "word ".repeat(10_000);
    for text in [
        "\"",
        "'",
        "''",
        "\\",
        "*",
        "a*",
        "(",
        ")",
        "iris)",
        "NEAR(iris x)",
        "iris OR",
        "OR",
        "AND NOT",
        "search_name:x",
        "{search_name} : x",
        "^x",
        "-x",
        "+x",
        "a & b",
        "a | !b",
        "x:*A",
        "<->",
        "iris\0x",
        "\u{0}",
        "\u{202e}",
        "🌸",
        "%",
        "_",
        "'; DROP TABLE repositories; --",
        "ÀÉ\u{301}",
        "हिन्दी",
        "\u{345}",
        "²",
        "İ",
        &long,
        &many,
    ] {
        for sort in [Sort::Relevance, Sort::LastModified] {
            let query = ListQuery { search: Some(text), sort, ..ListQuery::default() };
            let found = repositories::list(&db, &query).await;
            assert!(found.is_ok_and(|page| page.items.len() <= 1), "{text:?}");
        }
    }
    assert_eq!(search(&db, "\"iris\" model*").await, ["iris"]);
    let tags = ["'", "\"", "\0", "%"];
    let query = ListQuery { tags: &tags, ..ListQuery::default() };
    assert!(names(&db, &query).await.is_empty());
}

async fn what_is_deleted_or_renamed_is_not_found(db: Db) {
    let alice = account(&db, "alice").await;
    model(&db, &alice, "iris", "flowers").await;
    model(&db, &alice, "other", "flowers").await;
    let name = repository_name("alice/iris");
    let iris = repositories::by_name(&db, RepositoryKind::Model, &name).await.unwrap().unwrap();
    let summary = Summary { title: "trees", ..Summary::default() };
    repositories::set_summary(&db, iris.id, &summary).await.unwrap();
    assert_eq!(search(&db, "flowers").await, ["other"]);
    assert_eq!(search(&db, "trees").await, ["iris"]);
    repositories::delete(&db, iris.id).await.unwrap();
    assert!(search(&db, "trees").await.is_empty());
    assert!(search(&db, "iris").await.is_empty());
}

async fn a_cursor_of_another_kind_is_refused(db: Db) {
    for after in ["", "x", "1.2", "1.2.3.4", "1.2.x", "99999999999999999999.1.1"] {
        let query = ListQuery { after: Some(after), ..ListQuery::default() };
        let error = repositories::list(&db, &query).await.unwrap_err();
        assert!(matches!(error, Error::Cursor(_)), "{after}");
    }
}
