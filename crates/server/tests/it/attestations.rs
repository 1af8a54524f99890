//! Attestations: what holds is taken and shown, what does not is refused with the reason, and links name nobody.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use spec::attestation::results::{Kind, Results};
use spec::attestation::{self, Attestation, Model, Run};
use spec::capsule::Capsule;
use spec::digest::Sha256;
use spec::dsse::{self, Key, PublicKey};

use crate::server::{Actor, Server};

const RECORD: &str = include_str!("../../../spec/src/capsule/golden/v1.json");
const PACKED: &[u8] = b"stands for an archive, which the server does not open";

/// What Bob states of a replay of the capsule beside Alice's model, which holds.
pub fn statement(name: &str, revision: &str, replay: &str) -> Attestation {
    let record: Capsule = serde_json::from_str(RECORD).unwrap();
    let recorded = Results::of(&record, |_| (Kind::Weights, None));
    let replayed = Results { environment: Sha256::of(b"elsewhere"), ..recorded.clone() };
    let (criteria, verdict) = attestation::judge(&recorded, &replayed);
    Attestation {
        capsule: Run { id: record.id, sha256: Sha256::of(RECORD.as_bytes()) },
        replay: Run { id: "ba9876543210".to_owned(), sha256: Sha256::of(replay.as_bytes()) },
        model: Some(Model {
            repository: format!("alice/{name}"),
            revision: revision.parse().unwrap(),
            packed: Sha256::of(PACKED),
        }),
        by: Some("bob".to_owned()),
        time: "2026-11-21T01:02:03Z".to_owned(),
        machine: BTreeMap::from([("processor".to_owned(), "A Processor of Bob".to_owned())]),
        software: "reenact 0.1.0".to_owned(),
        recorded,
        replayed,
        criteria,
        verdict,
    }
}

/// A body with that statement, signed.
pub fn signed(said: Attestation, seed: u8) -> Value {
    let key = Key::from_seed(&[seed; 32]);
    json!({ "statement": key.seal(said).unwrap(), "key": key.public().jwk() })
}

/// Puts the capsule beside a model of Alice's; the commit.
pub async fn push_capsule(server: &Server, name: &str) -> String {
    let id = serde_json::from_str::<Capsule>(RECORD).unwrap().id;
    let (record, packed) = (format!("capsules/{id}/capsule.json"), format!("capsules/{id}/capsule.zip"));
    server.push(name, &[(&record, RECORD.as_bytes()), (&packed, PACKED)]).await
}

fn address(name: &str) -> String {
    format!("/api/v1/models/alice/{name}/attestations")
}

async fn with_capsule(name: &str) -> (Server, String) {
    let server = Server::start().await;
    server.create(name, "public").await;
    let revision = push_capsule(&server, name).await;
    (server, revision)
}

#[tokio::test]
async fn what_holds_is_taken_shown_and_taken_back_by_its_maker() {
    let (server, revision) = with_capsule("iris").await;
    let body = signed(statement("iris", &revision, "one"), 1);
    let made = server.post(Actor::Stranger, &address("iris"), &body).await;
    assert_eq!(made.status(), StatusCode::CREATED, "{}", made.text().await.unwrap());
    let listed: Value = server.get(Actor::Nobody, &address("iris")).await.json().await.unwrap();
    let first = &listed["items"][0];
    assert_eq!(
        (first["by"].as_str(), first["verdict"].as_str()),
        (Some("bob"), Some("bitwise")),
        "{listed:#}"
    );
    assert!(first["independent"] == true && first.get("statement").is_none(), "{listed:#}");
    assert_eq!(
        (&first["criteria"]["weights"], &first["criteria"]["environment"]),
        (&json!("equal"), &json!("different"))
    );

    let path = format!("{}/{}", address("iris"), first["id"]);
    let whole = server.read(&path).await;
    let key = PublicKey::from_jwk(&serde_json::from_value(whole["key"].clone()).unwrap()).unwrap();
    let payload = dsse::open(whole["statement"].as_str().unwrap(), &[key]).unwrap();
    assert_eq!(dsse::read::<Attestation>(&payload).unwrap(), statement("iris", &revision, "one"));

    let page = server.get(Actor::Nobody, "/alice/iris/training").await.text().await.unwrap();
    for shown in ["5ebddfb4f2e8", "href=\"/bob\"", "A Processor of Bob", "reproduced by 1", "Reproduced</h3>"]
    {
        assert!(page.contains(shown), "no {shown}\n{page}");
    }
    assert!(page.contains("Available: not earned"), "it has no licence\n{page}");
    let card = server.get(Actor::Nobody, "/alice/iris").await.text().await.unwrap();
    assert!(card.contains("One person who cannot change the model"), "{card}");

    // What somebody states of one's own model is not one's own to silence.
    let remove = async |actor| server.request(actor, Method::DELETE, &path).send().await.unwrap().status();
    assert_eq!(remove(Actor::Nobody).await, StatusCode::UNAUTHORIZED);
    assert_eq!(remove(Actor::Owner).await, StatusCode::FORBIDDEN);
    assert_eq!(remove(Actor::Stranger).await, StatusCode::NO_CONTENT);
    assert_eq!(remove(Actor::Stranger).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_does_not_hold_is_refused_with_the_reason() {
    let (server, revision) = with_capsule("iris").await;
    server.create("rose", "public").await;
    let other = server.push("rose", &[("a.txt", b"a")]).await;
    let good = || statement("iris", &revision, "one");
    let model = |change: fn(&mut Model)| {
        let mut said = good();
        said.model.as_mut().map(change);
        said
    };
    let mut edited = good();
    edited.recorded.metrics.insert("invented".to_owned(), Sha256::of(b"x"));
    edited.replayed.metrics = edited.recorded.metrics.clone();
    let mut better = good();
    better.replayed.outputs.values_mut().for_each(|output| output.sha256 = Sha256::of(b"other"));
    let of_rose = Model {
        repository: "alice/iris".to_owned(),
        revision: other.parse().unwrap(),
        packed: Sha256::of(PACKED),
    };
    let cases = [
        (Attestation { by: Some("alice".to_owned()), ..good() }, "by the account that sends it"),
        (Attestation { by: None, ..good() }, "by the account that sends it"),
        (Attestation { model: None, ..good() }, "does not name the model"),
        (model(|model| model.repository = "alice/rose".to_owned()), "about another model"),
        (model(|model| model.packed = Sha256::of(b"x")), "does not hold the capsule"),
        (model(|model| model.revision = "00".repeat(20).parse().unwrap()), "no such commit"),
        (Attestation { model: Some(of_rose), ..good() }, "no such commit"),
        (
            Attestation { capsule: Run { sha256: Sha256::of(b"x"), ..good().capsule }, ..good() },
            "no such capsule on `main`",
        ),
        (
            Attestation { capsule: Run { id: "../../secrets".to_owned(), ..good().capsule }, ..good() },
            "is no id",
        ),
        (edited, "is not what the capsule says"),
        (better, "criteria do not follow"),
        (Attestation { replay: good().capsule, ..good() }, "with itself"),
    ];
    for (said, reason) in cases {
        let refused = server.post(Actor::Stranger, &address("iris"), &signed(said, 1)).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{reason}");
        let problem: Value = refused.json().await.unwrap();
        assert_eq!(problem["code"], "bad-attestation");
        assert!(problem["detail"].as_str().unwrap().contains(reason), "{reason}: {problem:#}");
    }
    let listed = server.read(&address("iris")).await;
    assert_eq!(listed["items"], json!([]));
}

#[tokio::test]
async fn a_signature_that_is_not_the_senders_is_refused() {
    let (server, revision) = with_capsule("iris").await;
    let post = async |actor, body: &Value| {
        let response = server.post(actor, &address("iris"), body).await;
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let good = signed(statement("iris", &revision, "one"), 1);
    let mut tampered = good.clone();
    let text = good["statement"].as_str().unwrap();
    let at = text.find("payload\":\"").unwrap() + 200;
    let changed = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
    tampered["statement"] = format!("{}{changed}{}", &text[..at], &text[at + 1..]).into();
    let mut other_key = good.clone();
    other_key["key"] = serde_json::to_value(Key::from_seed(&[2; 32]).public().jwk()).unwrap();
    let huge = json!({ "statement": "x".repeat(1_100_000), "key": good["key"] });
    let no_key = json!({ "statement": text, "key": { "kty": "RSA", "crv": "", "x": "" } });
    for (body, reason) in [
        (tampered, "was changed after it was signed"),
        (other_key, "another key than the one beside it"),
        (huge, "longer than"),
        (no_key, "no Ed25519 key"),
        (json!({ "statement": "{}", "key": good["key"] }), "no envelope"),
    ] {
        let (status, text) = post(Actor::Stranger, &body).await;
        assert!(status == 400 && text.contains(reason), "{reason}: {status} {text}");
    }
    assert_eq!(post(Actor::Stranger, &good).await.0, 201);
    let (status, text) = post(Actor::Stranger, &good).await;
    assert!(status == 409 && text.contains("already-attested"), "{status} {text}");
    // Carol has Bob's key in her hands, but it is his.
    let stolen = Attestation { by: Some("carol".to_owned()), ..statement("iris", &revision, "two") };
    let (status, text) = post(Actor::Asker, &signed(stolen.clone(), 1)).await;
    assert!(status == 400 && text.contains("a key of another account"), "{status} {text}");
    assert_eq!(post(Actor::Asker, &signed(stolen, 3)).await.0, 201);
}

#[tokio::test]
async fn an_owners_own_replay_is_shown_and_earns_nothing() {
    let (server, revision) = with_capsule("iris").await;
    let own = Attestation { by: Some("alice".to_owned()), ..statement("iris", &revision, "one") };
    assert_eq!(
        server.post(Actor::Owner, &address("iris"), &signed(own, 4)).await.status(),
        StatusCode::CREATED
    );
    let page = server.get(Actor::Nobody, "/alice/iris/training").await.text().await.unwrap();
    assert!(page.contains("may change the model") && page.contains("Reproduced: not earned"), "{page}");
}

#[tokio::test]
async fn whoever_holds_a_link_sees_how_many_reproduced_it_and_nobodys_name() {
    let (server, _) = with_capsule("iris").await;
    let revision = server.push("iris", &[("README.md", b"# Iris\n"), ("model.onnx", b"")]).await;
    let body = signed(statement("iris", &revision, "one"), 1);
    assert_eq!(server.post(Actor::Stranger, &address("iris"), &body).await.status(), StatusCode::CREATED);
    let link = json!({ "files": true, "anonymous": true });
    let made: Value =
        server.post(Actor::Owner, "/api/v1/models/alice/iris/links", &link).await.json().await.unwrap();
    let url = made["url"].as_str().unwrap();
    let path = &url[url.find("/r/").unwrap()..];
    let page = server.get(Actor::Nobody, path).await.text().await.unwrap();
    assert!(page.contains("One person who cannot change the model"), "{page}");
    assert!(
        !page.contains("bob") && !page.contains("Processor of Bob") && !page.contains("/training"),
        "{page}"
    );
    let files = server.get(Actor::Nobody, &format!("{path}/files")).await.text().await.unwrap();
    assert!(files.contains("capsule.json"), "{files}");
}

#[tokio::test]
async fn a_private_models_attestations_are_as_if_there_were_none() {
    let server = Server::start().await;
    server.create("secret", "private").await;
    let revision = push_capsule(&server, "secret").await;
    let body = signed(statement("secret", &revision, "one"), 1);
    let refused = server.post(Actor::Stranger, &address("secret"), &body).await;
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    for path in [address("secret"), "/alice/secret/training".to_owned()] {
        assert_eq!(server.get(Actor::Stranger, &path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
