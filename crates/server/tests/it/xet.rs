//! Large files in chunks: what is taken for one, from whom, and who gets what of it.

use std::ops::Range;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use spec::digest::Sha256;
use spec::xet::XetHash;

use crate::server::{Actor, Server, header};

/// A xorb of chunks that are not compressed, and the file that is made of all of them.
pub(crate) struct Sample {
    chunks: Vec<Vec<u8>>,
}

impl Sample {
    pub(crate) fn new(seed: u8) -> Self {
        let chunk = |n: u8| (0..10_000 + usize::from(n)).map(|i| (i % 251) as u8 ^ seed ^ n).collect();
        Self { chunks: (0..5).map(chunk).collect() }
    }

    fn nodes(&self) -> Vec<(XetHash, u64)> {
        self.chunks.iter().map(|chunk| (XetHash::of_chunk(chunk), chunk.len() as u64)).collect()
    }

    pub(crate) fn xorb_hash(&self) -> XetHash {
        XetHash::of_xorb(&self.nodes())
    }

    pub(crate) fn file_hash(&self) -> XetHash {
        XetHash::of_file(&self.nodes())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    pub(crate) fn xorb(&self) -> Vec<u8> {
        let packed = self.chunks.iter().map(|chunk| {
            let length = &u32::try_from(chunk.len()).unwrap().to_le_bytes()[..3];
            [&[0][..], length, &[0], length, chunk].concat()
        });
        packed.collect::<Vec<_>>().concat()
    }

    pub(crate) fn told(&self) -> Told {
        Told {
            file: self.file_hash(),
            xorb: self.xorb_hash(),
            n_bytes: u32::try_from(self.bytes().len()).unwrap(),
            chunks: 0..5,
            proof: XetHash::of_range(self.nodes().into_iter().map(|(hash, _)| hash)),
            sha256: Sha256::of(&self.bytes()),
        }
    }
}

/// What a client tells of a file of one term.
pub(crate) struct Told {
    file: XetHash,
    xorb: XetHash,
    n_bytes: u32,
    chunks: Range<u32>,
    proof: XetHash,
    sha256: Sha256,
}

impl Told {
    fn shard(&self) -> Vec<u8> {
        let mut bytes =
            b"HFRepoMetaData\0\x55\x69\x67\x45\x6a\x7b\x81\x57\x83\xa5\xbd\xd9\x5c\xcd\xd1\x4a\xa9".to_vec();
        bytes.extend([2_u64, 0].into_iter().flat_map(u64::to_le_bytes));
        let mut record = |hash: &XetHash, ints: [u32; 4]| {
            bytes.extend_from_slice(hash.as_bytes());
            bytes.extend(ints.into_iter().flat_map(u32::to_le_bytes));
        };
        let end = XetHash::from_bytes([0xff; 32]);
        record(&self.file, [3 << 30, 1, 0, 0]);
        record(&self.xorb, [0, self.n_bytes, self.chunks.start, self.chunks.end]);
        record(&self.proof, [0; 4]);
        record(&XetHash::from(self.sha256), [0; 4]);
        record(&end, [0; 4]);
        record(&end, [0; 4]);
        bytes
    }
}

/// Somebody with a pass.
pub(crate) struct Client<'a> {
    server: &'a Server,
    url: String,
    pass: String,
}

impl<'a> Client<'a> {
    pub(crate) async fn new(server: &'a Server, actor: Actor, repository: &str, right: &str) -> Self {
        let path = format!("/api/models/{repository}/xet-{right}-token/main");
        let response = server.get(actor, &path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let text = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let (url, pass, expires) =
            (text("x-xet-cas-url"), text("x-xet-access-token"), text("x-xet-token-expiration"));
        let body: Value = response.json().await.unwrap();
        assert_eq!(
            body,
            json!({ "casUrl": url, "accessToken": pass, "exp": expires.parse::<i64>().unwrap() })
        );
        Self { server, url, pass }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.server.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.pass)
    }

    async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Response {
        self.request(method, path).body(body).send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path, Vec::new()).await
    }

    pub(crate) async fn send_xorb(&self, hash: XetHash, bytes: Vec<u8>) -> Response {
        self.ask(Method::POST, &format!("/v1/xorbs/default/{hash}"), bytes).await
    }

    pub(crate) async fn send_shard(&self, told: &Told) -> StatusCode {
        self.ask(Method::POST, "/v1/shards", told.shard()).await.status()
    }

    pub(crate) async fn is_sent(&self, hash: XetHash) -> bool {
        let body = br#"{"length":1,"checksum":{"algo":"crc64nvme","value":"1"}}"#.to_vec();
        let asked = self.ask(Method::POST, &format!("/v1/xorb-grants/default/{hash}"), body).await;
        asked.status() == StatusCode::OK
    }
}

pub(crate) fn lfs_file(sample: &Sample) -> Value {
    let (bytes, sha256) = (sample.bytes().len(), Sha256::of(&sample.bytes()));
    json!({ "key": "lfsFile", "value": { "path": "w.bin", "algo": "sha256", "oid": sha256, "size": bytes } })
}

/// Sends a sample and commits it to a repository of Alice's.
pub(crate) async fn push(server: &Server, name: &str, sample: &Sample) {
    let alice = Client::new(server, Actor::Owner, &format!("alice/{name}"), "write").await;
    alice.send_xorb(sample.xorb_hash(), sample.xorb()).await.error_for_status().unwrap();
    assert_eq!(alice.send_shard(&sample.told()).await, StatusCode::OK);
    let committed = server.commit(name, &[header("in chunks"), lfs_file(sample)]).await;
    assert_eq!(committed.status(), StatusCode::OK);
}

async fn with_repository() -> Server {
    let server = Server::start().await;
    server.create("iris", "private").await;
    server
}

#[tokio::test]
async fn a_file_of_chunks_is_committed_and_read_whole_and_in_parts() {
    let server = with_repository().await;
    let sample = Sample::new(1);
    push(&server, "iris", &sample).await;
    let bytes = sample.bytes();
    let back = server.get(Actor::Owner, "/alice/iris/resolve/main/w.bin").await;
    assert!(back.bytes().await.unwrap() == bytes);
    for part in [0..1, 9_999..10_001, 20_000..50_010, 50_009..50_010] {
        let range = format!("bytes={}-{}", part.start, part.end - 1);
        let request = server.request(Actor::Owner, Method::GET, "/alice/iris/resolve/main/w.bin");
        let answer = request.header("range", range).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
        assert!(answer.bytes().await.unwrap() == bytes[part.clone()], "{part:?}");
    }
}

#[tokio::test]
async fn a_reader_is_told_the_chunks_of_a_part_and_fetches_them_without_a_token() {
    let server = with_repository().await;
    let sample = Sample::new(2);
    push(&server, "iris", &sample).await;
    let reader = Client::new(&server, Actor::Reader, "alice/iris", "read").await;
    let path = format!("/v2/reconstructions/{}", sample.file_hash());
    let request = server.http.get(format!("{}{path}", reader.url)).bearer_auth(&reader.pass);
    let told: Value =
        request.header("range", "bytes=10001-30001").send().await.unwrap().json().await.unwrap();
    assert_eq!(told["offset_into_first_range"], 1);
    let xorb = sample.xorb_hash().to_string();
    let expected = json!([{ "hash": xorb, "unpacked_length": 20_003, "range": { "start": 1, "end": 3 } }]);
    assert_eq!(told["terms"], expected);
    let fetch = &told["xorbs"][&xorb][0];
    let (start, end) = (10_008, 10_008 + 20_003 + 16);
    assert_eq!(fetch["ranges"][0]["bytes"], json!({ "start": start, "end": end - 1 }));
    let url = fetch["url"].as_str().unwrap();
    let get =
        async |url: &str, range: String| server.http.get(url).header("range", range).send().await.unwrap();
    let got = get(url, format!("bytes={start}-{}", end - 1)).await;
    assert_eq!(got.status(), StatusCode::PARTIAL_CONTENT);
    assert!(got.bytes().await.unwrap() == sample.xorb()[start..end]);
    let beyond = get(url, format!("bytes=0-{}", end - 1)).await;
    assert_eq!(beyond.status(), StatusCode::FORBIDDEN);
    let forged = url.replace(&format!("start={start}"), "start=0");
    assert_eq!(get(&forged, "bytes=0-9".to_owned()).await.status(), StatusCode::FORBIDDEN);
    // The first form of the answer says the same.
    let first: Value = reader.get(&path.replace("v2", "v1")).await.json().await.unwrap();
    assert_eq!(first["terms"][0]["range"], json!({ "start": 0, "end": 5 }));
    assert_eq!(first["fetch_info"][&xorb][0]["url_range"]["end"], sample.xorb().len() - 1);
    let far = server.http.get(format!("{}{path}", reader.url)).bearer_auth(&reader.pass);
    let far = far.header("range", "bytes=50010-50020").send().await.unwrap();
    assert_eq!(far.status(), StatusCode::RANGE_NOT_SATISFIABLE);
}

#[tokio::test]
async fn what_is_not_what_it_says_is_refused_and_leaves_nothing() {
    let server = with_repository().await;
    let (sample, other) = (Sample::new(3), Sample::new(4));
    let alice = Client::new(&server, Actor::Owner, "alice/iris", "write").await;
    let n_before = server.n_stored_files();
    let mut broken = sample.xorb();
    broken[5_000] ^= 1;
    let cut = sample.xorb()[..30_000].to_vec();
    for bytes in [broken, cut, other.xorb(), Vec::new(), vec![1; 100]] {
        let refused = alice.send_xorb(sample.xorb_hash(), bytes).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert_eq!(server.n_stored_files(), n_before);
    }
    assert_eq!(alice.send_shard(&sample.told()).await, StatusCode::BAD_REQUEST, "its xorb was not sent");
    let sent = alice.send_xorb(sample.xorb_hash(), sample.xorb()).await;
    assert_eq!(sent.json::<Value>().await.unwrap(), json!({ "was_inserted": true }));
    let again = alice.send_xorb(sample.xorb_hash(), sample.xorb()).await;
    assert_eq!(again.json::<Value>().await.unwrap(), json!({ "was_inserted": false }));
    let wrong = XetHash::of_chunk(b"something else");
    let lies = [
        Told { file: wrong, ..sample.told() },
        Told { xorb: wrong, ..sample.told() },
        Told { n_bytes: 7, ..sample.told() },
        Told { chunks: 0..6, ..sample.told() },
        Told { chunks: 3..3, ..sample.told() },
        Told { chunks: Range { start: 4, end: 2 }, ..sample.told() },
        Told { proof: wrong, ..sample.told() },
        Told { sha256: Sha256::of(b"something else"), ..sample.told() },
    ];
    for told in &lies {
        assert_eq!(alice.send_shard(told).await, StatusCode::BAD_REQUEST);
    }
    let garbage = alice.ask(Method::POST, "/v2/shards", vec![7; 960]).await;
    assert_eq!(garbage.status(), StatusCode::BAD_REQUEST);
    let commit = [header("never sent"), lfs_file(&sample)];
    assert_eq!(server.commit("iris", &commit).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(alice.send_shard(&sample.told()).await, StatusCode::OK);
    assert_eq!(server.commit("iris", &commit).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_second_form_of_a_shard_is_followed_to_its_end() {
    let server = with_repository().await;
    let sample = Sample::new(5);
    let alice = Client::new(&server, Actor::Owner, "alice/iris", "write").await;
    let frames = async || {
        let text = alice.ask(Method::POST, "/v2/shards", sample.told().shard()).await.text().await.unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let refused = frames().await.pop().unwrap();
    assert_eq!((&refused["type"], &refused["retryable"]), (&json!("error"), &json!(false)));
    alice.send_xorb(sample.xorb_hash(), sample.xorb()).await;
    let told = frames().await;
    assert_eq!(told.last(), Some(&json!({ "type": "result" })));
    let n_bytes = sample.bytes().len();
    assert!(told.contains(&json!({ "type": "validating", "verified": n_bytes, "total": n_bytes })));
}

#[tokio::test]
async fn nobody_names_or_finds_the_chunks_of_a_file_that_they_may_not_read() {
    let server = with_repository().await;
    // Its first chunk is one by which clients ask.
    let sample = Sample::new(6);
    push(&server, "iris", &sample).await;
    let body = json!({ "name": "mine", "visibility": "private" });
    assert_eq!(server.post(Actor::Stranger, "/api/repos/create", &body).await.status(), StatusCode::OK);
    let bob = Client::new(&server, Actor::Stranger, "bob/mine", "write").await;
    let chunk = format!("/v1/chunks/default/{}", sample.nodes()[0].0);
    assert!(!bob.is_sent(sample.xorb_hash()).await);
    assert_eq!(bob.get(&chunk).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(bob.send_shard(&sample.told()).await, StatusCode::BAD_REQUEST);
    let file = format!("/v2/reconstructions/{}", sample.file_hash());
    assert_eq!(bob.get(&file).await.status(), StatusCode::NOT_FOUND);
    // Sent by somebody for the first time it looks new, whoever sent it before.
    server.create("other", "private").await;
    let grant = json!({ "action": "write" });
    let put =
        server.request(Actor::Owner, Method::PUT, "/api/v1/models/alice/other/grants/dave").json(&grant);
    assert!(put.send().await.unwrap().status().is_success());
    let dave = Client::new(&server, Actor::Writer, "alice/other", "write").await;
    for is_first in [true, false] {
        let sent = dave.send_xorb(sample.xorb_hash(), sample.xorb()).await;
        assert_eq!(sent.json::<Value>().await.unwrap(), json!({ "was_inserted": is_first }));
    }
    // Whoever may read it is told, and need not send it for a file of their own.
    let grant = json!({ "action": "read" });
    let put = server.request(Actor::Owner, Method::PUT, "/api/v1/models/alice/iris/grants/bob").json(&grant);
    assert!(put.send().await.unwrap().status().is_success());
    server.app.rights.forget_all();
    let told = async || {
        let answer = bob.get(&chunk).await;
        (answer.status(), answer.bytes().await.unwrap())
    };
    // Rights that were looked up are believed for two seconds.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while told().await.0 != StatusCode::OK && std::time::Instant::now() < until {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (_, shard) = told().await;
    let shard = spec::xet::shard::Shard::read(&shard).unwrap();
    assert_eq!(shard.xorbs[0].hash, sample.xorb_hash());
    assert!(!bob.is_sent(sample.xorb_hash()).await);
    assert_eq!(bob.send_shard(&sample.told()).await, StatusCode::OK);
    // What was told is not his to read through his own repository before he commits it there.
    assert_eq!(bob.get(&file).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_pass_is_good_for_what_it_says_and_no_longer() {
    let server = with_repository().await;
    let sample = Sample::new(7);
    push(&server, "iris", &sample).await;
    let reader = Client::new(&server, Actor::Reader, "alice/iris", "read").await;
    let refused = reader.send_xorb(sample.xorb_hash(), sample.xorb()).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let path = format!("/v2/reconstructions/{}", sample.file_hash());
    server.create("other", "private").await;
    let elsewhere = Client::new(&server, Actor::Owner, "alice/other", "read").await;
    assert_eq!(elsewhere.get(&path).await.status(), StatusCode::NOT_FOUND);
    let other = reader.pass.replacen("read", "write", 1);
    let forged = Client { pass: other, url: reader.url.clone(), server: &server };
    assert_eq!(forged.get(&path).await.status(), StatusCode::UNAUTHORIZED);
    let stranger = Client { pass: "xet.read".to_owned(), url: reader.url.clone(), server: &server };
    assert_eq!(stranger.get(&path).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.get(Actor::Stranger, "/api/models/alice/iris/xet-read-token/main").await.status(), 404);
    assert_eq!(reader.get(&path).await.status(), StatusCode::OK);
    store::clock::advance_ms(16 * 60 * 1000);
    assert_eq!(reader.get(&path).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn to_read_some_chunks_of_a_xorb_gives_no_right_to_the_others() {
    let server = Server::start().await;
    server.create("secret", "private").await;
    server.create("open", "public").await;
    let (all, mut some) = (Sample::new(11), Sample::new(11));
    push(&server, "secret", &all).await;
    // The same xorb, of which a public file has the first two chunks.
    some.chunks.truncate(2);
    let told = Told { xorb: all.xorb_hash(), ..some.told() };
    let told = Told { chunks: 0..2, ..told };
    let alice = Client::new(&server, Actor::Owner, "alice/open", "write").await;
    assert_eq!(alice.send_shard(&told).await, StatusCode::OK);
    let committed = server.commit("open", &[header("some of it"), lfs_file(&some)]).await;
    assert_eq!(committed.status(), StatusCode::OK);
    let back = server.get(Actor::Nobody, "/alice/open/resolve/main/w.bin").await;
    assert!(back.bytes().await.unwrap() == some.bytes());
    let body = json!({ "name": "mine", "visibility": "private" });
    server.post(Actor::Stranger, "/api/repos/create", &body).await.error_for_status().unwrap();
    let bob = Client::new(&server, Actor::Stranger, "bob/mine", "write").await;
    for chunk in all.nodes() {
        let path = format!("/v1/chunks/default/{}", chunk.0);
        assert_eq!(bob.get(&path).await.status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(bob.send_shard(&all.told()).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_byte_that_rotted_is_never_handed_out() {
    let server = with_repository().await;
    let sample = Sample::new(8);
    push(&server, "iris", &sample).await;
    let blobs = server.folder.path().join("blobs");
    let largest = walk(&blobs).into_iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&largest).unwrap();
    bytes[25_000] ^= 1;
    std::fs::remove_file(&largest).unwrap();
    std::fs::write(&largest, bytes).unwrap();
    let get = async |range: &str| {
        let request = server.request(Actor::Owner, Method::GET, "/alice/iris/resolve/main/w.bin");
        request.header("range", range).send().await?.bytes().await
    };
    assert!(get("bytes=24000-26000").await.is_err());
    assert!(get("bytes=100-199").await.unwrap() == sample.bytes()[100..200]);
    let reader = Client::new(&server, Actor::Owner, "alice/iris", "read").await;
    let path = format!("/v1/reconstructions/{}", sample.file_hash());
    let told: Value = reader.get(&path).await.json().await.unwrap();
    let url = told["fetch_info"][sample.xorb_hash().to_string()][0]["url"].as_str().unwrap().to_owned();
    // The answer breaks off, before its head or behind it.
    let fetched = async { server.http.get(url).send().await?.bytes().await };
    assert!(fetched.await.is_err());
}

#[tokio::test]
async fn what_is_damaged_or_lost_is_found() {
    use server::ops::storage::{self, Finding};
    let server = with_repository().await;
    let sample = Sample::new(9);
    push(&server, "iris", &sample).await;
    keep_whole(&server, "small.txt", b"kept whole").await;
    let check = async || {
        let mut findings = Vec::new();
        let checked = storage::check(&server.app, None, |finding| findings.push(finding)).await.unwrap();
        assert_eq!(checked.n_findings, findings.len() as u64);
        (checked.n_chunked_files, findings)
    };
    // The sample, and what a repository begins with.
    assert_eq!(check().await, (2, Vec::new()));
    let blobs = server.folder.path().join("blobs");
    let small = Sha256::of(b"kept whole");
    let is_small = |path: &std::path::PathBuf| path.ends_with(small.to_string());
    std::fs::remove_file(walk(&blobs).into_iter().find(is_small).unwrap()).unwrap();
    let is_lost = |finding: &Finding, lost: &str, digest: Sha256| match finding {
        Finding::Lost { repository, revision, path, sha256 } => {
            (repository.as_str(), revision.is_some(), path.as_str(), *sha256)
                == ("alice/iris", true, lost, digest)
        }
        _ => false,
    };
    let findings = check().await.1;
    assert_eq!((findings.len(), &findings[0]), (2, &Finding::Missing { sha256: small }));
    assert!(is_lost(&findings[1], "small.txt", small), "{findings:?}");
    let xorb = walk(&blobs).into_iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&xorb).unwrap();
    bytes[25_000] ^= 1;
    std::fs::remove_file(&xorb).unwrap();
    std::fs::write(&xorb, bytes).unwrap();
    let findings = check().await.1;
    let n_damaged = findings.iter().filter(|finding| matches!(finding, Finding::Damaged { .. })).count();
    // The xorb, and the file that is made of it.
    assert_eq!(n_damaged, 2);
    let weights = Sha256::of(&sample.bytes());
    assert!(findings.iter().any(|finding| is_lost(finding, "w.bin", weights)), "{findings:?}");
}

/// Commits a file as programs stored it that kept each file whole.
pub(crate) async fn keep_whole(server: &Server, path: &str, bytes: &[u8]) {
    use store::db::{repositories, uploads};
    let store = &server.app.store;
    let name = "alice/iris".parse().unwrap();
    let kind = spec::name::RepositoryKind::Model;
    let iris = repositories::by_name(&store.db, kind, &name).await.unwrap().unwrap();
    let stored = store.blobs.put(bytes).await.unwrap();
    uploads::put(&store.db, iris.id, &stored, store::clock::now_ms()).await.unwrap();
    let line = json!({ "path": path, "algo": "sha256", "oid": stored.sha256, "size": bytes.len() });
    let line = json!({ "key": "lfsFile", "value": line });
    let committed = server.commit("iris", &[header("kept whole"), line]).await;
    assert_eq!(committed.status(), StatusCode::OK);
}

pub(crate) fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
