//! Lists of repositories by the Hub protocol: search, filters, order, pages.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::server::{Actor, Server};

const CARD: &str = "---\nlicense: mit\ntags: [flowers]\npipeline_tag: tabular-classification\nlibrary_name: sklearn\n\
    language: en\n---\n# Telling irises apart\n";

async fn with_models() -> Server {
    let server = Server::start().await;
    for name in ["iris", "digits", "secret-iris"] {
        server.create(name, if name == "secret-iris" { "private" } else { "public" }).await;
    }
    server.push("iris", &[("README.md", CARD.as_bytes())]).await;
    server
}

async fn ids(server: &Server, actor: Actor, query: &str) -> Vec<String> {
    let list: Vec<Value> = server.get(actor, &format!("/api/models?{query}")).await.json().await.unwrap();
    list.iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn lists_are_searched_filtered_and_sorted() {
    let server = with_models().await;
    let check = async |actor, query: &str, wanted: &[&str]| {
        assert_eq!(ids(&server, actor, query).await, wanted, "{query}");
    };
    check(Actor::Nobody, "", &["alice/iris", "alice/digits"]).await;
    check(Actor::Owner, "search=iris", &["alice/iris", "alice/secret-iris"]).await;
    check(Actor::Stranger, "search=iris", &["alice/iris"]).await;
    check(Actor::Nobody, "search=irises+apart", &["alice/iris"]).await;
    check(Actor::Nobody, "filter=flowers&filter=license%3Amit", &["alice/iris"]).await;
    check(Actor::Nobody, "filter=flowers&filter=none", &[]).await;
    check(Actor::Nobody, "pipeline_tag=tabular-classification", &["alice/iris"]).await;
    check(Actor::Nobody, "filter=sklearn&full=True&cardData=true", &["alice/iris"]).await;
    check(Actor::Nobody, "author=ALICE&sort=createdAt", &["alice/digits", "alice/iris"]).await;
    check(Actor::Nobody, "author=nobody-here", &[]).await;
    check(Actor::Nobody, "sort=createdAt&direction=1", &["alice/iris", "alice/digits"]).await;
    let datasets: Value = server.get(Actor::Owner, "/api/datasets").await.json().await.unwrap();
    assert_eq!(datasets, json!([]));
    let refused = server.get(Actor::Nobody, "/api/models?sort=beauty").await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(server.get(Actor::Nobody, "/api/models?cursor=x").await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_list_leads_to_its_next_page_with_all_it_was_asked() {
    let server = with_models().await;
    let first = server.get(Actor::Owner, "/api/models?limit=2&sort=createdAt&author=alice").await;
    let link = first.headers()["link"].to_str().unwrap().to_owned();
    let url = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
    assert!(url.contains("sort=createdAt") && url.contains("author=alice"), "{url}");
    let last = server.get(Actor::Owner, url.strip_prefix(&server.url).unwrap()).await;
    assert!(last.headers().get("link").is_none());
    let last: Value = last.json().await.unwrap();
    assert_eq!((&last[0]["id"], last.as_array().unwrap().len()), (&json!("alice/iris"), 1));
}

#[tokio::test]
async fn a_repository_tells_what_its_card_says() {
    let server = with_models().await;
    let info = server.read("/api/models/alice/iris?blobs=true").await;
    assert_eq!(
        (&info["pipeline_tag"], &info["library_name"]),
        (&json!("tabular-classification"), &json!("sklearn"))
    );
    assert_eq!(info["tags"], json!(["sklearn", "tabular-classification", "flowers", "en", "license:mit"]));
    assert_eq!(info["cardData"]["license"], "mit");
    let card =
        info["siblings"].as_array().unwrap().iter().find(|file| file["rfilename"] == "README.md").unwrap();
    assert_eq!(card["size"], json!(CARD.len()));
    assert_eq!(card["blobId"].as_str().unwrap().len(), 40);
}

#[tokio::test]
async fn the_manifest_speaks_before_the_card() {
    let server = with_models().await;
    server.push("iris", &[("reenact.toml", b"task = \"other\"\nlicense = \"apache-2.0\"\n")]).await;
    let info = server.read("/api/models/alice/iris").await;
    assert_eq!(info["pipeline_tag"], "other");
    assert!(ids(&server, Actor::Nobody, "filter=license:mit").await.is_empty());
    assert_eq!(ids(&server, Actor::Nobody, "filter=license:apache-2.0").await, ["alice/iris"]);
}

#[tokio::test]
async fn a_history_comes_newest_first_in_pages() {
    let server = with_models().await;
    let second = server.push("digits", &[("a.txt", b"1")]).await;
    let third = server.push("digits", &[("a.txt", b"2")]).await;
    let page = server.get(Actor::Nobody, "/api/models/alice/digits/commits/main?limit=2").await;
    assert!(page.headers()["link"].to_str().unwrap().contains("cursor="));
    let page: Value = page.json().await.unwrap();
    assert_eq!((&page[0]["id"], &page[1]["id"]), (&json!(third), &json!(second)));
    assert_eq!(page[0]["authors"], json!([{ "user": "alice" }]));
    assert!(page[0]["date"].as_str().unwrap().ends_with('Z'));
}
