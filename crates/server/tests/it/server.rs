//! A real server in this process, on a free port with a folder of its own, and the actors that ask it.
//!
//! Invariant: nothing here knows a rule; accounts and repositories are made as an operator and a client make them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use server::app::App;
use server::gateway::Gateway;
use server::ops::access::{self, By, Known};
use server::ops::sessions::Browser;
use server::ops::{accounts, sessions, tokens};
use server::provider::Launcher;
use server::secrets::Secret;
use server::serve::{self, Ready};
use server::settings::Settings;
use spec::api::{NewToken, TokenScope};
use tokio_util::sync::CancellationToken;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// No credentials.
    Nobody,
    /// A token that is none.
    BadToken,
    /// Bob, who owns nothing here.
    Stranger,
    /// Carol, whom Alice lets ask her models.
    Asker,
    /// Dave, whom Alice lets write to her repositories.
    Writer,
    /// Alice with a token that may only read.
    Reader,
    /// Alice with a token that may write.
    Owner,
    /// Root, by token.
    Admin,
    /// Alice in her browser, from a page of ours.
    Session,
    /// Alice's browser, tricked by another site.
    Forged,
}

impl Actor {
    pub const ALL: [Self; 10] = [
        Self::Nobody,
        Self::BadToken,
        Self::Stranger,
        Self::Asker,
        Self::Writer,
        Self::Reader,
        Self::Owner,
        Self::Admin,
        Self::Session,
        Self::Forged,
    ];
}

/// A running server. Stops when dropped.
pub struct Server {
    pub url: String,
    /// The same store, for what only an operator can do.
    pub app: Arc<App>,
    pub folder: tempfile::TempDir,
    pub http: reqwest::Client,
    tokens: BTreeMap<Actor, String>,
    session: Mutex<String>,
    n_numbers: AtomicU32,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server with the accounts `alice`, `bob`, `carol`, `dave` and the admin `root`.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with other settings than the usual ones.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut flags: BTreeMap<String, String> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        flags.insert("data".to_owned(), folder.path().to_str().unwrap().to_owned());
        flags.insert("listen".to_owned(), "127.0.0.1:0".to_owned());
        // Many of them ask from one address, and make more than a person would.
        for rate in ["sign_in_rate", "sign_up_rate", "guess_rate", "making_rate"] {
            flags.entry(rate.to_owned()).or_insert_with(|| "0".to_owned());
        }
        // Nothing here survives the test.
        flags.insert("durability".to_owned(), "normal".to_owned());
        let settings = Settings::load(&flags, |_| None, None).unwrap();
        let (ready, stop, thread) = run(settings.clone());
        let store = serve::open_store(&settings).await.unwrap();
        let app = App::new(settings.clone(), store, Gateway::new(launcher(), &settings));
        let mut server = Self {
            url: ready.url,
            app,
            folder,
            http: reqwest::Client::builder().redirect(Policy::none()).build().unwrap(),
            tokens: BTreeMap::new(),
            session: Mutex::default(),
            n_numbers: AtomicU32::default(),
            stop,
            thread: Some(thread),
        };
        server.make_actors().await;
        server
    }

    async fn make_actors(&mut self) {
        for (name, actor, is_admin) in [
            ("alice", Actor::Owner, false),
            ("bob", Actor::Stranger, false),
            ("carol", Actor::Asker, false),
            ("dave", Actor::Writer, false),
            ("root", Actor::Admin, true),
        ] {
            let token = accounts::create_user_with_token(&self.app, &name.parse().unwrap(), is_admin).await;
            self.tokens.insert(actor, token.unwrap().expose().to_owned());
        }
        let alice = accounts::by_name(&self.app, "alice").await.unwrap();
        let new =
            NewToken { name: "reader".to_owned(), scope: TokenScope::Read, expires: None, repository: None };
        let reader = tokens::create_for(&self.app, &accounts::known(&alice), &new).await.unwrap();
        self.tokens.insert(Actor::Reader, reader.secret);
        self.tokens.insert(Actor::BadToken, "rn_not-a-token".to_owned());
        self.renew_session().await;
    }

    /// Stops the server and gives its folder, which nobody uses any more.
    pub fn stop(mut self) -> tempfile::TempDir {
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    /// Signs Alice in again.
    pub async fn renew_session(&self) {
        let alice = accounts::by_name(&self.app, "alice").await.unwrap();
        let link = sessions::create_link(&self.app, &alice).await.unwrap();
        let session = sessions::sign_in_by_link(&self.app, &link, &browser()).await.unwrap();
        *self.session.lock().unwrap() = session.expose().to_owned();
    }

    /// What the forms of Alice's session carry.
    pub async fn csrf(&self) -> String {
        let secret = Secret::new(self.session.lock().unwrap().clone());
        match sessions::actor(&self.app, &secret).await.unwrap() {
            access::Actor::Account(Known { by: By::Session { csrf, .. }, .. }) => csrf,
            other => panic!("{other:?} is not signed in"),
        }
    }

    /// A number that was not given out before.
    pub fn next_number(&self) -> u32 {
        self.n_numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// A request as this actor sends it.
    pub fn request(&self, actor: Actor, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let cookie = format!("reenact_session={}", self.session.lock().unwrap());
        match actor {
            Actor::Nobody => request,
            Actor::Session => request.header("cookie", cookie).header("origin", &self.url),
            Actor::Forged => request.header("cookie", cookie).header("origin", "http://evil.example"),
            _ => request.bearer_auth(&self.tokens[&actor]),
        }
    }

    /// The token that this actor comes with.
    pub fn token(&self, actor: Actor) -> &str {
        &self.tokens[&actor]
    }

    pub async fn get(&self, actor: Actor, path: &str) -> Response {
        self.request(actor, Method::GET, path).send().await.unwrap()
    }

    pub async fn post(&self, actor: Actor, path: &str, body: &Value) -> Response {
        self.request(actor, Method::POST, path).json(body).send().await.unwrap()
    }

    /// The JSON under a path that the owner may read.
    pub async fn read(&self, path: &str) -> Value {
        let response = self.get(Actor::Owner, path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    /// Makes a repository of Alice's; `visibility` is `public` or `private`.
    pub async fn create(&self, name: &str, visibility: &str) {
        let body = json!({ "name": name, "visibility": visibility });
        let response = self.post(Actor::Owner, "/api/repos/create", &body).await;
        assert_eq!(response.status(), StatusCode::OK);
    }

    /// Commits to `main` of a model of Alice's.
    pub async fn commit(&self, name: &str, lines: &[Value]) -> Response {
        self.commit_text(name, &ndjson(lines)).await
    }

    /// The same with a body that need not be well formed.
    pub async fn commit_text(&self, name: &str, body: &str) -> Response {
        let request =
            self.request(Actor::Owner, Method::POST, &format!("/api/models/alice/{name}/commit/main"));
        request.header("content-type", "application/x-ndjson").body(body.to_owned()).send().await.unwrap()
    }

    /// Commits files with these contents, which works.
    pub async fn push(&self, name: &str, files: &[(&str, &[u8])]) -> String {
        let mut lines = vec![header("push")];
        lines.extend(files.iter().map(|(path, bytes)| file(path, bytes)));
        let response = self.commit(name, &lines).await;
        assert_eq!(response.status(), StatusCode::OK);
        let body: Value = response.json().await.unwrap();
        body["commitOid"].as_str().unwrap().to_owned()
    }

    /// The paths in `main` of a model of Alice's.
    pub async fn paths(&self, name: &str) -> Vec<String> {
        let tree = self.read(&format!("/api/models/alice/{name}/tree/main?recursive=true")).await;
        tree.as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect()
    }

    /// How many files the storage holds, half-written ones too.
    pub fn n_stored_files(&self) -> usize {
        n_files(&self.folder.path().join("blobs")) + n_files(&self.folder.path().join("tmp"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The first line of a commit.
pub fn header(summary: &str) -> Value {
    json!({ "key": "header", "value": { "summary": summary, "description": "" } })
}

/// The line of a file.
pub fn file(path: &str, bytes: &[u8]) -> Value {
    let content = STANDARD.encode(bytes);
    json!({ "key": "file", "value": { "content": content, "path": path, "encoding": "base64" } })
}

pub fn ndjson(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Where Alice's session begins.
fn browser() -> Browser {
    Browser {
        address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        label: "Firefox on Linux".to_owned(),
    }
}

fn run(settings: Settings) -> (Ready, CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    let (sender, receiver) = mpsc::channel();
    let told = stop.clone();
    let thread = std::thread::spawn(move || {
        serve::serve(settings, launcher(), &told, |ready| sender.send(ready.clone()).unwrap()).unwrap();
    });
    let ready = receiver.recv().expect("the server did not start");
    (ready, stop, thread)
}

fn launcher() -> Launcher {
    Launcher { program: PathBuf::from("/nonexistent/reenact") }
}

/// Files below a folder, locks not counted.
fn n_files(folder: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let entries = entries.map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { n_files(&path) } else { usize::from(!path.ends_with("lock")) })
        .sum()
}
